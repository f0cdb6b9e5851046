//! The mode that operators switch to, at every node, in place of the configured one: asked for by one, approved by
//! another.

use serde::{Deserialize, Serialize};
use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::four_eyes::approvals::{self, AskFault, Asked, FourEyes};
use crate::{
    audit::{self, Actor, Deed, Entry},
    directory::{StateFault, revision},
};
use akgate_api::policy::ModeSwitch;
use akgate_rules::{position::Position, verdict::Mode};

/// A switch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Switching {
    /// To what; `None` for what each node is configured to.
    pub mode: Option<Mode>,
    /// Why, in the operator's words.
    pub reason: String,
}

/// Asks for the mode to be switched; gives the request.
///
/// # Errors
/// [`AskFault`]; nothing is asked for then.
pub async fn ask(
    pool: &PgPool,
    switching: &Switching,
    by: &Actor,
    eyes: FourEyes,
    now: OffsetDateTime,
) -> Result<Uuid, AskFault> {
    let mut tx = pool.begin().await?;
    revision::hold(&mut tx).await?;
    let asked = Asked::SwitchMode(switching.clone());
    let approval_id = approvals::ask(&mut tx, &asked, by, eyes, now).await?;
    tx.commit().await?;
    Ok(approval_id)
}

/// Switches in the caller's transaction, which has its turn among the writers; gives where the registry stands then.
pub(crate) async fn in_turn(
    tx: &mut PgTransaction<'_>,
    switching: &Switching,
    by: &Actor,
    approver: &Actor,
    now: OffsetDateTime,
) -> Result<Position, StateFault> {
    let before = current(&mut **tx).await?;
    let at = revision::advance(tx, now).await?;
    sqlx::query!(
        "UPDATE policy_switch
         SET mode = $1,
             reason = $2,
             asked_by = $3,
             approved_by = $4,
             switched_at = $5,
             revision = $6",
        switching.mode.map(Mode::as_str),
        switching.reason,
        by.to_string(),
        approver.to_string(),
        now,
        at.revision
    )
    .execute(&mut **tx)
    .await?;
    let entry = Entry {
        at: now,
        actor: by,
        deed: Deed::SwitchMode,
        access_key_id: None,
        restriction_id: None,
        detail: serde_json::json!({
            "mode": switching.mode,
            "before": before,
            "reason": switching.reason,
            "approved_by": approver.to_string(),
        }),
    };
    audit::write(tx, entry).await?;
    Ok(at.position())
}

/// The mode that operators have switched to; `None` for what each node is configured to.
///
/// # Errors
/// [`StateFault`].
pub async fn current<'e>(db: impl sqlx::PgExecutor<'e>) -> Result<Option<Mode>, StateFault> {
    let mode = sqlx::query_scalar!("SELECT mode FROM policy_switch")
        .fetch_one(db)
        .await?;
    parse(mode.as_deref())
}

pub(crate) fn parse(mode: Option<&str>) -> Result<Option<Mode>, StateFault> {
    let mode = mode.map(str::parse).transpose();
    mode.map_err(|_| StateFault::Corrupt("mode"))
}

/// Reads the last switch.
///
/// # Errors
/// [`StateFault`].
pub async fn view(pool: &PgPool) -> Result<ModeSwitch, StateFault> {
    let row = sqlx::query!(
        "SELECT mode, reason, asked_by, approved_by, switched_at
         FROM policy_switch"
    )
    .fetch_one(pool)
    .await?;
    Ok(ModeSwitch {
        mode: parse(row.mode.as_deref())?,
        reason: row.reason,
        asked_by: row.asked_by,
        approved_by: row.approved_by,
        switched_at: row.switched_at,
    })
}
