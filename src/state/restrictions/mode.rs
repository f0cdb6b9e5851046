//! The mode to which operators switch every node, instead of the configured one: requested by one, approved by another.

use serde::{Deserialize, Serialize};
use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::approvals::{self, FourEyes, Parties, RequestError, TwoPersonChange};
use crate::{
    audit::{self, Actor, AuditAction, AuditEntry},
    directory::{StateFault, revision},
    live::barrier::AffectedKeys,
};
use akgate_api::policy::ModeSwitch;
use akgate_rules::{position::Position, verdict::Mode};

/// The request to switch the mode.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SwitchMode {
    /// The new mode; `None` for the mode that each node is configured to.
    pub mode: Option<Mode>,
    /// The reason, in the operator's words.
    pub reason: String,
}

/// Requests the mode to be switched; returns the request.
///
/// # Errors
/// [`RequestError`]; nothing is asked for then.
pub async fn request_switch(
    pool: &PgPool,
    switch: &SwitchMode,
    by: &Actor,
    eyes: FourEyes,
    now: OffsetDateTime,
) -> Result<Uuid, RequestError> {
    let mut tx = pool.begin().await?;
    revision::lock_revision(&mut tx).await?;
    let approval_id = approvals::request_approval(&mut tx, switch, by, eyes, now).await?;
    tx.commit().await?;
    Ok(approval_id)
}

impl TwoPersonChange for SwitchMode {
    const KIND: &'static str = "SwitchMode";

    type Refusal = StateFault;

    fn subject(&self) -> Uuid {
        Uuid::nil()
    }

    fn reason(&self) -> &str {
        &self.reason
    }

    fn restriction_id(&self) -> Option<Uuid> {
        None
    }

    fn affected_keys(&self) -> Option<AffectedKeys> {
        Some(AffectedKeys::All)
    }

    async fn carry_out(
        &self,
        tx: &mut PgTransaction<'_>,
        parties: Parties<'_>,
        now: OffsetDateTime,
    ) -> Result<Position, StateFault> {
        let before = find_switched_mode(&mut **tx).await?;
        let at = revision::advance_revision(tx, now).await?;
        sqlx::query!(
            "UPDATE policy_switch
         SET mode = $1,
             reason = $2,
             requested_by = $3,
             approved_by = $4,
             switched_at = $5,
             revision = $6",
            self.mode.map(Mode::as_str),
            self.reason,
            parties.requester.to_string(),
            parties.approved_by(),
            now,
            at.revision
        )
        .execute(&mut **tx)
        .await?;
        let entry = AuditEntry {
            at: now,
            actor: parties.requester,
            action: AuditAction::SwitchMode,
            access_key_id: None,
            restriction_id: None,
            detail: serde_json::json!({
                "mode": self.mode,
                "before": before,
                "reason": self.reason,
                "approved_by": parties.approved_by(),
            }),
        };
        audit::insert_audit_record(tx, entry).await?;
        Ok(at.position())
    }
}

/// The mode that operators have switched to; `None` for each node's configured mode.
///
/// # Errors
/// [`StateFault`].
pub async fn find_switched_mode<'e>(
    db: impl sqlx::PgExecutor<'e>,
) -> Result<Option<Mode>, StateFault> {
    let mode = sqlx::query_scalar!("SELECT mode FROM policy_switch")
        .fetch_one(db)
        .await?;
    parse_mode(mode.as_deref())
}

fn parse_mode(mode: Option<&str>) -> Result<Option<Mode>, StateFault> {
    let mode = mode.map(str::parse).transpose();
    mode.map_err(|_| StateFault::Corrupt("mode"))
}

/// Reads the last switch.
///
/// # Errors
/// [`StateFault`].
pub async fn read_mode_switch(pool: &PgPool) -> Result<ModeSwitch, StateFault> {
    let row = sqlx::query!(
        "SELECT mode, reason, requested_by, approved_by, switched_at
         FROM policy_switch"
    )
    .fetch_one(pool)
    .await?;
    Ok(ModeSwitch {
        mode: parse_mode(row.mode.as_deref())?,
        reason: row.reason,
        requested_by: row.requested_by,
        approved_by: row.approved_by,
        switched_at: row.switched_at,
    })
}
