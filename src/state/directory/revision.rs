//! The two counters that nodes follow, and the history that they count in.
//!
//! The revision counts every change of what a node enforces. A writer takes the revision lock, an advisory lock, alone and
//! advances the revision before it reads or writes anything else. The lock, held until the commit, makes writers wait for
//! each other: what a writer reads is still true when it commits, nothing else needs a lock, deadlocks cannot happen, and
//! revisions become visible in order and without gaps.
//!
//! The addition counts batches of new access keys and sessions, which take nothing away from anybody. A writer that only
//! adds shares the revision lock with others that add, and locks the row of the addition until its commit.
//!
//! After a failover to a server that had fallen behind, the same numbers mean something else. So the row of the revision
//! names its history, and the server on which that began. The first transaction that finds the row on another server, or
//! on another timeline, stamps a new history on it, before anything is written there.

use sqlx::{PgConnection, PgPool, PgTransaction};
use time::OffsetDateTime;

use super::StateFault;
use akgate_rules::position::{History, Position};

/// The notification channel for changes of the revision. Polling is the guarantee; notifications only make it faster.
pub const REVISION_CHANNEL: &str = "akgate_revision";

/// The revision lock. Unlike a row lock, an advisory lock is granted in the order in which it is asked for: transactions that
/// share it cannot keep one out that wants it alone.
const REVISION_LOCK: i64 = 0x616b_6761_7465_0100;

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

/// The addition with which an access key or a session became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdditionStamp {
    /// The history.
    pub history: History,
    /// The addition that its transaction has advanced to.
    pub addition: i64,
}

/// Both counters, read in one snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegistryCounters {
    /// The revision, in its history.
    pub position: Position,
    /// The addition, in the same history.
    pub addition: i64,
}

/// The last numbers that a history shares with a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryFork {
    /// The revision.
    pub revision: i64,
    /// The addition, or an earlier one.
    pub addition: i64,
}

/// Takes the revision lock alone.
async fn take_revision_lock(tx: &mut PgTransaction<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", REVISION_LOCK)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Takes the revision lock together with other transactions that only add. Until the commit, no other writer runs.
///
/// # Errors
/// The database failed.
pub async fn share_revision_lock(tx: &mut PgTransaction<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT pg_advisory_xact_lock_shared($1)", REVISION_LOCK)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Advances the addition in a transaction that shares the revision lock. `None` if a new history must be stamped first.
///
/// # Errors
/// The database failed.
pub async fn advance_addition(
    tx: &mut PgTransaction<'_>,
) -> Result<Option<AdditionStamp>, sqlx::Error> {
    let row = sqlx::query!(
        "UPDATE registry_additions a
         SET addition = a.addition + 1
         FROM registry_revision r, pg_control_system() s
         WHERE (r.system_identifier, r.timeline) = (s.system_identifier, registry_timeline())
         RETURNING a.addition, r.history"
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|row| AdditionStamp {
        history: History(row.history),
        addition: row.addition,
    }))
}

/// Takes the revision lock and advances the revision for this transaction, first of all. Nodes are told at the commit; a transaction
/// that is given up leaves the counter as it was.
///
/// # Errors
/// The database failed.
pub async fn advance_revision(
    tx: &mut PgTransaction<'_>,
    now: OffsetDateTime,
) -> Result<WriteStamp, sqlx::Error> {
    take_revision_lock(tx).await?;
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
             INSERT INTO registry_histories (history, parent, fork_revision, fork_addition)
             SELECT history, parent, fork_revision, addition
             FROM counter, registry_additions
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
    take_revision_lock(tx).await?;
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

/// Reads both counters, and stamps a new history on them where the server is another than before.
///
/// # Errors
/// [`StateFault::Database`], also by a standby, which knows no position.
pub async fn current_counters(pool: &PgPool) -> Result<RegistryCounters, StateFault> {
    if let Some(counters) = read_counters(&mut *pool.acquire().await?).await? {
        return Ok(counters);
    }
    stamp_history(pool, None).await
}

/// Reads both counters; `None` where a new history is to be stamped on them.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn read_counters(db: &mut PgConnection) -> Result<Option<RegistryCounters>, StateFault> {
    let row = sqlx::query!(
        "SELECT
             r.history,
             r.revision,
             a.addition,
             (r.system_identifier, r.timeline) = (s.system_identifier, registry_timeline()) AS \"is_stamped!\"
         FROM registry_revision r, registry_additions a, pg_control_system() s"
    )
    .fetch_one(db)
    .await?;
    Ok(row.is_stamped.then_some(RegistryCounters {
        position: Position {
            history: History(row.history),
            revision: row.revision,
        },
        addition: row.addition,
    }))
}

/// Stamps a new history on the counters, unless somebody else was faster: where the server is another than before, or
/// where a counter of this history has gone back, `gone_back` being what they had been.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn stamp_history(
    pool: &PgPool,
    gone_back: Option<RegistryCounters>,
) -> Result<RegistryCounters, StateFault> {
    let history = gone_back.map(|before| before.position.history.0);
    let revision = gone_back.map(|before| before.position.revision);
    let addition = gone_back.map(|before| before.addition);
    let mut tx = pool.begin().await?;
    take_revision_lock(&mut tx).await?;
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
             FROM server s, registry_additions a
             WHERE (r.system_identifier, r.timeline) <> (s.system_identifier, s.timeline)
                OR (r.history = $1 AND (r.revision < $2 OR a.addition < $3))
             RETURNING r.history, r.parent, r.fork_revision, a.addition
         )
         INSERT INTO registry_histories (history, parent, fork_revision, fork_addition)
         SELECT history, parent, fork_revision, addition
         FROM counter",
        history,
        revision,
        addition
    )
    .execute(&mut *tx)
    .await?;
    let counters = read_counters(&mut tx).await?;
    tx.commit().await?;
    counters.ok_or(StateFault::Corrupt("registry_revision"))
}

/// The last changes that a history shares with a later one; `None` where this database has never been in it.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn find_fork(
    db: &mut PgConnection,
    history: History,
    later: History,
) -> Result<Option<HistoryFork>, StateFault> {
    let fork = sqlx::query_as!(
        HistoryFork,
        "WITH RECURSIVE chain AS (
             SELECT history, parent, fork_revision, fork_addition
             FROM registry_histories
             WHERE history = $2
             UNION ALL
             SELECT
                 h.history,
                 h.parent,
                 least(h.fork_revision, c.fork_revision),
                 least(h.fork_addition, c.fork_addition)
             FROM registry_histories h
             JOIN chain c ON h.history = c.parent
         )
         SELECT fork_revision AS \"revision!\", fork_addition AS \"addition!\"
         FROM chain
         WHERE parent = $1",
        history.0,
        later.0
    )
    .fetch_optional(db)
    .await?;
    Ok(fork)
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
