//! Four eyes: what takes two operators is asked for by one and decided by another. The deed commits with the decision,
//! and is judged anew by the facts of that moment.

use serde::{Deserialize, Serialize};
use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    approvals::{Parties, Requested, TwoPersonChange, record, settle},
    audit::{Actor, Deed},
    directory::{StateFault, revision},
    leaks::undo::{UndoDelivery, UndoFault},
    live::barrier::Concern,
    restrictions::{
        disable::DisableKey,
        exceptions::MakeException,
        leaked::LeakedFault,
        lift::{LiftFault, LiftRestriction},
        mode::SwitchMode,
    },
};
use akgate_rules::position::Position;

/// Every kind of change that can take two people, as requests are stored.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind")]
enum Change {
    Lift(LiftRestriction),
    UndoDelivery(UndoDelivery),
    Exception(MakeException),
    DisableKey(DisableKey),
    SwitchMode(SwitchMode),
}

impl Change {
    async fn carry_out(
        &self,
        tx: &mut PgTransaction<'_>,
        parties: Parties<'_>,
        now: OffsetDateTime,
    ) -> Result<Position, DecideFault> {
        Ok(match self {
            Self::Lift(change) => change.carry_out(tx, parties, now).await?,
            Self::UndoDelivery(change) => change.carry_out(tx, parties, now).await?,
            Self::Exception(change) => change.carry_out(tx, parties, now).await?,
            Self::DisableKey(change) => change.carry_out(tx, parties, now).await?,
            Self::SwitchMode(change) => change.carry_out(tx, parties, now).await?,
        })
    }

    fn concern(&self) -> Option<Concern> {
        match self {
            Self::Lift(change) => change.concern(),
            Self::UndoDelivery(change) => change.concern(),
            Self::Exception(change) => change.concern(),
            Self::DisableKey(change) => change.concern(),
            Self::SwitchMode(change) => change.concern(),
        }
    }

    fn restriction_id(&self) -> Option<Uuid> {
        match self {
            Self::Lift(change) => change.restriction_id(),
            Self::UndoDelivery(change) => change.restriction_id(),
            Self::Exception(change) => change.restriction_id(),
            Self::DisableKey(change) => change.restriction_id(),
            Self::SwitchMode(change) => change.restriction_id(),
        }
    }
}

