//! Disabling a leaked pair: asked for by one operator, approved by another. It signs nothing any more at any node; the
//! IAM's own record of it is its owner's, who brings it back by a call of another key.

use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    audit::{self, Actor, Deed, Entry},
    directory::{keys, revision},
    outbox::tasks::{self, TaskKind},
};
use crate::{
    four_eyes::approvals::{self, Asked, FourEyes},
    restrictions::leaked::{LeakedFault, in_force, key_of},
};
use akgate_api::keys::KeyStatus;
use akgate_rules::{access_key::AccessKeyId, position::Position};

/// Asks for a leaked pair to be disabled; gives the request.
///
/// # Errors
/// [`LeakedFault`]; nothing is asked for then.
pub async fn ask(
    pool: &PgPool,
    access_key_id: &AccessKeyId,
    reason: &str,
    by: &Actor,
    eyes: FourEyes,
    now: OffsetDateTime,
) -> Result<Uuid, LeakedFault> {
    let mut tx = pool.begin().await?;
    revision::hold(&mut tx).await?;
    let restriction_id = in_force(&mut tx, access_key_id).await?;
    let pair = keys::owned(&mut tx, access_key_id).await?;
    if pair.is_none_or(|pair| pair.status != KeyStatus::Active) {
        return Err(LeakedFault::NotActive);
    }
    let asked = Asked::DisableKey {
        restriction_id,
        reason: reason.to_owned(),
    };
    let approval_id = approvals::ask(&mut tx, &asked, by, eyes, now).await?;
    tx.commit().await?;
    Ok(approval_id)
}

/// Disables it in the caller's transaction, which has its turn among the writers; gives the change.
pub(crate) async fn in_turn(
    tx: &mut PgTransaction<'_>,
    restriction_id: Uuid,
    reason: &str,
    by: &Actor,
    approver: &Actor,
    now: OffsetDateTime,
) -> Result<Position, LeakedFault> {
    let access_key_id = key_of(tx, restriction_id).await?;
    let at = revision::advance(tx, now).await?;
    if !keys::disable(tx, &access_key_id, &by.to_string(), at).await? {
        return Err(LeakedFault::NotActive);
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
    Ok(at.position())
}
