//! Lifting a restriction: an operator's decision, with a reason, or the policy's, on facts.

use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;
use uuid::Uuid;

use super::read;
use crate::{
    access_key::AccessKeyId,
    audit::{self, Actor, Deed, Entry},
    calls::artefacts,
    directory::{
        KeyStatus, StateFault, keys,
        revision::{self, At},
    },
    outbox::{self, LetterKind, tasks},
    restriction::{Lift, LiftRefused, State, may_lift, may_lift_by_policy},
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

/// What decides about a lift.
struct Facts {
    access_key_id: AccessKeyId,
    state: State,
    /// `None` where nobody knows the pair: not active to an operator, and never gone to the policy.
    pair: Option<KeyStatus>,
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
    let facts = facts(&mut tx, restriction_id)
        .await?
        .ok_or(LiftFault::NotFound)?;
    let is_active = facts.pair == Some(KeyStatus::Active);
    let lift = may_lift(facts.state, is_active, lifting.accept_active_key)?;
    carry_out(&mut tx, restriction_id, &facts, lift, lifting, at).await?;
    tx.commit().await?;
    Ok(at.revision)
}

/// How many artefacts of one key are looked at: with more, facts alone do not lift.
const ARTEFACTS: i64 = 1000;

/// Lifts in the caller's transaction where facts alone allow it; says whether they do.
///
/// # Errors
/// [`StateFault`].
pub async fn by_policy(
    tx: &mut PgTransaction<'_>,
    restriction_id: Uuid,
    at: At,
) -> Result<bool, StateFault> {
    let Some(facts) = facts(tx, restriction_id).await? else {
        return Ok(false);
    };
    let since = read::public_since(tx, restriction_id).await?;
    let made = artefacts::since(tx, &facts.access_key_id, restriction_id, since, ARTEFACTS).await?;
    let all = i64::try_from(made.len()).is_ok_and(|count| count < ARTEFACTS)
        && made.iter().all(|artefact| artefact.is_acknowledged);
    let is_gone = matches!(facts.pair, Some(KeyStatus::Inactive | KeyStatus::Deleted));
    let Some(lift) = may_lift_by_policy(facts.state, is_gone, all) else {
        return Ok(false);
    };
    let lifting = Lifting {
        actor: Actor::Policy,
        reason:
            "The pair is disabled or deleted, and the owner has looked at everything that it made."
                .into(),
        accept_active_key: false,
    };
    carry_out(tx, restriction_id, &facts, lift, &lifting, at).await?;
    Ok(true)
}

async fn facts(
    tx: &mut PgTransaction<'_>,
    restriction_id: Uuid,
) -> Result<Option<Facts>, StateFault> {
    let restriction = sqlx::query!(
        "SELECT access_key_id, state
         FROM restrictions
         WHERE restriction_id = $1",
        restriction_id
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(restriction) = restriction else {
        return Ok(None);
    };
    let access_key_id = keys::key_id(&restriction.access_key_id)?;
    let pair = keys::owned(tx, &access_key_id).await?;
    Ok(Some(Facts {
        access_key_id,
        state: State::parse(&restriction.state).ok_or(StateFault::Corrupt("state"))?,
        pair: pair.map(|pair| pair.status),
    }))
}

async fn carry_out(
    tx: &mut PgTransaction<'_>,
    restriction_id: Uuid,
    facts: &Facts,
    lift: Lift,
    lifting: &Lifting,
    at: At,
) -> Result<(), StateFault> {
    let by = lifting.actor.to_string();
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
        at.now,
        by,
        lifting.reason,
        at.revision,
        lift.tombstone
    )
    .execute(&mut **tx)
    .await?;
    audit::write(
        tx,
        Entry {
            at: at.now,
            actor: &lifting.actor,
            deed: Deed::Lift,
            access_key_id: Some(&facts.access_key_id),
            restriction_id: Some(restriction_id),
            detail: serde_json::json!({
                "reason": lifting.reason,
                "pair_was_active": facts.pair == Some(KeyStatus::Active),
                "accept_active_key": lifting.accept_active_key,
            }),
        },
    )
    .await?;
    tasks::settle(tx, &[restriction_id], None, &lifting.actor, at.now).await?;
    let public_since = read::public_since(tx, restriction_id).await?;
    outbox::tell_witnesses(tx, restriction_id, LetterKind::Lifted, public_since, at.now).await
}
