//! Confirms a clean-up or withdraws the confirmation. It is a statement, not a proof. Afterwards, facts may lift the
//! restriction, if the policy allows that.

use serde::{Deserialize, Serialize};
use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::approvals::{VoidReason, void_requests};
use crate::restrictions::{active_restriction::parse_state, etag::Etag, lift, links, read};
use crate::{
    audit::{self, Actor, AuditAction, AuditEntry},
    calls::artefacts,
    directory::{
        StateFault,
        keys::parse_key_id,
        revision::{self, WriteStamp},
    },
    outbox::{self, LetterKind, links::LinkPurpose, tasks},
};
use akgate_rules::restriction::{LiftRule, RestrictionState};

/// What an owner says that they did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CleanupStep {
    /// Made a new key and switched to it.
    Rotated,
    /// Disabled the leaked key.
    Disabled,
    /// Deleted it.
    Deleted,
    /// Removed it from where it was found.
    Removed,
    /// Looked for what they did not make.
    Reviewed,
    /// Nothing, for the reason that the remark gives.
    Nothing,
}

akgate_rules::text_enum! {
    /// What a statement lacks to count as a confirmation.
    pub enum MissingPart {
        /// It says nothing that was done.
        Steps = "Steps",
        /// It says that there was nothing to do, but not why.
        Reason = "Reason",
    }
}

/// A confirmation.
#[derive(Debug, Clone, Default)]
pub struct ConfirmationStatement {
    /// What was done.
    pub done: Vec<CleanupStep>,
    /// In their words.
    pub remark: Option<String>,
    /// The artefacts that they have looked at, by [`artefacts::Artefact::id`].
    pub acknowledged: Vec<String>,
}

impl ConfirmationStatement {
    /// What is missing. A robot that follows links may send the form as it is, which confirms nothing.
    #[must_use]
    pub fn missing(&self) -> Option<MissingPart> {
        if self.done.is_empty() {
            return Some(MissingPart::Steps);
        }
        let is_unexplained = self.done.contains(&CleanupStep::Nothing) && self.remark.is_none();
        is_unexplained.then_some(MissingPart::Reason)
    }
}

/// What came of a confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfirmOutcome {
    /// The restriction is confirmed now.
    Now(Uuid),
    /// So it was, and facts have lifted it.
    Lifted {
        /// The restriction.
        restriction_id: Uuid,
        /// The revision from which on the key is free.
        revision: i64,
    },
    /// It was so before, or is lifted.
    Before(Uuid, RestrictionState),
    /// It has changed since the operator read it.
    Changed,
    /// The statement is not complete, so the link still works.
    Incomplete(MissingPart),
    /// The restriction does not exist, or the link is unknown, used or expired.
    NotFound,
}

/// The owner confirms, by the link of a letter. A complete statement spends the link, whatever state it meets. A link that
/// does not work is turned away before the revision lock is taken: whoever guesses holds up nobody.
///
/// # Errors
/// [`StateFault`].
pub async fn confirm_by_link(
    pool: &PgPool,
    token_sha256: &[u8],
    statement: &ConfirmationStatement,
    rule: LiftRule,
    now: OffsetDateTime,
) -> Result<ConfirmOutcome, StateFault> {
    if !links::is_usable(pool, LinkPurpose::Confirm, token_sha256, now).await? {
        return Ok(ConfirmOutcome::NotFound);
    }
    if let Some(missing) = statement.missing() {
        return Ok(ConfirmOutcome::Incomplete(missing));
    }
    let mut tx = pool.begin().await?;
    let at = revision::advance_revision(&mut tx, now).await?;
    let Some(link) = links::spend_link(&mut tx, LinkPurpose::Confirm, token_sha256, now).await?
    else {
        return Ok(ConfirmOutcome::NotFound);
    };
    let actor = Actor::Contact(link.contact_id);
    let confirmed =
        write_confirmation(&mut tx, link.restriction_id, &actor, None, statement, at).await?;
    let confirmed = match (confirmed, rule) {
        (ConfirmOutcome::Now(id), LiftRule::AutoLift)
            if lift::lift_by_policy(&mut tx, id, at).await? =>
        {
            ConfirmOutcome::Lifted {
                restriction_id: id,
                revision: at.revision,
            }
        }
        (confirmed, LiftRule::AutoLift | LiftRule::Operator) => confirmed,
    };
    tx.commit().await?;
    Ok(confirmed)
}

