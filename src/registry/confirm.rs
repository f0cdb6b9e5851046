//! Confirming the clean-up: a statement, not a proof. It never lifts.

use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;
use uuid::Uuid;

use super::links;
use crate::{
    access_key::AccessKeyId,
    audit::{self, Actor, Deed, Entry},
    directory::{StateFault, revision},
    outbox::{self, LetterKind},
    restriction::State,
};

/// What came of a confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmed {
    /// The restriction is remediated now.
    Now(Uuid),
    /// It was so before, or is lifted.
    Before(Uuid, State),
    /// There is no such restriction, or the link is no good: unknown, used or out of date.
    NotFound,
}

/// The owner confirms, by the link of a letter. The link is spent, whatever state it meets.
///
/// # Errors
/// [`StateFault`].
pub async fn by_link(
    pool: &PgPool,
    token_sha256: &[u8],
    now: OffsetDateTime,
) -> Result<Confirmed, StateFault> {
    let mut tx = pool.begin().await?;
    revision::advance(&mut tx, now).await?;
    let Some(link) = links::spend(&mut tx, token_sha256, now).await? else {
        return Ok(Confirmed::NotFound);
    };
    let actor = Actor::Contact(link.contact_id);
    let confirmed = confirm(&mut tx, link.restriction_id, &actor, None, now).await?;
    tx.commit().await?;
    Ok(confirmed)
}

/// An operator records a confirmation that came another way.
///
/// # Errors
/// [`StateFault`].
pub async fn by_ticket(
    pool: &PgPool,
    restriction_id: Uuid,
    actor: &Actor,
    ticket: &str,
    now: OffsetDateTime,
) -> Result<Confirmed, StateFault> {
    let mut tx = pool.begin().await?;
    revision::advance(&mut tx, now).await?;
    let confirmed = confirm(&mut tx, restriction_id, actor, Some(ticket), now).await?;
    tx.commit().await?;
    Ok(confirmed)
}

async fn confirm(
    tx: &mut PgTransaction<'_>,
    restriction_id: Uuid,
    actor: &Actor,
    ticket: Option<&str>,
    now: OffsetDateTime,
) -> Result<Confirmed, StateFault> {
    let changed = sqlx::query_scalar!(
        "UPDATE restrictions
         SET state = 'Remediated',
             remediated_at = $2,
             confirmed_by = $3,
             ticket = $4
         WHERE restriction_id = $1
           AND state = 'Imposed'
         RETURNING access_key_id",
        restriction_id,
        now,
        actor.to_string(),
        ticket
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(access_key_id) = changed else {
        let state = sqlx::query_scalar!(
            "SELECT state
             FROM restrictions
             WHERE restriction_id = $1",
            restriction_id
        )
        .fetch_optional(&mut **tx)
        .await?;
        return match state.as_deref().map(State::parse) {
            None => Ok(Confirmed::NotFound),
            Some(None) => Err(StateFault::Corrupt("state")),
            Some(Some(state)) => Ok(Confirmed::Before(restriction_id, state)),
        };
    };
    let access_key_id =
        AccessKeyId::parse(&access_key_id).map_err(|_| StateFault::Corrupt("access_key_id"))?;
    audit::write(
        tx,
        Entry {
            at: now,
            actor,
            deed: Deed::Confirm,
            access_key_id: Some(&access_key_id),
            restriction_id: Some(restriction_id),
            detail: serde_json::json!({ "ticket": ticket }),
        },
    )
    .await?;
    outbox::enqueue_to_readers(tx, restriction_id, LetterKind::Confirmed, now).await?;
    Ok(Confirmed::Now(restriction_id))
}