/// Why a request is not decided.
#[derive(Debug, thiserror::Error)]
pub enum DecideFault {
    /// There is none of that id.
    #[error("the approval does not exist")]
    NotFound,
    /// It waits no more.
    #[error("the approval is already {0}")]
    Over(String),
    /// Nobody decided in time.
    #[error("the approval has expired")]
    Expired,
    /// Who asked does not approve.
    #[error("the requester cannot approve")]
    Own,
    /// Only who asked withdraws.
    #[error("only {0} can withdraw it")]
    NotOwn(String),
    /// Who asked is no operator any more.
    #[error("{0} is no longer an operator")]
    AskerGone(String),
    /// The restriction does not allow it now.
    #[error(transparent)]
    Lift(#[from] LiftFault),
    /// The delivery does not allow it now.
    #[error(transparent)]
    Undo(#[from] UndoFault),
    /// The key does not allow it now.
    #[error(transparent)]
    Leaked(#[from] LeakedFault),
    /// The database does not do it.
    #[error(transparent)]
    State(#[from] StateFault),
}

impl From<sqlx::Error> for DecideFault {
    fn from(fault: sqlx::Error) -> Self {
        Self::State(fault.into())
    }
}

struct Waiting {
    request: serde_json::Value,
    change: Change,
    asked_by: String,
    by: Actor,
}

impl Waiting {
    fn requested(self, approval_id: Uuid) -> Requested {
        Requested {
            approval_id,
            in_place_of: None,
            restriction_id: self.change.restriction_id(),
            request: self.request,
        }
    }
}

/// What was done.
#[derive(Debug, Clone)]
pub struct Approved {
    /// From where on it is enforced.
    pub position: Position,
    /// What it restricts, if anything.
    pub concern: Option<Concern>,
}

/// Approves of a request and does it.
///
/// # Errors
/// [`DecideFault`]; nothing is done then, and the request goes on waiting.
pub async fn approve(
    pool: &PgPool,
    approval_id: Uuid,
    approver: &Actor,
    remark: Option<&str>,
    now: OffsetDateTime,
) -> Result<Approved, DecideFault> {
    let mut tx = pool.begin().await?;
    revision::hold(&mut tx).await?;
    let waiting = waiting(&mut tx, approval_id, now).await?;
    if waiting.by == *approver {
        return Err(DecideFault::Own);
    }
    if !is_operator(&mut tx, &waiting.by).await? {
        return Err(DecideFault::AskerGone(waiting.asked_by));
    }
    let parties = Parties {
        requester: &waiting.by,
        approver: Some(approver),
    };
    let position = waiting.change.carry_out(&mut tx, parties, now).await?;
    settle(&mut tx, approval_id, "Approved", approver, remark, now).await?;
    tx.commit().await?;
    let concern = waiting.change.concern();
    Ok(Approved { position, concern })
}

/// Rejects a request of another operator.
///
/// # Errors
/// [`DecideFault`].
pub async fn reject(
    pool: &PgPool,
    approval_id: Uuid,
    by: &Actor,
    remark: &str,
    now: OffsetDateTime,
) -> Result<(), DecideFault> {
    let mut tx = pool.begin().await?;
    revision::hold(&mut tx).await?;
    let waiting = waiting(&mut tx, approval_id, now).await?;
    if waiting.by == *by {
        return Err(DecideFault::Own);
    }
    settle(&mut tx, approval_id, "Rejected", by, Some(remark), now).await?;
    record(
        &mut tx,
        Deed::Reject,
        by,
        &waiting.requested(approval_id),
        now,
    )
    .await?;
    tx.commit().await?;
    Ok(())
}

/// Takes one's own request back.
///
/// # Errors
/// [`DecideFault`].
pub async fn withdraw(
    pool: &PgPool,
    approval_id: Uuid,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<(), DecideFault> {
    let mut tx = pool.begin().await?;
    revision::hold(&mut tx).await?;
    let waiting = waiting(&mut tx, approval_id, now).await?;
    if waiting.by != *by {
        return Err(DecideFault::NotOwn(waiting.asked_by));
    }
    settle(&mut tx, approval_id, "Withdrawn", by, None, now).await?;
    record(
        &mut tx,
        Deed::WithdrawRequest,
        by,
        &waiting.requested(approval_id),
        now,
    )
    .await?;
    tx.commit().await?;
    Ok(())
}

async fn waiting(
    tx: &mut PgTransaction<'_>,
    approval_id: Uuid,
    now: OffsetDateTime,
) -> Result<Waiting, DecideFault> {
    let row = sqlx::query!(
        "SELECT state, request, asked_by, expires_at
         FROM approvals
         WHERE approval_id = $1",
        approval_id
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(DecideFault::NotFound)?;
    if row.state != "Waiting" {
        return Err(DecideFault::Over(row.state));
    }
    if row.expires_at <= now {
        return Err(DecideFault::Expired);
    }
    let name = row.asked_by.strip_prefix("operator:");
    let name = name.ok_or(StateFault::Corrupt("asked_by"))?;
    let change = Change::deserialize(&row.request);
    Ok(Waiting {
        change: change.map_err(|_| StateFault::Corrupt("request"))?,
        request: row.request,
        by: Actor::Operator(name.to_owned()),
        asked_by: row.asked_by,
    })
}

async fn is_operator(tx: &mut PgTransaction<'_>, actor: &Actor) -> Result<bool, StateFault> {
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

/// An approval: a change that needs a second operator.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Approval)]
pub struct ApprovalView {
    /// UUID version 7.
    pub approval_id: Uuid,
    /// `Lift`, `UndoDelivery`, `Exception`, `DisableKey` or `SwitchMode`.
    pub kind: String,
    /// The restriction or the delivery; all zeros for the mode.
    pub subject_id: Uuid,
    /// The key, if it is about one.
    pub access_key_id: Option<String>,
    /// The requested change.
    #[schema(value_type = Object)]
    pub request: serde_json::Value,
    /// Why, in the requester's words.
    pub reason: String,
    /// The requester: `operator:NAME`.
    pub asked_by: String,
    /// When it was requested.
    #[serde(with = "time::serde::rfc3339")]
    pub asked_at: OffsetDateTime,
    /// When it expires.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// `Waiting`, `Approved`, `Rejected`, `Withdrawn` or `Expired`.
    pub state: String,
    /// Who decided: `operator:NAME`.
    pub decided_by: Option<String>,
    /// When it was decided.
    #[serde(with = "time::serde::rfc3339::option")]
    pub decided_at: Option<OffsetDateTime>,
    /// The decision's reason, in the words of who decided.
    pub remark: Option<String>,
}

/// Which requests are wanted, the newest first.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// This one alone.
    pub approval_id: Option<Uuid>,
    /// Only those in this state.
    pub state: Option<String>,
    /// Older than this one: where the last page ended.
    pub before: Option<Uuid>,
    /// At most so many.
    pub limit: i64,
}

/// Reads requests.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn list(
    pool: &PgPool,
    wanted: &Wanted,
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
             a.asked_by,
             a.asked_at,
             a.expires_at,
             s.state AS \"state!\",
             a.decided_by,
             a.decided_at,
             a.remark
         FROM approvals a
         CROSS JOIN LATERAL (
             SELECT CASE WHEN a.state = 'Waiting' AND a.expires_at <= $1 THEN 'Expired' ELSE a.state END
         ) AS s (state)
         LEFT JOIN restrictions r ON r.restriction_id = a.subject_id
         WHERE ($2::uuid IS NULL OR a.approval_id = $2)
           AND ($3::text IS NULL OR s.state = $3)
           AND ($4::uuid IS NULL OR a.approval_id < $4)
         ORDER BY a.approval_id DESC
         LIMIT $5",
        now,
        wanted.approval_id,
        wanted.state,
        wanted.before,
        wanted.limit
    )
    .fetch_all(pool)
    .await?;
    Ok(views)
}