/// An operator records a confirmation that came another way, of a restriction that is still as it was `seen`.
///
/// # Errors
/// [`StateFault`].
pub async fn confirm_by_ticket(
    pool: &PgPool,
    restriction_id: Uuid,
    actor: &Actor,
    ticket: &str,
    seen: Option<&[Etag]>,
    now: OffsetDateTime,
) -> Result<ConfirmOutcome, StateFault> {
    let mut tx = pool.begin().await?;
    let at = revision::advance_revision(&mut tx, now).await?;
    if !read::matches_etag(&mut tx, restriction_id, seen).await? {
        return Ok(ConfirmOutcome::Changed);
    }
    let statement = ConfirmationStatement::default();
    let confirmed =
        write_confirmation(&mut tx, restriction_id, actor, Some(ticket), &statement, at).await?;
    tx.commit().await?;
    Ok(confirmed)
}

async fn write_confirmation(
    tx: &mut PgTransaction<'_>,
    restriction_id: Uuid,
    actor: &Actor,
    ticket: Option<&str>,
    statement: &ConfirmationStatement,
    WriteStamp { now, .. }: WriteStamp,
) -> Result<ConfirmOutcome, StateFault> {
    let by = actor.to_string();
    let changed = sqlx::query_scalar!(
        "UPDATE restrictions
         SET state = 'Confirmed',
             confirmed_at = $2,
             confirmed_by = $3,
             ticket = $4
         WHERE restriction_id = $1
           AND state = 'Imposed'
         RETURNING access_key_id",
        restriction_id,
        now,
        by,
        ticket
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(access_key_id) = changed else {
        let state = find_state(tx, restriction_id).await?;
        return Ok(state.map_or(ConfirmOutcome::NotFound, |state| {
            ConfirmOutcome::Before(restriction_id, state)
        }));
    };
    let access_key_id = parse_key_id(&access_key_id)?;
    let deliveries = list_deliveries_of(tx, restriction_id).await?;
    void_requests(tx, &deliveries, VoidReason::Confirmed, now).await?;
    artefacts::acknowledge_artefacts(tx, restriction_id, &statement.acknowledged, &by, now).await?;
    sqlx::query!(
        "INSERT INTO confirmations (
             confirmation_id,
             restriction_id,
             confirmed_at,
             confirmed_by,
             done,
             remark
         )
         VALUES ($1, $2, $3, $4, $5, $6)",
        Uuid::now_v7(),
        restriction_id,
        now,
        by,
        serde_json::json!(statement.done),
        statement.remark
    )
    .execute(&mut **tx)
    .await?;
    audit::insert_audit_record(
        tx,
        AuditEntry {
            at: now,
            actor,
            action: AuditAction::Confirm,
            access_key_id: Some(&access_key_id),
            restriction_id: Some(restriction_id),
            detail: serde_json::json!({
                "ticket": ticket,
                "done": statement.done,
                "acknowledged": statement.acknowledged.len(),
            }),
        },
    )
    .await?;
    let public_since = read::find_public_since(tx, restriction_id).await?;
    outbox::enqueue_to_contacts_before_leak(
        tx,
        restriction_id,
        LetterKind::Confirmed,
        public_since,
        now,
    )
    .await?;
    Ok(ConfirmOutcome::Now(restriction_id))
}

/// What came of a withdrawal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithdrawOutcome {
    /// The restriction waits for a confirmation again.
    Now(Uuid),
    /// There was no confirmation left to take back.
    Nothing(Uuid),
    /// It is lifted already: an operator is asked to look.
    Disputed(Uuid),
    /// The link is unknown, used or expired.
    NotFound,
}

