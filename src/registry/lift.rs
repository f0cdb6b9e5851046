//! Lifting a restriction: an operator's decision, with a reason.

use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    access_key::AccessKeyId,
    audit::{self, Actor, Deed, Entry},
    directory::{KeyStatus, StateFault, keys, revision},
    outbox::{self, LetterKind},
    restriction::{LiftRefused, State, may_lift},
};

/// Who lifts, and why.
#[derive(Debug, Clone)]
pub struct Lifting {
    /// The operator.
    pub actor: Actor,
    /// Why.
    pub reason: String,
    /// The pair may still work.
    pub accept_active_key: bool,
}

/// Why a restriction is not lifted.
#[derive(Debug, thiserror::Error)]
pub enum LiftFault {
    /// There is none of that id.
    #[error("there is no such restriction")]
    NotFound,
    /// Its state, or its pair's, forbids it.
    #[error(transparent)]
    Refused(#[from] LiftRefused),
    /// The database does not do it.
    #[error(transparent)]
    State(#[from] StateFault),
}

impl From<sqlx::Error> for LiftFault {
    fn from(fault: sqlx::Error) -> Self {
        Self::State(fault.into())
    }
}

/// Lifts a restriction; gives the revision from which on the key is free. The sessions that it has handed
/// out before stay restricted.
///
/// # Errors
/// [`LiftFault`]; nothing is changed then.
pub async fn lift(
    pool: &PgPool,
    restriction_id: Uuid,
    lifting: &Lifting,
    now: OffsetDateTime,
) -> Result<i64, LiftFault> {
    let mut tx = pool.begin().await?;
    let at = revision::advance(&mut tx, now).await?;
    let restriction = sqlx::query!(
        "SELECT access_key_id, state
         FROM restrictions
         WHERE restriction_id = $1",
        restriction_id
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(LiftFault::NotFound)?;
    let access_key_id = AccessKeyId::parse(&restriction.access_key_id)
        .map_err(|_| StateFault::Corrupt("access_key_id"))?;
    let state = State::parse(&restriction.state).ok_or(StateFault::Corrupt("state"))?;
    let pair = keys::owned(&mut tx, &access_key_id).await?;
    let pair_is_active = pair.is_some_and(|pair| pair.status == KeyStatus::Active);
    let lift = may_lift(state, pair_is_active, lifting.accept_active_key)?;
    sqlx::query!(
        "UPDATE restrictions
         SET state = 'Lifted',
             lifted_at = $2,
             lifted_by = $3,
             lift_reason = $4,
             lifted_revision = $5,
             tombstone = $6,
             revision = $5
         WHERE restriction_id = $1",
        restriction_id,
        now,
        lifting.actor.to_string(),
        lifting.reason,
        at.revision,
        lift.tombstone
    )
    .execute(&mut *tx)
    .await?;
    audit::write(
        &mut tx,
        Entry {
            at: now,
            actor: &lifting.actor,
            deed: Deed::Lift,
            access_key_id: Some(&access_key_id),
            restriction_id: Some(restriction_id),
            detail: serde_json::json!({
                "reason": lifting.reason,
                "pair_was_active": pair_is_active,
                "accept_active_key": lifting.accept_active_key,
            }),
        },
    )
    .await?;
    outbox::enqueue_to_readers(&mut tx, restriction_id, LetterKind::Lifted, now).await?;
    tx.commit().await?;
    Ok(at.revision)
}
