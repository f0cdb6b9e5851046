//! Taking a delivery back that was a mistake: the restrictions that it alone has led to are lifted, as if they had
//! never been. Its reports stay, so that the same sightings told again change nothing.

use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    audit::{self, Actor, Deed, Entry},
    directory::{
        StateFault,
        keys::key_id,
        revision::{self, At},
    },
    outbox::{self, tasks},
};

/// Why a delivery is not taken back.
#[derive(Debug, thiserror::Error)]
pub enum UndoFault {
    /// There is no delivery of this id.
    #[error("there is no delivery of this id")]
    NotFound,
    /// It was taken back before.
    #[error("this delivery was undone before")]
    Undone,
    /// An owner has confirmed a clean-up: so it was none.
    #[error("owners of {0} of its keys have confirmed a clean-up")]
    Confirmed(i64),
    /// State gives no answer.
    #[error(transparent)]
    State(#[from] StateFault),
}

impl From<sqlx::Error> for UndoFault {
    fn from(fault: sqlx::Error) -> Self {
        Self::State(fault.into())
    }
}

/// What was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undone {
    /// Restrictions that are lifted.
    pub lifted: usize,
    /// Restrictions that stay, since other reports restrict the key as well.
    pub kept: usize,
    /// The revision at which that is enforced.
    pub revision: i64,
}

/// Takes a delivery back. Whoever was told of a restriction is told that it is lifted; letters that were not sent yet
/// are not.
///
/// # Errors
/// [`UndoFault`]; nothing is changed then.
pub async fn undo(
    pool: &PgPool,
    delivery_id: Uuid,
    actor: &Actor,
    reason: &str,
    now: OffsetDateTime,
) -> Result<Undone, UndoFault> {
    let mut tx = pool.begin().await?;
    let at = revision::advance(&mut tx, now).await?;
    mark(&mut tx, delivery_id, actor, reason, now).await?;
    let led_to = sqlx::query!(
        "SELECT
             r.restriction_id,
             r.access_key_id,
             EXISTS (
                 SELECT 1
                 FROM leak_reports o
                 WHERE o.restriction_id = r.restriction_id
                   AND o.delivery_id IS DISTINCT FROM $1
             ) AS \"others!\",
             EXISTS (
                 SELECT 1
                 FROM confirmations c
                 WHERE c.restriction_id = r.restriction_id
             ) AS \"confirmed!\"
         FROM restrictions r
         WHERE r.state <> 'Lifted'
           AND r.restriction_id IN (
               SELECT restriction_id
               FROM leak_reports
               WHERE delivery_id = $1
           )
         ORDER BY r.restriction_id",
        delivery_id
    )
    .fetch_all(&mut *tx)
    .await?;
    let (kept, lifted): (Vec<_>, Vec<_>) = led_to.into_iter().partition(|one| one.others);
    let confirmed = lifted.iter().filter(|one| one.confirmed).count();
    if confirmed > 0 {
        return Err(UndoFault::Confirmed(
            confirmed.try_into().unwrap_or(i64::MAX),
        ));
    }
    let ids: Vec<Uuid> = lifted.iter().map(|one| one.restriction_id).collect();
    lift(&mut tx, &ids, actor, reason, at).await?;
    let keys: Result<Vec<_>, _> = lifted
        .iter()
        .map(|one| key_id(&one.access_key_id))
        .collect();
    let keys = keys?;
    let entry = |(access_key_id, restriction_id)| Entry {
        at: now,
        actor,
        deed: Deed::Lift,
        access_key_id: Some(access_key_id),
        restriction_id: Some(restriction_id),
        detail: serde_json::json!({ "reason": reason, "undone_delivery": delivery_id }),
    };
    let mut entries = vec![Entry {
        at: now,
        actor,
        deed: Deed::UndoDelivery,
        access_key_id: None,
        restriction_id: None,
        detail: serde_json::json!({
            "delivery_id": delivery_id,
            "reason": reason,
            "lifted": lifted.len(),
            "kept": kept.len(),
        }),
    }];
    entries.extend(keys.iter().zip(ids.iter().copied()).map(entry));
    audit::write_all(&mut tx, &entries).await?;
    tasks::settle(&mut tx, &ids, None, actor, now).await?;
    outbox::take_back(&mut tx, &ids, now).await?;
    tx.commit().await?;
    Ok(Undone {
        lifted: lifted.len(),
        kept: kept.len(),
        revision: at.revision,
    })
}

async fn mark(
    tx: &mut PgTransaction<'_>,
    delivery_id: Uuid,
    actor: &Actor,
    reason: &str,
    now: OffsetDateTime,
) -> Result<(), UndoFault> {
    let undone_at = sqlx::query_scalar!(
        "SELECT undone_at
         FROM deliveries
         WHERE delivery_id = $1",
        delivery_id
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(UndoFault::NotFound)?;
    if undone_at.is_some() {
        return Err(UndoFault::Undone);
    }
    sqlx::query!(
        "UPDATE deliveries
         SET undone_at = $2,
             undone_by = $3,
             undone_reason = $4
         WHERE delivery_id = $1",
        delivery_id,
        now,
        actor.to_string(),
        reason
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Lifts as if there had been no restriction: neither a session nor a pair that comes back has anything of it.
async fn lift(
    tx: &mut PgTransaction<'_>,
    restrictions: &[Uuid],
    actor: &Actor,
    reason: &str,
    at: At,
) -> Result<(), StateFault> {
    sqlx::query!(
        "UPDATE restrictions
         SET state = 'Lifted',
             lifted_at = $2,
             lifted_by = $3,
             lift_reason = $4,
             lifted_revision = 0,
             revision = $5
         WHERE restriction_id = ANY($1)",
        restrictions,
        at.now,
        actor.to_string(),
        reason,
        at.revision
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
