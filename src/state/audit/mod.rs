//! The audit log: who did what. A record commits in the transaction of the change that it describes.

pub mod list;
pub mod notices;

use std::fmt;

use sqlx::PgTransaction;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::directory::StateFault;

/// The notification channel for due events, which audit records enqueue.
pub const EVENTS_CHANNEL: &str = "akgate_events";
use akgate_rules::access_key::AccessKeyId;

/// Whether a text can name a source or a hook: names appear in records, URLs and configurations.
#[must_use]
pub fn is_valid_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (1..=64).contains(&name.len()) && name.bytes().all(plain)
}

/// The actor of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// An operator, by name.
    Operator(String),
    /// A contact of the account, by id.
    Contact(Uuid),
    /// A source of leak reports, by name.
    Source(String),
    /// akgate itself, by rule.
    Akgate,
    /// The policy, on facts.
    Policy,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator(name) => write!(f, "operator:{name}"),
            Self::Contact(id) => write!(f, "contact:{id}"),
            Self::Source(name) => write!(f, "source:{name}"),
            Self::Akgate => f.write_str("akgate"),
            Self::Policy => f.write_str("policy"),
        }
    }
}

akgate_rules::text_enum! {
    /// What was done.
    pub enum AuditAction {
        /// A leak was reported.
        ReportLeak = "ReportLeak",
        /// A restriction was imposed.
        Impose = "Impose",
        /// The clean-up was confirmed.
        Confirm = "Confirm",
        /// A confirmation was withdrawn.
        Withdraw = "Withdraw",
        /// A restriction was widened to sensitive reads.
        Widen = "Widen",
        /// Operators were asked to disable an access key.
        ProposeDisabling = "ProposeDisabling",
        /// A restriction was lifted.
        Lift = "Lift",
        /// A delivery was undone.
        UndoDelivery = "UndoDelivery",
        /// An operator's task was closed.
        CloseTask = "CloseTask",
        /// A change that needs an approval was requested.
        RequestApproval = "RequestApproval",
        /// The request was rejected.
        RejectApproval = "RejectApproval",
        /// The requester withdrew the request.
        WithdrawApproval = "WithdrawApproval",
        /// An operator was added.
        AddOperator = "AddOperator",
        /// An operator was revoked, with all tokens.
        RevokeOperator = "RevokeOperator",
        /// Another token was made for an operator.
        IssueToken = "IssueToken",
        /// A person has signed in at a provider and got a token.
        SignIn = "SignIn",
        /// A token was revoked.
        RevokeToken = "RevokeToken",
        /// The profile of an account was set.
        SetProfile = "SetProfile",
        /// Self-remediation was allowed or forbidden for an account.
        SetSelfRemedy = "SetSelfRemedy",
        /// An exception from a restriction was made.
        GrantException = "GrantException",
        /// It was ended early.
        RevokeException = "RevokeException",
        /// What descends from a leaked key was restricted.
        RestrictDescendants = "RestrictDescendants",
        /// An access key was disabled.
        DisableKey = "DisableKey",
        /// The mode was switched.
        SwitchMode = "SwitchMode",
        /// A letter was sent again.
        ResendLetter = "ResendLetter",
        /// A letter was cancelled.
        CancelLetter = "CancelLetter",
        /// The failed events of a hook were made due again.
        RetryHook = "RetryHook",
    }
}

/// A record to be written.
#[derive(Debug)]
pub struct AuditEntry<'a> {
    /// When it was done.
    pub at: OffsetDateTime,
    /// Who did it.
    pub actor: &'a Actor,
    /// What was done.
    pub action: AuditAction,
    /// The key concerned.
    pub access_key_id: Option<&'a AccessKeyId>,
    /// The restriction concerned.
    pub restriction_id: Option<Uuid>,
    /// Further details; never a secret.
    pub detail: serde_json::Value,
}

/// Writes a record in the transaction of the change.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn insert_audit_record(
    tx: &mut PgTransaction<'_>,
    entry: AuditEntry<'_>,
) -> Result<(), StateFault> {
    insert_audit_records(tx, &[entry]).await
}

/// Writes records in the transaction of their changes, and enqueues the events for hooks.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn insert_audit_records(
    tx: &mut PgTransaction<'_>,
    entries: &[AuditEntry<'_>],
) -> Result<(), StateFault> {
    if entries.is_empty() {
        return Ok(());
    }
    let actors: Vec<String> = entries
        .iter()
        .map(|entry| entry.actor.to_string())
        .collect();
    let at: Vec<OffsetDateTime> = entries.iter().map(|entry| entry.at).collect();
    let actions: Vec<&str> = entries.iter().map(|entry| entry.action.as_str()).collect();
    let keys: Vec<Option<&str>> = entries
        .iter()
        .map(|entry| entry.access_key_id.map(AccessKeyId::as_str))
        .collect();
    let restrictions: Vec<Option<Uuid>> =
        entries.iter().map(|entry| entry.restriction_id).collect();
    let details: Vec<&serde_json::Value> = entries.iter().map(|entry| &entry.detail).collect();
    sqlx::query!(
        "WITH written AS (
             INSERT INTO audit_records (
                 at,
                 actor,
                 action,
                 access_key_id,
                 restriction_id,
                 detail,
                 history,
                 revision
             )
             SELECT e.*, r.history, r.revision
             FROM registry_revision r, unnest(
                 $1::timestamptz[],
                 $2::text[],
                 $3::text[],
                 $4::text[],
                 $5::uuid[],
                 $6::jsonb[]
             ) AS e
             RETURNING audit_id, at, action, access_key_id, detail
         ),
         enqueued AS (
             INSERT INTO event_deliveries (audit_id, hook, kind, due_at)
             SELECT w.audit_id, h.hook, t.kind, w.at
             FROM written w
             CROSS JOIN LATERAL (
                 SELECT CASE w.action
                     WHEN 'Impose' THEN 'imposed'
                     WHEN 'Widen' THEN 'widened'
                     WHEN 'Confirm' THEN 'confirmed'
                     WHEN 'Withdraw' THEN 'withdrawn'
                     WHEN 'Lift' THEN 'lifted'
                     WHEN 'ReportLeak' THEN 'suspected'
                 END
             ) AS t (kind)
             JOIN event_hooks h ON t.kind = ANY(h.kinds)
             LEFT JOIN access_keys k ON k.access_key_id = w.access_key_id
             WHERE t.kind <> 'suspected'
                OR (w.detail->>'proof' = 'Suspected' AND k.access_key_id IS NOT NULL)
             RETURNING 1
         )
         SELECT pg_notify($7, '')
         FROM enqueued
         LIMIT 1",
        &at,
        &actors,
        &actions as &[&str],
        &keys as &[Option<&str>],
        &restrictions as &[Option<Uuid>],
        &details as &[&serde_json::Value],
        EVENTS_CHANNEL
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
