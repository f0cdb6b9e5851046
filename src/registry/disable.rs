//! Disabling a leaked pair: asked for by one operator, approved by another. It signs nothing any more at any node; the
//! IAM's own record of it is its owner's, who brings it back by a call of another key.

use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    approvals::{self, AskFault, Asked, FourEyes},
    exceptions::{in_force, key_of},
};
use crate::{
    access_key::AccessKeyId,
    audit::{self, Actor, Deed, Entry},
    directory::{KeyStatus, StateFault, keys, revision},
    outbox::tasks::{self, TaskKind},
};

/// Why a pair is not disabled.
#[derive(Debug, thiserror::Error)]
pub enum DisableFault {
    /// It has not leaked, as far as anybody knows.
    #[error("no restriction of the key is in force")]
    NotRestricted,
    /// It does not work, or nobody knows it.
    #[error("the pair is not active")]
    NotActive,
    /// It is not asked for.
    #[error(transparent)]
    Ask(#[from] AskFault),
}

impl From<sqlx::Error> for DisableFault {
    fn from(fault: sqlx::Error) -> Self {
        Self::Ask(fault.into())
    }
}

impl From<StateFault> for DisableFault {
    fn from(fault: StateFault) -> Self {
        Self::Ask(fault.into())
    }
}

/// Asks for a leaked pair to be disabled; gives the request.
///
/// # Errors
/// [`DisableFault`]; nothing is asked for then.
pub async fn ask(
    pool: &PgPool,
    access_key_id: &AccessKeyId,
    reason: &str,
    by: &Actor,
    eyes: FourEyes,
    now: OffsetDateTime,
) -> Result<Uuid, DisableFault> {
    let mut tx = pool.begin().await?;
    revision::hold(&mut tx).await?;
    let restriction_id = in_force(&mut tx, access_key_id)
        .await?
        .ok_or(DisableFault::NotRestricted)?;
    let pair = keys::owned(&mut tx, access_key_id).await?;
    if pair.is_none_or(|pair| pair.status != KeyStatus::Active) {
        return Err(DisableFault::NotActive);
    }
    let asked = Asked::DisableKey {
        restriction_id,
        reason: reason.to_owned(),
    };
    let approval_id = approvals::ask(&mut tx, &asked, by, eyes, now).await?;
    tx.commit().await?;
    Ok(approval_id)
}

/// Disables it in the caller's transaction, which has its turn among the writers; gives the revision.
pub(super) async fn in_turn(
    tx: &mut PgTransaction<'_>,
    restriction_id: Uuid,
    reason: &str,
    by: &Actor,
    approver: &Actor,
    now: OffsetDateTime,
) -> Result<i64, DisableFault> {
    let access_key_id = key_of(tx, restriction_id)
        .await?
        .ok_or(DisableFault::NotRestricted)?;
    let at = revision::advance(tx, now).await?;
    if !keys::disable(tx, &access_key_id, &by.to_string(), at).await? {
        return Err(DisableFault::NotActive);
    }
    super::keys::look_again(tx, &[access_key_id.as_str()], at).await?;
    tasks::settle(tx, &[restriction_id], Some(TaskKind::DisablePair), by, now).await?;
    let entry = Entry {
        at: now,
        actor: by,
        deed: Deed::DisableKey,
        access_key_id: Some(&access_key_id),
        restriction_id: Some(restriction_id),
        detail: serde_json::json!({
            "reason": reason,
            "approved_by": approver.to_string(),
        }),
    };
    audit::write(tx, entry).await?;
    Ok(at.revision)
}
