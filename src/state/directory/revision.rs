//! The revision: one counter of every change that the nodes must learn of, and the history that it counts in.
//!
//! A writer advances the counter before it reads or writes anything else ("the revision lock"). The lock on that one
//! row, held until the commit, makes writers wait for each other: what a writer reads is still true when it commits,
//! nothing else needs a lock, deadlocks cannot happen, and revisions become visible in order and without gaps.
//!
//! After a failover to a server that had fallen behind, the same number means something else. So the row names its
//! history, and the server in which that was begun: the first who meets the row on another server, or on another
//! timeline of the same, stamps a new history on it.

use sqlx::{PgConnection, PgPool, PgTransaction};
use time::OffsetDateTime;

use super::StateFault;
use akgate_rules::position::{History, Position};

/// The notification channel for changes of the revision. Polling is the guarantee; notifications only make it faster.
pub const REVISION_CHANNEL: &str = "akgate_revision";

/// When a writer writes: its place in the order of commits, and the time.
#[derive(Debug, Clone, Copy)]
pub struct WriteStamp {
    /// The history.
    pub history: History,
    /// The revision that its transaction has advanced to.
    pub revision: i64,
    /// The present instant.
    pub now: OffsetDateTime,
}

impl WriteStamp {
    /// The place in the order of commits.
    #[must_use]
    pub fn position(self) -> Position {
        Position {
            history: self.history,
            revision: self.revision,
        }
    }
}

/// Advances the counter for this transaction, first of all. Nodes are told at the commit; a transaction
/// that is given up leaves the counter as it was.
///
/// # Errors
/// The database failed.
pub async fn advance_revision(
    tx: &mut PgTransaction<'_>,
    now: OffsetDateTime,
) -> Result<WriteStamp, sqlx::Error> {
    let row = sqlx::query!(
        "WITH server AS (
             SELECT system_identifier, registry_timeline() AS timeline
             FROM pg_control_system()
         ),
         counter AS (
             UPDATE registry_revision r
             SET revision = r.revision + 1,
                 (history, parent, fork_revision) = (
                     SELECT
                         CASE WHEN is_same THEN r.history ELSE gen_random_uuid() END,
                         CASE WHEN is_same THEN r.parent ELSE r.history END,
                         CASE WHEN is_same THEN r.fork_revision ELSE r.revision END
                     FROM (SELECT (r.system_identifier, r.timeline) = (s.system_identifier, s.timeline)) AS c (is_same)
                 ),
                 system_identifier = s.system_identifier,
                 timeline = s.timeline
             FROM server s
             RETURNING r.history, r.parent, r.fork_revision, r.revision
         ),
         stamped AS (
             INSERT INTO registry_histories (history, parent, fork_revision)
             SELECT history, parent, fork_revision
             FROM counter
             WHERE fork_revision = revision - 1
             ON CONFLICT DO NOTHING
         )
         SELECT history AS \"history!\", revision AS \"revision!\"
         FROM counter, pg_notify($1, '')",
        REVISION_CHANNEL
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(WriteStamp {
        history: History(row.history),
        revision: row.revision,
        now,
    })
}

/// Takes the revision lock without advancing the counter, for a change that nodes need not learn of. Returns the
/// current revision.
///
/// # Errors
/// The database failed.
pub async fn lock_revision(tx: &mut PgTransaction<'_>) -> Result<Position, sqlx::Error> {
    let row = sqlx::query!(
        "SELECT history, revision
         FROM registry_revision
         FOR UPDATE"
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(Position {
        history: History(row.history),
        revision: row.revision,
    })
}

/// Reads the counter, and stamps a new history on it where the server is another than before.
///
/// # Errors
/// [`StateFault::Database`], also by a standby, which knows no position.
pub async fn current_position(pool: &PgPool) -> Result<Position, StateFault> {
    if let Some(position) = read_position(&mut *pool.acquire().await?).await? {
        return Ok(position);
    }
    stamp_history(pool, None).await
}

/// Reads the counter; `None` where a new history is to be stamped on it.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn read_position(db: &mut PgConnection) -> Result<Option<Position>, StateFault> {
    let row = sqlx::query!(
        "SELECT
             r.history,
             r.revision,
             (r.system_identifier, r.timeline) = (s.system_identifier, registry_timeline()) AS \"is_stamped!\"
         FROM registry_revision r, pg_control_system() s"
    )
    .fetch_one(db)
    .await?;
    Ok(row.is_stamped.then_some(Position {
        history: History(row.history),
        revision: row.revision,
    }))
}

/// Stamps a new history on the counter, unless somebody else was faster: where the server is another than before, or
/// where the counter of this history has gone back, `gone_back` being what it had been.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn stamp_history(
    pool: &PgPool,
    gone_back: Option<Position>,
) -> Result<Position, StateFault> {
    let (history, revision) = match gone_back {
        Some(position) => (Some(position.history.0), Some(position.revision)),
        None => (None, None),
    };
    let mut tx = pool.begin().await?;
    sqlx::query!(
        "WITH server AS (
             SELECT system_identifier, registry_timeline() AS timeline
             FROM pg_control_system()
         ),
         counter AS (
             UPDATE registry_revision r
             SET history = gen_random_uuid(),
                 parent = r.history,
                 fork_revision = r.revision,
                 system_identifier = s.system_identifier,
                 timeline = s.timeline
             FROM server s
             WHERE (r.system_identifier, r.timeline) <> (s.system_identifier, s.timeline)
                OR (r.history = $1 AND r.revision < $2)
             RETURNING r.history, r.parent, r.fork_revision
         )
         INSERT INTO registry_histories (history, parent, fork_revision)
         SELECT history, parent, fork_revision
         FROM counter",
        history,
        revision
    )
    .execute(&mut *tx)
    .await?;
    let position = read_position(&mut tx).await?;
    tx.commit().await?;
    position.ok_or(StateFault::Corrupt("registry_revision"))
}

/// The last revision that a history shares with a later one; `None` where this database has never been in it.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn find_fork_revision(
    db: &mut PgConnection,
    history: History,
    later: History,
) -> Result<Option<i64>, StateFault> {
    let fork = sqlx::query_scalar!(
        "WITH RECURSIVE chain AS (
             SELECT history, parent, fork_revision
             FROM registry_histories
             WHERE history = $2
             UNION ALL
             SELECT h.history, h.parent, least(h.fork_revision, c.fork_revision)
             FROM registry_histories h
             JOIN chain c ON h.history = c.parent
         )
         SELECT fork_revision
         FROM chain
         WHERE parent = $1",
        history.0,
        later.0
    )
    .fetch_optional(db)
    .await?;
    Ok(fork.flatten())
}

/// Notes that every lease from before this history has ended.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn settle_history(pool: &PgPool, history: History) -> Result<(), StateFault> {
    sqlx::query!(
        "UPDATE registry_histories
         SET is_settled = true
         WHERE history = $1
           AND NOT is_settled",
        history.0
    )
    .execute(pool)
    .await?;
    Ok(())
}
