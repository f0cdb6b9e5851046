//! Four eyes: what takes two operators is asked for by one and decided by another. The deed commits with the decision,
//! and is judged anew by the facts of that moment.

use serde::{Deserialize, Serialize};
use sqlx::{PgPool, PgTransaction};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{
    audit::{self, Actor, Deed, Entry},
    directory::{StateFault, revision},
};
use crate::{
    leaks::undo::{self, UndoFault},
    live::barrier::Concern,
    restrictions::{
        disable,
        exceptions::{self, Excepting},
        leaked::LeakedFault,
        lift::{self, LiftFault, Lifting},
        mode::{self, Switching},
    },
};
use akgate_api::approvals::{ApprovalState, ApprovalView};
use akgate_rules::position::Position;

/// When it takes two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FourEyes {
    /// How long a request waits.
    pub expires_after: Duration,
    /// What concerns more restrictions than this at once takes two.
    pub bulk_above: usize,
}

impl Default for FourEyes {
    fn default() -> Self {
        Self {
            expires_after: Duration::hours(24),
            bulk_above: 100,
        }
    }
}

/// Who does something: one operator, or two.
#[derive(Debug, Clone, Copy)]
pub struct Hands<'a> {
    /// Who wants it done.
    pub actor: &'a Actor,
    /// Who has approved of it.
    pub approver: Option<&'a Actor>,
}

/// What is asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Asked {
    /// To lift a restriction.
    Lift {
        /// Which one.
        restriction_id: Uuid,
        /// How.
        #[serde(flatten)]
        lifting: Lifting,
    },
    /// To take a delivery back.
    UndoDelivery {
        /// Which one.
        delivery_id: Uuid,
        /// Why.
        reason: String,
    },
    /// To except from a restriction.
    Exception {
        /// Which one.
        restriction_id: Uuid,
        /// How.
        #[serde(flatten)]
        excepting: Excepting,
    },
    /// To disable the pair of a restriction.
    DisableKey {
        /// Which one.
        restriction_id: Uuid,
        /// Why.
        reason: String,
    },
    /// To switch the mode.
    SwitchMode(Switching),
}

impl Asked {
    fn kind(&self) -> &'static str {
        match self {
            Self::Lift { .. } => "Lift",
            Self::UndoDelivery { .. } => "UndoDelivery",
            Self::Exception { .. } => "Exception",
            Self::DisableKey { .. } => "DisableKey",
            Self::SwitchMode(_) => "SwitchMode",
        }
    }

    /// One request of a kind waits for each of these at a time.
    fn subject(&self) -> Uuid {
        match self {
            Self::Lift { restriction_id, .. }
            | Self::Exception { restriction_id, .. }
            | Self::DisableKey { restriction_id, .. } => *restriction_id,
            Self::UndoDelivery { delivery_id, .. } => *delivery_id,
            Self::SwitchMode(_) => Uuid::nil(),
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::Lift { lifting, .. } => &lifting.reason,
            Self::Exception { excepting, .. } => &excepting.reason,
            Self::UndoDelivery { reason, .. } | Self::DisableKey { reason, .. } => reason,
            Self::SwitchMode(switching) => &switching.reason,
        }
    }

    /// What is restricted by it; `None` where something is freed.
    fn restricts(&self) -> Option<Concern> {
        match self {
            Self::Lift { .. } | Self::UndoDelivery { .. } | Self::Exception { .. } => None,
            Self::DisableKey { .. } | Self::SwitchMode(_) => Some(Concern::All),
        }
    }

    fn restriction_id(&self) -> Option<Uuid> {
        match self {
            Self::Lift { restriction_id, .. }
            | Self::Exception { restriction_id, .. }
            | Self::DisableKey { restriction_id, .. } => Some(*restriction_id),
            Self::UndoDelivery { .. } | Self::SwitchMode(_) => None,
        }
    }
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome<T> {
    /// It is done.
    Done(T),
    /// It waits for a second operator under this id.
    Waits(Uuid),
}

/// Another operator has asked for something to be done to the same subject, and that waits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{asked_by} has already requested this: approval {approval_id} is pending")]
pub struct AskedBefore {
    /// The request.
    pub approval_id: Uuid,
    /// `operator:NAME`.
    pub asked_by: String,
}

