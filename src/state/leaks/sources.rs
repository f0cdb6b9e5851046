//! What all nodes share about a source: its signing keys, and when they were fetched.

use sqlx::{PgPool, PgTransaction};
use time::{Duration, OffsetDateTime};

use crate::{directory::StateFault, outbox::tasks};

/// The time between two requests for the keys of one source, by all nodes together.
pub const KEY_REQUEST_INTERVAL: Duration = Duration::MINUTE;

/// A key that a source signs with, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKeyText {
    /// What deliveries name it by.
    pub key_identifier: String,
    /// Public key, PEM.
    pub key: String,
    /// Whether the source says that it signs with it now.
    pub is_current: bool,
}

/// Claims the one fetch per minute that all nodes together may make for a source. False if it is used up.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn claim_key_request(
    pool: &PgPool,
    source: &str,
    now: OffsetDateTime,
) -> Result<bool, StateFault> {
    // A node whose clock was ahead must not keep the others from asking.
    let claimed = sqlx::query!(
        "INSERT INTO sources AS s (source, keys_requested_at)
         VALUES ($1, $2)
         ON CONFLICT (source) DO UPDATE
         SET keys_requested_at = excluded.keys_requested_at
         WHERE s.keys_requested_at IS NULL
            OR s.keys_requested_at <= $3
            OR s.keys_requested_at > $4",
        source,
        now,
        now - KEY_REQUEST_INTERVAL,
        now + KEY_REQUEST_INTERVAL
    )
    .execute(pool)
    .await?;
    Ok(claimed.rows_affected() == 1)
}

/// Replaces the stored keys of a source.
///
/// # Errors
/// [`StateFault::Database`]; nothing is changed then.
pub async fn replace_signing_keys(
    pool: &PgPool,
    source: &str,
    keys: &[SigningKeyText],
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    let mut tx = pool.begin().await?;
    sqlx::query!(
        "INSERT INTO sources (source, keys_fetched_at)
         VALUES ($1, $2)
         ON CONFLICT (source) DO UPDATE
         SET keys_fetched_at = excluded.keys_fetched_at",
        source,
        now
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "DELETE FROM signing_keys
         WHERE source = $1",
        source
    )
    .execute(&mut *tx)
    .await?;
    let ids: Vec<&str> = keys.iter().map(|key| key.key_identifier.as_str()).collect();
    let texts: Vec<&str> = keys.iter().map(|key| key.key.as_str()).collect();
    let current: Vec<bool> = keys.iter().map(|key| key.is_current).collect();
    sqlx::query!(
        "INSERT INTO signing_keys (source, key_identifier, key, is_current)
         SELECT $1, n.key_identifier, n.key, n.is_current
         FROM unnest($2::text[], $3::text[], $4::boolean[])
             AS n (key_identifier, key, is_current)
         ON CONFLICT DO NOTHING",
        source,
        &ids as &[&str],
        &texts as &[&str],
        &current
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

/// The last good set of a source's keys, and when it was read; `None` before the first.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn find_signing_keys(
    pool: &PgPool,
    source: &str,
) -> Result<Option<(Vec<SigningKeyText>, OffsetDateTime)>, StateFault> {
    let fetched_at = sqlx::query_scalar!(
        "SELECT keys_fetched_at
         FROM sources
         WHERE source = $1",
        source
    )
    .fetch_optional(pool)
    .await?
    .flatten();
    let Some(fetched_at) = fetched_at else {
        return Ok(None);
    };
    let keys = sqlx::query_as!(
        SigningKeyText,
        "SELECT key_identifier, key, is_current
         FROM signing_keys
         WHERE source = $1
         ORDER BY key_identifier",
        source
    )
    .fetch_all(pool)
    .await?;
    Ok(Some((keys, fetched_at)))
}

/// Whether the suspicions of a source are held.
///
/// # Errors
/// [`StateFault::Database`].
pub(crate) async fn is_source_paused(
    tx: &mut PgTransaction<'_>,
    source: &str,
) -> Result<bool, StateFault> {
    let paused = sqlx::query_scalar!(
        "SELECT paused_at IS NOT NULL AS \"paused!\"
         FROM sources
         WHERE source = $1",
        source
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(paused.unwrap_or_default())
}

/// Counts new suspicions of a source; with more than `most` in an hour it is paused, and an operator asked.
///
/// # Errors
/// [`StateFault::Database`].
pub(crate) async fn count_suspicions(
    tx: &mut PgTransaction<'_>,
    source: &str,
    count: i64,
    most: i64,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    let hour = now - Duration::nanoseconds(now.nanosecond().into());
    let hour = hour - Duration::seconds(i64::from(now.minute()) * 60 + i64::from(now.second()));
    let is_paused = sqlx::query_scalar!(
        "INSERT INTO sources AS s (source, suspected_hour, suspected, paused_at)
         VALUES ($1, $2, $3, CASE WHEN $3::bigint > $4::bigint THEN $5::timestamptz END)
         ON CONFLICT (source) DO UPDATE
         SET suspected_hour = $2,
             suspected = CASE WHEN s.suspected_hour = $2 THEN s.suspected ELSE 0 END + $3,
             paused_at = COALESCE(
                 s.paused_at,
                 CASE WHEN CASE WHEN s.suspected_hour = $2 THEN s.suspected ELSE 0 END + $3 > $4 THEN $5 END
             )
         RETURNING paused_at = $5 AS \"is_paused\"",
        source,
        hour,
        count,
        most,
        now
    )
    .fetch_one(&mut **tx)
    .await?;
    if is_paused == Some(true) {
        tracing::warn!(
            source,
            "a source has sent too many suspicions and is paused"
        );
        tasks::open_source_task(tx, source, now).await?;
    }
    Ok(())
}
