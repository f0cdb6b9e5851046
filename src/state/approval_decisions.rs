//! Decides on approvals: one operator requests a change, another approves or rejects it. The change commits together
//! with the approval, and is checked again against the facts of that moment.

use serde::Deserialize;
use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    approvals::{Parties, Requested, TwoPersonChange, record, settle_approval},
    audit::{Actor, AuditAction},
    directory::{StateFault, revision},
    leaks::undo::{UndoDelivery, UndoFault},
    live::barrier::AffectedKeys,
    restrictions::{
        active_restriction::ActiveRestrictionFault,
        descendants_approval::{DescendantsFault, RestrictDescendants},
        disable::DisableKey,
        exceptions::GrantException,
        lift::{LiftFault, LiftRestriction},
        mode::SwitchMode,
    },
};
use akgate_api::approvals::{ApprovalState, ApprovalView};
use akgate_rules::position::Position;

/// Every kind of change that can need an approval.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind")]
enum Change {
    Lift(LiftRestriction),
    UndoDelivery(UndoDelivery),
    Exception(GrantException),
    DisableKey(DisableKey),
    SwitchMode(SwitchMode),
    RestrictDescendants(RestrictDescendants),
}

impl Change {
    async fn carry_out(
        &self,
        tx: &mut PgTransaction<'_>,
        parties: Parties<'_>,
        now: OffsetDateTime,
    ) -> Result<Position, DecisionFault> {
        Ok(match self {
            Self::Lift(change) => change.carry_out(tx, parties, now).await?,
            Self::UndoDelivery(change) => change.carry_out(tx, parties, now).await?,
            Self::Exception(change) => change.carry_out(tx, parties, now).await?,
            Self::DisableKey(change) => change.carry_out(tx, parties, now).await?,
            Self::SwitchMode(change) => change.carry_out(tx, parties, now).await?,
            Self::RestrictDescendants(change) => change.carry_out(tx, parties, now).await?,
        })
    }

    fn affected_keys(&self) -> Option<AffectedKeys> {
        match self {
            Self::Lift(change) => change.affected_keys(),
            Self::UndoDelivery(change) => change.affected_keys(),
            Self::Exception(change) => change.affected_keys(),
            Self::DisableKey(change) => change.affected_keys(),
            Self::SwitchMode(change) => change.affected_keys(),
            Self::RestrictDescendants(change) => change.affected_keys(),
        }
    }

    fn restriction_id(&self) -> Option<Uuid> {
        match self {
            Self::Lift(change) => change.restriction_id(),
            Self::UndoDelivery(change) => change.restriction_id(),
            Self::Exception(change) => change.restriction_id(),
            Self::DisableKey(change) => change.restriction_id(),
            Self::SwitchMode(change) => change.restriction_id(),
            Self::RestrictDescendants(change) => change.restriction_id(),
        }
    }
}

