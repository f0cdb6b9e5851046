//! Why the database cannot be used.

use super::url::DatabaseUrlFault;

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// Its URL is wrong.
    #[error("the database's URL {0}")]
    Url(#[from] DatabaseUrlFault),
    /// It cannot be reached.
    #[error("the database cannot be reached: {0}")]
    Unreachable(#[from] sqlx::Error),
    /// No host takes writes; why each does not.
    #[error("no host of the database takes writes: {0}")]
    NoPrimary(String),
    /// The migrations do not run.
    #[error("the migrations do not run: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
}