/// Why something is not asked for.
#[derive(Debug, thiserror::Error)]
pub enum AskFault {
    /// Another operator has asked for it.
    #[error(transparent)]
    Before(#[from] AskedBefore),
    /// The database does not do it.
    #[error(transparent)]
    State(#[from] StateFault),
}

impl From<sqlx::Error> for AskFault {
    fn from(fault: sqlx::Error) -> Self {
        Self::State(fault.into())
    }
}

/// Asks for it in the caller's transaction, which has its turn among the writers. The same again is the same request;
/// asked for in another way, it takes the place of one's own.
pub(crate) async fn ask(
    tx: &mut PgTransaction<'_>,
    asked: &Asked,
    by: &Actor,
    eyes: FourEyes,
    now: OffsetDateTime,
) -> Result<Uuid, AskFault> {
    let request = serde_json::to_value(asked).map_err(|_| StateFault::Corrupt("request"))?;
    sqlx::query!(
        "UPDATE approvals
         SET state = 'Expired'
         WHERE kind = $1
           AND subject_id = $2
           AND state = 'Waiting'
           AND expires_at <= $3",
        asked.kind(),
        asked.subject(),
        now
    )
    .execute(&mut **tx)
    .await?;
    let waiting = sqlx::query!(
        "SELECT approval_id, asked_by, request
         FROM approvals
         WHERE kind = $1
           AND subject_id = $2
           AND state = 'Waiting'",
        asked.kind(),
        asked.subject()
    )
    .fetch_optional(&mut **tx)
    .await?;
    let before = match waiting {
        Some(waiting) if waiting.asked_by != by.to_string() => {
            let before = AskedBefore {
                approval_id: waiting.approval_id,
                asked_by: waiting.asked_by,
            };
            return Err(before.into());
        }
        Some(waiting) if waiting.request == request => return Ok(waiting.approval_id),
        Some(waiting) => {
            let anew = Some("Replaced by a changed request.");
            settle(tx, waiting.approval_id, "Withdrawn", by, anew, now).await?;
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
             asked_by,
             asked_at,
             expires_at,
             state
         )
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'Waiting')",
        approval_id,
        asked.kind(),
        asked.subject(),
        request,
        asked.reason(),
        by.to_string(),
        now,
        now + eyes.expires_after
    )
    .execute(&mut **tx)
    .await?;
    note(tx, Deed::Ask, by, approval_id, before, asked, now).await?;
    Ok(approval_id)
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
    asked: Asked,
    asked_by: String,
    by: Actor,
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
    let hands = Hands {
        actor: &waiting.by,
        approver: Some(approver),
    };
    let position = match &waiting.asked {
        Asked::Lift {
            restriction_id,
            lifting,
        } => lift::in_turn(&mut tx, *restriction_id, lifting, hands, now).await?,
        Asked::UndoDelivery {
            delivery_id,
            reason,
        } => {
            let all = usize::MAX;
            let undone = undo::in_turn(&mut tx, *delivery_id, reason, hands, all, now).await?;
            undone.position
        }
        Asked::Exception {
            restriction_id,
            excepting,
        } => {
            let by = &waiting.by;
            exceptions::in_turn(&mut tx, *restriction_id, excepting, by, approver, now).await?
        }
        Asked::DisableKey {
            restriction_id,
            reason,
        } => disable::in_turn(&mut tx, *restriction_id, reason, &waiting.by, approver, now).await?,
        Asked::SwitchMode(switching) => {
            mode::in_turn(&mut tx, switching, &waiting.by, approver, now).await?
        }
    };
    settle(&mut tx, approval_id, "Approved", approver, remark, now).await?;
    tx.commit().await?;
    let concern = waiting.asked.restricts();
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
    note(
        &mut tx,
        Deed::Reject,
        by,
        approval_id,
        None,
        &waiting.asked,
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
    note(
        &mut tx,
        Deed::WithdrawRequest,
        by,
        approval_id,
        None,
        &waiting.asked,
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
    Ok(Waiting {
        asked: serde_json::from_value(row.request).map_err(|_| StateFault::Corrupt("request"))?,
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

async fn settle(
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

/// An approval needs no record of its own: the deed's names both.
async fn note(
    tx: &mut PgTransaction<'_>,
    deed: Deed,
    actor: &Actor,
    approval_id: Uuid,
    in_place_of: Option<Uuid>,
    asked: &Asked,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    let entry = Entry {
        at: now,
        actor,
        deed,
        access_key_id: None,
        restriction_id: asked.restriction_id(),
        detail: serde_json::json!({
            "approval_id": approval_id,
            "in_place_of": in_place_of,
            "request": asked,
        }),
    };
    audit::write(tx, entry).await
}

/// Which requests are wanted, the newest first.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// This one alone.
    pub approval_id: Option<Uuid>,
    /// Only those in this state.
    pub state: Option<ApprovalState>,
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
        wanted.state.map(ApprovalState::as_str),
        wanted.before,
        wanted.limit
    )
    .fetch_all(pool)
    .await?;
    Ok(views)
}