/// Why an approval cannot be decided.
#[derive(Debug, thiserror::Error)]
pub enum DecisionFault {
    /// Nothing has this id.
    #[error("the approval does not exist")]
    NotFound,
    /// It is no longer pending.
    #[error("the approval is already {0}")]
    NotPending(String),
    /// It has expired.
    #[error("the approval has expired")]
    Expired,
    /// The requester cannot approve.
    #[error("the requester cannot approve")]
    OwnApproval,
    /// Only the requester can withdraw.
    #[error("only {0} can withdraw it")]
    NotOwn(String),
    /// The requester is no longer an operator.
    #[error("{0} is no longer an operator")]
    RequesterRevoked(String),
    /// The restriction does not allow it now.
    #[error(transparent)]
    Lift(#[from] LiftFault),
    /// The delivery does not allow it now.
    #[error(transparent)]
    Undo(#[from] UndoFault),
    /// There is nothing to restrict now.
    #[error(transparent)]
    Descendants(#[from] DescendantsFault),
    /// The key does not allow it now.
    #[error(transparent)]
    Leaked(#[from] ActiveRestrictionFault),
    /// The database failed.
    #[error(transparent)]
    State(#[from] StateFault),
}

impl From<sqlx::Error> for DecisionFault {
    fn from(fault: sqlx::Error) -> Self {
        Self::State(fault.into())
    }
}

struct PendingApproval {
    request: serde_json::Value,
    change: Change,
    requested_by: String,
    by: Actor,
}

impl PendingApproval {
    fn requested(self, approval_id: Uuid) -> Requested {
        Requested {
            approval_id,
            in_place_of: None,
            restriction_id: self.change.restriction_id(),
            request: self.request,
        }
    }
}

/// An approved change.
#[derive(Debug, Clone)]
pub struct ApprovedChange {
    /// The position from which it is enforced.
    pub position: Position,
    /// What it restricts, if anything.
    pub concern: Option<AffectedKeys>,
}

/// Approves a change and makes it.
///
/// # Errors
/// [`DecisionFault`]; then nothing is changed, and the approval stays pending.
pub async fn grant_approval(
    pool: &PgPool,
    approval_id: Uuid,
    approver: &Actor,
    remark: Option<&str>,
    now: OffsetDateTime,
) -> Result<ApprovedChange, DecisionFault> {
    let (mut tx, pending) = begin_decision(pool, approval_id, now).await?;
    if pending.by == *approver {
        return Err(DecisionFault::OwnApproval);
    }
    if !is_active_operator(&mut tx, &pending.by).await? {
        return Err(DecisionFault::RequesterRevoked(pending.requested_by));
    }
    let parties = Parties {
        requester: &pending.by,
        approver: Some(approver),
    };
    // First, so that the change, which makes requests of its kind void, does not meet this one.
    settle_approval(&mut tx, approval_id, "Approved", approver, remark, now).await?;
    let position = pending.change.carry_out(&mut tx, parties, now).await?;
    tx.commit().await?;
    let concern = pending.change.affected_keys();
    Ok(ApprovedChange { position, concern })
}

/// Rejects another operator's request.
///
/// # Errors
/// [`DecisionFault`].
pub async fn reject_approval(
    pool: &PgPool,
    approval_id: Uuid,
    by: &Actor,
    remark: &str,
    now: OffsetDateTime,
) -> Result<(), DecisionFault> {
    let (mut tx, pending) = begin_decision(pool, approval_id, now).await?;
    if pending.by == *by {
        return Err(DecisionFault::OwnApproval);
    }
    settle_approval(&mut tx, approval_id, "Rejected", by, Some(remark), now).await?;
    let requested = pending.requested(approval_id);
    record(&mut tx, AuditAction::RejectApproval, by, &requested, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Withdraws one's own request.
///
/// # Errors
/// [`DecisionFault`].
pub async fn withdraw_approval(
    pool: &PgPool,
    approval_id: Uuid,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<(), DecisionFault> {
    let (mut tx, pending) = begin_decision(pool, approval_id, now).await?;
    if pending.by != *by {
        return Err(DecisionFault::NotOwn(pending.requested_by));
    }
    settle_approval(&mut tx, approval_id, "Withdrawn", by, None, now).await?;
    let requested = pending.requested(approval_id);
    record(&mut tx, AuditAction::WithdrawApproval, by, &requested, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Takes the revision lock, so that nobody else decides at the same time, and reads the pending approval.
async fn begin_decision(
    pool: &PgPool,
    approval_id: Uuid,
    now: OffsetDateTime,
) -> Result<(PgTransaction<'static>, PendingApproval), DecisionFault> {
    let mut tx = pool.begin().await?;
    revision::lock_revision(&mut tx).await?;
    let pending = find_pending_approval(&mut tx, approval_id, now).await?;
    Ok((tx, pending))
}

async fn find_pending_approval(
    tx: &mut PgTransaction<'_>,
    approval_id: Uuid,
    now: OffsetDateTime,
) -> Result<PendingApproval, DecisionFault> {
    let row = sqlx::query!(
        "SELECT state, request, requested_by, expires_at
         FROM approvals
         WHERE approval_id = $1",
        approval_id
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(DecisionFault::NotFound)?;
    if row.state != "Pending" {
        return Err(DecisionFault::NotPending(row.state));
    }
    if row.expires_at <= now {
        return Err(DecisionFault::Expired);
    }
    let name = row.requested_by.strip_prefix("operator:");
    let name = name.ok_or(StateFault::Corrupt("requested_by"))?;
    let change = Change::deserialize(&row.request);
    Ok(PendingApproval {
        change: change.map_err(|_| StateFault::Corrupt("request"))?,
        request: row.request,
        by: Actor::Operator(name.to_owned()),
        requested_by: row.requested_by,
    })
}

async fn is_active_operator(tx: &mut PgTransaction<'_>, actor: &Actor) -> Result<bool, StateFault> {
    let Actor::Operator(name) = actor else {
        return Ok(false);
    };
    let found = sqlx::query_scalar!(
        "SELECT EXISTS (
             SELECT 1
             FROM operators
             WHERE name = $1
               AND revoked_at IS NULL
         ) AS \"exists!\"",
        name
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(found)
}

/// Which approvals to list; the newest come first.
#[derive(Debug, Clone, Default)]
pub struct ApprovalCriteria {
    /// Only the one with this id.
    pub approval_id: Option<Uuid>,
    /// Only those in this state.
    pub state: Option<ApprovalState>,
    /// Only older ones: the last id of the previous page.
    pub before: Option<Uuid>,
    /// Maximum number of rows.
    pub limit: i64,
}

/// Reads approvals.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn list_approvals(
    pool: &PgPool,
    criteria: &ApprovalCriteria,
    now: OffsetDateTime,
) -> Result<Vec<ApprovalView>, StateFault> {
    let views = sqlx::query_as!(
        ApprovalView,
        "SELECT
             a.approval_id,
             a.kind,
             a.subject_id,
             r.access_key_id AS \"access_key_id?\",
             a.request,
             a.reason,
             a.requested_by,
             a.requested_at,
             a.expires_at,
             s.state AS \"state!\",
             a.decided_by,
             a.decided_at,
             a.remark
         FROM approvals a
         CROSS JOIN LATERAL (
             SELECT CASE WHEN a.state = 'Pending' AND a.expires_at <= $1 THEN 'Expired' ELSE a.state END
         ) AS s (state)
         LEFT JOIN restrictions r ON r.restriction_id = a.subject_id
         WHERE ($2::uuid IS NULL OR a.approval_id = $2)
           AND ($3::text IS NULL OR s.state = $3)
           AND ($4::uuid IS NULL OR a.approval_id < $4)
         ORDER BY a.approval_id DESC
         LIMIT $5",
        now,
        criteria.approval_id,
        criteria.state.map(ApprovalState::as_str),
        criteria.before,
        criteria.limit
    )
    .fetch_all(pool)
    .await?;
    Ok(views)
}
