//! Lists letters for operators, including failed ones.

use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::directory::StateFault;
use akgate_api::letters::{LetterState, LetterView};

/// Which letters to list; the newest come first.
#[derive(Debug, Clone, Default)]
pub struct LetterCriteria {
    /// Only the one with this id.
    pub letter_id: Option<Uuid>,
    /// Only those in this state.
    pub state: Option<LetterState>,
    /// Only those about this restriction.
    pub restriction_id: Option<Uuid>,
    /// Only older ones: the last id of the previous page.
    pub before: Option<Uuid>,
    /// Maximum number of rows.
    pub limit: i64,
}

/// Reads letters.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn list_letters(
    pool: &PgPool,
    criteria: &LetterCriteria,
) -> Result<Vec<LetterView>, StateFault> {
    let letters = sqlx::query_as!(
        LetterView,
        "SELECT
             l.letter_id,
             l.restriction_id,
             l.access_key_id,
             l.kind,
             c.email,
             c.language,
             l.state,
             l.attempts,
             l.due_at,
             l.last_error,
             l.created_at,
             l.settled_at
         FROM letters l
         JOIN contacts c USING (contact_id)
         WHERE ($1::text IS NULL OR l.state = $1)
           AND ($2::uuid IS NULL OR l.restriction_id = $2)
           AND ($3::uuid IS NULL OR l.letter_id < $3)
           AND ($4::uuid IS NULL OR l.letter_id = $4)
         ORDER BY l.letter_id DESC
         LIMIT $5",
        criteria.state.map(LetterState::as_str),
        criteria.restriction_id,
        criteria.before,
        criteria.letter_id,
        criteria.limit
    )
    .fetch_all(pool)
    .await?;
    Ok(letters)
}

/// Letters that need attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LetterBacklog {
    /// Due for a long time without being tried, or tried for a long time.
    pub late: i64,
    /// Given up lately.
    pub failed: i64,
}

/// Counts the letters that are due, or have been tried, since before `late`, and those that were given up after `lately`.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn count_backlog(
    pool: &PgPool,
    late: OffsetDateTime,
    lately: OffsetDateTime,
) -> Result<LetterBacklog, StateFault> {
    let backlog = sqlx::query_as!(
        LetterBacklog,
        "SELECT
             count(*) FILTER (WHERE state = 'Due' AND (due_at < $1 OR last_error IS NOT NULL AND created_at < $1)) AS \"late!\",
             count(*) FILTER (WHERE state = 'Failed' AND settled_at > $2) AS \"failed!\"
         FROM letters
         WHERE state IN ('Due', 'Failed')",
        late,
        lately
    )
    .fetch_one(pool)
    .await?;
    Ok(backlog)
}
