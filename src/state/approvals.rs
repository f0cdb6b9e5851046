//! Approvals: a change that needs two people is requested by one operator and approved by another. This module requests
//! it; [`crate::approval_decisions`] decides on it.

use serde::Serialize;
use sqlx::PgTransaction;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{
    audit::{self, Actor, AuditAction, AuditEntry},
    directory::StateFault,
    live::barrier::AffectedKeys,
};
use akgate_rules::position::Position;

/// How approvals are handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FourEyes {
    /// How long an approval stays open.
    pub expires_after: Duration,
    /// A change that restricts more descendants than this needs an approval.
    pub descendants_approval_above: usize,
}

impl Default for FourEyes {
    fn default() -> Self {
        Self {
            expires_after: Duration::hours(24),
            descendants_approval_above: 100,
        }
    }
}

/// Who makes a change: one operator, or two.
#[derive(Debug, Clone, Copy)]
pub struct Parties<'a> {
    /// The requester.
    pub requester: &'a Actor,
    /// The approver.
    pub approver: Option<&'a Actor>,
}

impl<'a> Parties<'a> {
    /// One operator, without a second.
    #[must_use]
    pub fn alone(requester: &'a Actor) -> Self {
        Self {
            requester,
            approver: None,
        }
    }

    /// The second operator, as the tables name them.
    #[must_use]
    pub fn approved_by(&self) -> Option<String> {
        self.approver.map(Actor::to_string)
    }
}

/// A kind of change that can need an approval. The approver sees its fields.
pub trait TwoPersonChange: Serialize + Sync {
    /// Its name in the table and in the API.
    const KIND: &'static str;

    /// Why the change fails.
    type Refusal;

    /// The subject: each can have one pending approval of a kind.
    fn subject(&self) -> Uuid;

    /// Why, in the requester's words.
    fn reason(&self) -> &str;

    /// The restriction that the change is about.
    fn restriction_id(&self) -> Option<Uuid>;

    /// The keys that it restricts; `None` if it frees.
    fn affected_keys(&self) -> Option<AffectedKeys>;

    /// Makes the change in the caller's transaction, which must hold the revision lock, checked against the current
    /// facts. Nothing is written where it fails.
    fn carry_out(
        &self,
        tx: &mut PgTransaction<'_>,
        parties: Parties<'_>,
        now: OffsetDateTime,
    ) -> impl Future<Output = Result<Position, Self::Refusal>> + Send;
}

/// The result of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeOutcome<T> {
    /// The change was made.
    Done(T),
    /// It waits for a second operator, as this approval.
    AwaitsApproval(Uuid),
}

/// Another operator's request for the same subject is pending.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{requested_by} has already requested this: approval {approval_id} is pending")]
pub struct AlreadyRequested {
    /// The request.
    pub approval_id: Uuid,
    /// `operator:NAME`.
    pub requested_by: String,
}

/// Why a change cannot be requested.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Another operator's request is pending.
    #[error(transparent)]
    AlreadyRequested(#[from] AlreadyRequested),
    /// The database failed.
    #[error(transparent)]
    State(#[from] StateFault),
}

impl From<sqlx::Error> for RequestError {
    fn from(fault: sqlx::Error) -> Self {
        Self::State(fault.into())
    }
}

/// Requests the change in the caller's transaction, which must hold the revision lock. Repeating an identical request
/// returns the same approval; a different request replaces one's own pending one.
pub(crate) async fn request_approval<C: TwoPersonChange>(
    tx: &mut PgTransaction<'_>,
    change: &C,
    by: &Actor,
    eyes: FourEyes,
    now: OffsetDateTime,
) -> Result<Uuid, RequestError> {
    let request = described(change)?;
    sqlx::query!(
        "UPDATE approvals
         SET state = 'Expired'
         WHERE kind = $1
           AND subject_id = $2
           AND state = 'Pending'
           AND expires_at <= $3",
        C::KIND,
        change.subject(),
        now
    )
    .execute(&mut **tx)
    .await?;
    let waiting = sqlx::query!(
        "SELECT approval_id, requested_by, request
         FROM approvals
         WHERE kind = $1
           AND subject_id = $2
           AND state = 'Pending'",
        C::KIND,
        change.subject()
    )
    .fetch_optional(&mut **tx)
    .await?;
    let before = match waiting {
        Some(waiting) if waiting.requested_by != by.to_string() => {
            let before = AlreadyRequested {
                approval_id: waiting.approval_id,
                requested_by: waiting.requested_by,
            };
            return Err(before.into());
        }
        Some(waiting) if waiting.request == request => return Ok(waiting.approval_id),
        Some(waiting) => {
            let anew = Some("Replaced by a changed request.");
            settle_approval(tx, waiting.approval_id, "Withdrawn", by, anew, now).await?;
            Some(waiting.approval_id)
        }
        None => None,
    };
    let approval_id = Uuid::now_v7();
    sqlx::query!(
        "INSERT INTO approvals (
             approval_id,
             kind,
             subject_id,
             request,
             reason,
             requested_by,
             requested_at,
             expires_at,
             state
         )
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'Pending')",
        approval_id,
        C::KIND,
        change.subject(),
        &request,
        change.reason(),
        by.to_string(),
        now,
        now + eyes.expires_after
    )
    .execute(&mut **tx)
    .await?;
    let request = Requested {
        approval_id,
        in_place_of: before,
        restriction_id: change.restriction_id(),
        request,
    };
    record(tx, AuditAction::RequestApproval, by, &request, now).await?;
    Ok(approval_id)
}

