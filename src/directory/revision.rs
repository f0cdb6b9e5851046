//! The revision: one counter of every change that the nodes must learn of.
//!
//! A writer advances the counter before it reads or writes anything else. The lock on that one row, held until
//! the commit, makes writers wait for each other: what one reads is still so when it commits, nothing
//! else need be locked, there is no deadlock, and revisions become visible in their order and without gaps.

use super::StateFault;
use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;

/// The channel of the hints that the revision has moved. The poll is the guarantee.
pub const CHANNEL: &str = "akgate_revision";

/// Which history a revision belongs to. After a failover to a server that had fallen behind, the same
/// number means something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch {
    /// Identifies the cluster since its `initdb`.
    pub system: i64,
    /// Counts its failovers.
    pub timeline: i32,
}

/// Where the counter stands, and in which history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The history.
    pub epoch: Epoch,
    /// The last change that was committed.
    pub revision: i64,
}

/// When a writer writes: its place in the order of commits, and the time.
#[derive(Debug, Clone, Copy)]
pub struct At {
    /// The revision that its transaction has advanced to.
    pub revision: i64,
    /// The present instant.
    pub now: OffsetDateTime,
}

/// Advances the counter for this transaction, first of all. Nodes are told at the commit; a transaction
/// that is given up leaves the counter as it was.
///
/// # Errors
/// That of the database.
pub async fn advance(tx: &mut PgTransaction<'_>, now: OffsetDateTime) -> Result<At, sqlx::Error> {
    let revision = sqlx::query_scalar!(
        "WITH counter AS (
             UPDATE registry_revision
             SET revision = revision + 1
             RETURNING revision
         )
         SELECT revision AS \"revision!\"
         FROM counter, pg_notify($1, '')",
        CHANNEL
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(At { revision, now })
}

/// Makes this transaction wait its turn among the writers without moving the counter: for what changes nothing
/// that a node has to learn of.
///
/// # Errors
/// That of the database.
pub async fn hold(tx: &mut PgTransaction<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "SELECT revision
         FROM registry_revision
         FOR UPDATE"
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(())
}

/// Reads the counter.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn position(pool: &PgPool) -> Result<Position, StateFault> {
    let row = sqlx::query!(
        "SELECT
             revision,
             system_identifier AS \"system!\",
             timeline_id AS \"timeline!\"
         FROM registry_revision,
             pg_control_system(),
             pg_control_checkpoint()"
    )
    .fetch_one(pool)
    .await?;
    Ok(Position {
        epoch: Epoch {
            system: row.system,
            timeline: row.timeline,
        },
        revision: row.revision,
    })
}
