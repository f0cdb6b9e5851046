//! Intents whose outcome will never be written, because their node was killed between the intent and the answer.

use sqlx::PgPool;
use time::{Duration, OffsetDateTime};

use super::CallOutcome;
use crate::directory::StateFault;

/// How long after its receipt a call has an outcome, or will never have one: longer than any upstream may take.
pub const OUTCOME_DEADLINE: Duration = Duration::minutes(15);

/// How far back a node looks when it starts: a cluster has been away for less than this.
pub const LOOK_BACK: Duration = Duration::days(7);

/// How much one statement looks at: a node that starts looks back in steps, none of which takes long.
const STEP: Duration = Duration::hours(1);

/// How far the time of signing may be from that of receipt; it chooses the partitions.
const SIGNING_WINDOW: Duration = Duration::hours(1);

/// Intents that one statement may mark.
const MAX_MARKED: u64 = 10_000;

/// How far a node has looked for intents without an outcome.
#[derive(Debug, Clone, Copy)]
pub struct ReconcileProgress {
    /// Those that were received before have an outcome.
    pub from: OffsetDateTime,
    /// How many were marked as unknown.
    pub marked: u64,
}

/// Marks intents without an outcome as unknown, from where `progress` stands up to the deadline, and moves that on. An
/// outcome that is written later still counts.
///
/// # Errors
/// [`StateFault::Database`]; `progress` says what was done.
pub async fn mark_unknown_outcomes(
    pool: &PgPool,
    progress: &mut ReconcileProgress,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    let deadline = now - OUTCOME_DEADLINE;
    while progress.from < deadline {
        let until = deadline.min(progress.from + STEP);
        let marked = mark_received_between(pool, progress.from, until, now).await?;
        progress.marked += marked;
        if marked < MAX_MARKED {
            progress.from = until;
        }
    }
    Ok(())
}

/// Changes of some time whose outcome is not there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutcomeGaps {
    /// Their outcome is unknown.
    pub unknown: i64,
    /// They have none yet.
    pub missing: i64,
}

/// Counts the changes received between two moments whose outcome is not there.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn count_outcome_gaps(
    pool: &PgPool,
    from: OffsetDateTime,
    until: OffsetDateTime,
) -> Result<OutcomeGaps, StateFault> {
    let gaps = sqlx::query_as!(
        OutcomeGaps,
        "SELECT
             count(*) FILTER (WHERE outcome = 'Unknown') AS \"unknown!\",
             count(*) FILTER (WHERE outcome IS NULL) AS \"missing!\"
         FROM intents
         WHERE received_at BETWEEN $1 AND $2
           AND signed_at BETWEEN $3 AND $4",
        from,
        until,
        from - SIGNING_WINDOW,
        until + SIGNING_WINDOW
    )
    .fetch_one(pool)
    .await?;
    Ok(gaps)
}

async fn mark_received_between(
    pool: &PgPool,
    from: OffsetDateTime,
    until: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<u64, StateFault> {
    let marked = sqlx::query!(
        "WITH abandoned AS (
             SELECT request_id, signed_at
             FROM intents
             WHERE outcome IS NULL
               AND received_at BETWEEN $1 AND $2
               AND signed_at BETWEEN $3 AND $4
             LIMIT $5
             FOR UPDATE SKIP LOCKED
         )
         UPDATE intents i
         SET outcome = $6,
             settled_at = $7
         FROM abandoned a
         WHERE i.request_id = a.request_id
           AND i.signed_at = a.signed_at
           AND i.outcome IS NULL",
        from,
        until,
        from - SIGNING_WINDOW,
        until + SIGNING_WINDOW,
        i64::try_from(MAX_MARKED).unwrap_or(i64::MAX),
        CallOutcome::Unknown.as_str(),
        now
    )
    .execute(pool)
    .await?;
    Ok(marked.rows_affected())
}