/// A change as it is stored: its fields and its kind.
fn described<C: TwoPersonChange>(change: &C) -> Result<serde_json::Value, StateFault> {
    let described = serde_json::to_value(change);
    let mut described = described.map_err(|_| StateFault::Corrupt("request"))?;
    if let Some(fields) = described.as_object_mut() {
        fields.insert("kind".to_owned(), C::KIND.into());
    }
    Ok(described)
}

pub(crate) async fn settle_approval(
    tx: &mut PgTransaction<'_>,
    approval_id: Uuid,
    state: &str,
    by: &Actor,
    remark: Option<&str>,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    sqlx::query!(
        "UPDATE approvals
         SET state = $2,
             decided_by = $3,
             decided_at = $4,
             remark = $5
         WHERE approval_id = $1",
        approval_id,
        state,
        by.to_string(),
        now,
        remark
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Why nothing is left of a request to decide on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VoidReason {
    /// The restriction is lifted.
    Lifted,
    /// The owner has confirmed the clean-up, so the delivery can no longer be undone.
    Confirmed,
    /// The access key is already disabled or deleted.
    KeyGone,
}

impl VoidReason {
    /// What the operators read.
    fn as_str(self) -> &'static str {
        match self {
            Self::Lifted => "The restriction is lifted.",
            Self::Confirmed => "The owner has confirmed the clean-up.",
            Self::KeyGone => "The access key is already disabled or deleted.",
        }
    }

    /// The kinds of request that it makes void.
    fn kinds(self) -> &'static [&'static str] {
        match self {
            Self::Lifted => &["Lift", "Exception", "DisableKey", "RestrictDescendants"],
            Self::Confirmed => &["UndoDelivery"],
            Self::KeyGone => &["DisableKey"],
        }
    }
}

/// Closes the pending requests about these restrictions or deliveries that have become void, so that nobody decides on
/// what cannot be done any more.
pub(crate) async fn void_requests(
    tx: &mut PgTransaction<'_>,
    subjects: &[Uuid],
    reason: VoidReason,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    sqlx::query!(
        "UPDATE approvals
         SET state = 'Void',
             decided_by = $4,
             decided_at = $5,
             remark = $3
         WHERE subject_id = ANY($1)
           AND kind = ANY($2)
           AND state = 'Pending'",
        subjects,
        reason.kinds() as &[&str],
        reason.as_str(),
        Actor::Akgate.to_string(),
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A request, as the audit tells it.
pub(crate) struct Requested {
    pub approval_id: Uuid,
    pub in_place_of: Option<Uuid>,
    pub restriction_id: Option<Uuid>,
    pub request: serde_json::Value,
}

/// Records that a request was made, rejected or withdrawn. An approval needs no record of its own: that of the change names
/// both people.
pub(crate) async fn record(
    tx: &mut PgTransaction<'_>,
    action: AuditAction,
    actor: &Actor,
    requested: &Requested,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    let entry = AuditEntry {
        at: now,
        actor,
        action,
        access_key_id: None,
        restriction_id: requested.restriction_id,
        detail: serde_json::json!({
            "approval_id": requested.approval_id,
            "in_place_of": requested.in_place_of,
            "request": requested.request,
        }),
    };
    audit::insert_audit_record(tx, entry).await
}
