//! Intents whose outcome nobody will write any more: their node was killed between the intent and the answer.

use sqlx::PgPool;
use time::{Duration, OffsetDateTime};

use super::CallOutcome;
use crate::directory::StateFault;

/// How long after its receipt a call has an outcome, or will never have one: longer than any upstream may take.
pub const OUTCOME_DEADLINE: Duration = Duration::minutes(15);

/// How far back intents are looked at: the nodes of a cluster have been away for less than this.
const LOOK_BACK: Duration = Duration::days(2);

/// Intents that one statement may mark.
const MAX_MARKED: i64 = 10_000;

/// Marks intents without an outcome as unknown; gives how many. An outcome that is written later still counts.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn mark_unknown_outcomes(pool: &PgPool, now: OffsetDateTime) -> Result<u64, StateFault> {
    let until = now - OUTCOME_DEADLINE;
    let marked = sqlx::query!(
        "WITH abandoned AS (
             SELECT request_id, signed_at
             FROM intents
             WHERE outcome IS NULL
               AND received_at BETWEEN $1 AND $2
             LIMIT $3
             FOR UPDATE SKIP LOCKED
         )
         UPDATE intents i
         SET outcome = $4,
             settled_at = $5
         FROM abandoned a
         WHERE i.request_id = a.request_id
           AND i.signed_at = a.signed_at
           AND i.outcome IS NULL",
        until - LOOK_BACK,
        until,
        MAX_MARKED,
        CallOutcome::Unknown.as_str(),
        now
    )
    .execute(pool)
    .await?;
    Ok(marked.rows_affected())
}