/// A contact withdraws a confirmation with the link in the letter about it. Items ticked as reviewed are reset, because
/// it may not have been the owner who reviewed them.
///
/// # Errors
/// [`StateFault`].
pub async fn withdraw_by_link(
    pool: &PgPool,
    token_sha256: &[u8],
    now: OffsetDateTime,
) -> Result<WithdrawOutcome, StateFault> {
    if !links::is_usable(pool, LinkPurpose::Withdraw, token_sha256, now).await? {
        return Ok(WithdrawOutcome::NotFound);
    }
    let mut tx = pool.begin().await?;
    revision::advance_revision(&mut tx, now).await?;
    let Some(link) = links::spend_link(&mut tx, LinkPurpose::Withdraw, token_sha256, now).await?
    else {
        return Ok(WithdrawOutcome::NotFound);
    };
    let id = link.restriction_id;
    let actor = Actor::Contact(link.contact_id);
    let withdrawn = match find_state(&mut tx, id).await? {
        None => return Ok(WithdrawOutcome::NotFound),
        Some(RestrictionState::Imposed) => WithdrawOutcome::Nothing(id),
        Some(RestrictionState::Lifted) => {
            tasks::open_tasks(&mut tx, tasks::TaskKind::Disputed, &[id], now).await?;
            WithdrawOutcome::Disputed(id)
        }
        Some(RestrictionState::Confirmed) => {
            revert_confirmation(&mut tx, id, &actor, now).await?;
            WithdrawOutcome::Now(id)
        }
    };
    let access_key_id = sqlx::query_scalar!(
        "SELECT access_key_id
         FROM restrictions
         WHERE restriction_id = $1",
        id
    )
    .fetch_one(&mut *tx)
    .await?;
    audit::insert_audit_record(
        &mut tx,
        AuditEntry {
            at: now,
            actor: &actor,
            action: AuditAction::Withdraw,
            access_key_id: Some(&parse_key_id(&access_key_id)?),
            restriction_id: Some(id),
            detail: serde_json::json!({ "lifted_already": matches!(withdrawn, WithdrawOutcome::Disputed(_)) }),
        },
    )
    .await?;
    tx.commit().await?;
    Ok(withdrawn)
}

async fn revert_confirmation(
    tx: &mut PgTransaction<'_>,
    restriction_id: Uuid,
    actor: &Actor,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    sqlx::query!(
        "UPDATE restrictions
         SET state = 'Imposed',
             confirmed_at = NULL,
             confirmed_by = NULL,
             ticket = NULL
         WHERE restriction_id = $1",
        restriction_id
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "UPDATE confirmations
         SET withdrawn_at = $2,
             withdrawn_by = $3
         WHERE restriction_id = $1
           AND withdrawn_at IS NULL",
        restriction_id,
        now,
        actor.to_string()
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "DELETE FROM acknowledgements
         WHERE restriction_id = $1",
        restriction_id
    )
    .execute(&mut **tx)
    .await?;
    let public_since = read::find_public_since(tx, restriction_id).await?;
    outbox::enqueue_to_contacts_before_leak(
        tx,
        restriction_id,
        LetterKind::Withdrawn,
        public_since,
        now,
    )
    .await
}

/// The deliveries that alone have led to a restriction: they can no longer be undone once it is confirmed.
async fn list_deliveries_of(
    tx: &mut PgTransaction<'_>,
    restriction_id: Uuid,
) -> Result<Vec<Uuid>, StateFault> {
    let only = sqlx::query_scalar!(
        "SELECT min(delivery_id::text)::uuid AS \"delivery_id\"
         FROM leak_reports
         WHERE restriction_id = $1
         HAVING count(DISTINCT delivery_id) = 1 AND count(*) = count(delivery_id)",
        restriction_id
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(only.flatten().into_iter().collect())
}

async fn find_state(
    tx: &mut PgTransaction<'_>,
    restriction_id: Uuid,
) -> Result<Option<RestrictionState>, StateFault> {
    let state = sqlx::query_scalar!(
        "SELECT state
         FROM restrictions
         WHERE restriction_id = $1",
        restriction_id
    )
    .fetch_optional(&mut **tx)
    .await?;
    state.as_deref().map(parse_state).transpose()
}
