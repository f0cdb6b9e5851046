//! Errors of the database and of what is stored in it.

use std::sync::Arc;

use super::sealing::SealFault;
use crate::database::failures;

/// Why a database operation failed.
#[derive(Debug, thiserror::Error)]
pub enum StateFault {
    /// PostgreSQL reported an error.
    #[error("the database: {0}")]
    Database(#[source] sqlx::Error),
    /// PostgreSQL did not answer in time.
    #[error("the database does not respond in time")]
    TimedOut,
    /// The batch that the operation was part of failed.
    #[error(transparent)]
    Shared(Arc<StateFault>),
    /// A sealed secret cannot be opened.
    #[error(transparent)]
    Seal(#[from] SealFault),
    /// A row holds what no migration of ours allows.
    #[error("the database contains an invalid row: {0}")]
    Corrupt(&'static str),
    /// An access key cannot pass from one principal to another.
    #[error("this AccessKeyId belongs to another principal")]
    OtherPrincipal,
    /// A session without the key that minted it has no standing.
    #[error("the session's parent is unknown")]
    UnknownParent,
    /// The database has lost commits and continues with a new history.
    #[error("the database has a different history now")]
    OtherHistory,
    /// A RAM user is named by an id that the directory has never seen given.
    #[error("no RAM user has this UserId")]
    UnknownUser,
}

impl From<sqlx::Error> for StateFault {
    fn from(fault: sqlx::Error) -> Self {
        failures::note_error(&fault);
        Self::Database(fault)
    }
}

impl From<tokio::time::error::Elapsed> for StateFault {
    fn from(_: tokio::time::error::Elapsed) -> Self {
        failures::note_failure();
        Self::TimedOut
    }
}

impl StateFault {
    /// Whether trying again may help.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Database(_) | Self::TimedOut | Self::OtherHistory => true,
            Self::Shared(fault) => fault.may_pass(),
            Self::Seal(_)
            | Self::Corrupt(_)
            | Self::OtherPrincipal
            | Self::UnknownParent
            | Self::UnknownUser => false,
        }
    }

    /// Whether the data itself caused the failure, so that the same operation with other data may succeed.
    #[must_use]
    pub fn is_about_data(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(fault)) => {
                let code = fault.code().unwrap_or_default();
                ["22", "23", "54"]
                    .iter()
                    .any(|class| code.starts_with(class))
            }
            Self::Database(sqlx::Error::Encode(_)) => true,
            Self::Shared(fault) => fault.is_about_data(),
            Self::Database(_) | Self::TimedOut | Self::OtherHistory => false,
            Self::Seal(_)
            | Self::Corrupt(_)
            | Self::OtherPrincipal
            | Self::UnknownParent
            | Self::UnknownUser => true,
        }
    }

    /// The name of the constraint that forbade a statement.
    #[must_use]
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Database(sqlx::Error::Database(fault)) => fault.constraint(),
            _ => None,
        }
    }
}

/// Runs database work with a timeout, so that a hanging server does not hang akgate.
///
/// # Errors
/// [`StateFault::TimedOut`], or the work's own.
pub async fn with_timeout<T, E: From<StateFault>>(
    limit: std::time::Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let done = tokio::time::timeout(limit, work).await;
    done.map_err(StateFault::from)?
}
