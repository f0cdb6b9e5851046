//! Why the database cannot be used.

use super::{reason::describe_error, url::DatabaseUrlFault};

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// Its URL is wrong.
    #[error("the database's URL {0}")]
    Url(#[from] DatabaseUrlFault),
    /// No session can be opened, or it cannot serve.
    #[error("the database cannot be used: {}", describe_error(.0))]
    Unreachable(#[from] sqlx::Error),
    /// No host accepts writes; the message says why for each.
    #[error("no host of the database accepts writes: {0}")]
    NoPrimary(String),
    /// A newer akgate has migrated it.
    #[error(
        "the schema of the database is ahead of this build, because a newer akgate has migrated it: upgrade this node"
    )]
    SchemaAhead,
    /// It has not been migrated.
    #[error(
        "the schema of the database is short of {0} migrations: start once with database.migrate = true"
    )]
    SchemaShort(usize),
    /// Something between here and the server shares sessions.
    #[error(
        "a connection pooler shares sessions between transactions (pgbouncer in transaction mode): use session mode"
    )]
    SharedSessions,
    /// The migrations do not run.
    #[error("a migration failed: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
}
