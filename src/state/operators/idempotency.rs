//! Idempotency keys of operators (draft-ietf-httpapi-idempotency-key-header): a request that is sent several times is
//! executed once.
//!
//! The answer of a successful request is stored for [`ANSWER_RETENTION`] and repeated. A failed request has changed
//! nothing and may be sent again with the same key.

use sqlx::PgPool;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{audit::Actor, directory::StateFault};

/// For how long an answer is kept.
pub const ANSWER_RETENTION: Duration = Duration::DAY;

/// After this time, no node works on a request any more.
const ABANDONED_AFTER: Duration = Duration::minutes(5);

/// A node that has not announced itself for so long, by the database's clock, has ended, or is stopped: what it was at
/// work on may be tried elsewhere.
const SILENT_AFTER: Duration = Duration::seconds(5);

/// A key of an operator, and the request that it goes with.
#[derive(Debug, Clone)]
pub struct IdempotencyKey {
    /// Whose key it is.
    pub operator: Actor,
    /// As it was sent.
    pub key: String,
    /// SHA-256 of the request.
    pub fingerprint: Vec<u8>,
    /// The node that executes it.
    pub node_id: Uuid,
}

/// The state of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BeginOutcome {
    /// It is new, and begins now.
    Now,
    /// It is still in progress.
    Running,
    /// It was executed, with this answer.
    Before(StoredAnswer),
    /// The key was used for another request.
    Other,
}

/// An answer that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// HTTP status.
    pub status: u16,
    /// JSON; `None` where it was shown once alone.
    pub body: Option<Vec<u8>>,
}

/// Begins a request, unless it was made before.
///
/// # Errors
/// [`StateFault::Database`]; it has not begun then.
pub async fn begin_request(
    pool: &PgPool,
    once: &IdempotencyKey,
    now: OffsetDateTime,
) -> Result<BeginOutcome, StateFault> {
    let operator = once.operator.to_string();
    let begun = sqlx::query!(
        "INSERT INTO idempotency_keys AS k (operator, idempotency_key, fingerprint, begun_at, node_id)
         VALUES ($1, $2, $3, $4, $7)
         ON CONFLICT (operator, idempotency_key) DO UPDATE
         SET fingerprint = excluded.fingerprint,
             begun_at = excluded.begun_at,
             node_id = excluded.node_id,
             status = NULL,
             body = NULL
         WHERE k.begun_at < $5
            OR (k.status IS NULL AND k.begun_at < $6)
            OR (
                k.status IS NULL
                AND k.node_id <> excluded.node_id
                AND NOT EXISTS (
                    SELECT 1
                    FROM nodes n
                    WHERE n.node_id = k.node_id
                      AND n.announced_at > clock_timestamp() - make_interval(secs => $8)
                )
            )",
        operator,
        once.key,
        once.fingerprint,
        now,
        now - ANSWER_RETENTION,
        now - ABANDONED_AFTER,
        once.node_id,
        SILENT_AFTER.as_seconds_f64()
    )
    .execute(pool)
    .await?;
    if begun.rows_affected() == 1 {
        return Ok(BeginOutcome::Now);
    }
    let before = sqlx::query!(
        "SELECT fingerprint, status, body
         FROM idempotency_keys
         WHERE operator = $1
           AND idempotency_key = $2",
        operator,
        once.key
    )
    .fetch_optional(pool)
    .await?;
    Ok(match before {
        // It has failed in this moment.
        None => BeginOutcome::Running,
        Some(before) if before.fingerprint != once.fingerprint => BeginOutcome::Other,
        Some(before) => match before.status.map(u16::try_from) {
            None => BeginOutcome::Running,
            Some(status) => BeginOutcome::Before(StoredAnswer {
                status: status.map_err(|_| StateFault::Corrupt("status"))?,
                body: before.body,
            }),
        },
    })
}

/// Stores the answer of a request that has succeeded.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn store_answer(
    pool: &PgPool,
    once: &IdempotencyKey,
    kept: &StoredAnswer,
) -> Result<(), StateFault> {
    sqlx::query!(
        "UPDATE idempotency_keys
         SET status = $3,
             body = $4
         WHERE operator = $1
           AND idempotency_key = $2
           AND node_id = $5",
        once.operator.to_string(),
        once.key,
        i32::from(kept.status),
        kept.body,
        once.node_id
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Deletes a request that has failed.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn delete_request(pool: &PgPool, once: &IdempotencyKey) -> Result<(), StateFault> {
    sqlx::query!(
        "DELETE FROM idempotency_keys
         WHERE operator = $1
           AND idempotency_key = $2
           AND node_id = $3
           AND status IS NULL",
        once.operator.to_string(),
        once.key,
        once.node_id
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Deletes what is kept no longer.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn delete_expired_answers(pool: &PgPool, now: OffsetDateTime) -> Result<(), StateFault> {
    sqlx::query!(
        "DELETE FROM idempotency_keys WHERE begun_at < $1",
        now - ANSWER_RETENTION
    )
    .execute(pool)
    .await?;
    Ok(())
}
