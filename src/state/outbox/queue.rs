//! The leased queue that letters and events share: items are leased in batches, sent side by side, and settled: sent,
//! retried later, or given up.

use std::time::Duration as StdDuration;

use rand::{Rng, RngExt};
use time::{Duration, OffsetDateTime};
use tokio::task::JoinSet;

use crate::directory::StateFault;

/// Why an item was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendFault {
    /// It may be sent later.
    #[error("{error}")]
    Temporary {
        /// What the attempt met.
        error: String,
        /// The shortest pause that the receiver asks for.
        after: Option<StdDuration>,
    },
    /// The server is down.
    #[error("{0}")]
    ServerAway(String),
    /// It will never be sent.
    #[error("{error}")]
    Permanent {
        /// What the attempt met.
        error: String,
        /// Whether the address is the reason.
        unreachable: bool,
    },
}

impl SendFault {
    /// A fault that may be gone later.
    pub fn temporary(error: impl Into<String>) -> Self {
        Self::Temporary {
            error: error.into(),
            after: None,
        }
    }

    /// A fault that stays, and is not the address's.
    pub fn permanent(error: impl Into<String>) -> Self {
        Self::Permanent {
            error: error.into(),
            unreachable: false,
        }
    }

    /// The same fault in other words.
    #[must_use]
    pub fn map_error(mut self, words: impl FnOnce(&str) -> String) -> Self {
        let (Self::Temporary { error, .. }
        | Self::ServerAway(error)
        | Self::Permanent { error, .. }) = &mut self;
        *error = words(error);
        self
    }

    /// A fault of the address, which stays.
    pub fn unreachable(error: impl Into<String>) -> Self {
        Self::Permanent {
            error: error.into(),
            unreachable: true,
        }
    }
}

impl From<StateFault> for SendFault {
    fn from(fault: StateFault) -> Self {
        Self::temporary(fault.to_string())
    }
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// The receiver has the item.
    Sent,
    /// To be tried again.
    Retry {
        /// When.
        at: OffsetDateTime,
        /// What the attempt met.
        error: String,
    },
    /// Given up, for a person to see to.
    Failed {
        /// What the attempt met.
        error: String,
        /// Whether the address is the reason; another contact is then notified.
        unreachable: bool,
    },
}

impl Settlement {
    /// The outcome as it is counted.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Retry { .. } => "retry",
            Self::Failed { .. } => "failed",
        }
    }

    /// The columns `state`, `due_at` and `last_error` of the item.
    pub(super) fn columns(
        &self,
        now: OffsetDateTime,
    ) -> (&'static str, OffsetDateTime, Option<&str>) {
        match self {
            Self::Sent => ("Sent", now, None),
            Self::Retry { at, error } => ("Due", *at, Some(error)),
            Self::Failed { error, .. } => ("Failed", now, Some(error)),
        }
    }
}

/// How items of a queue are leased, and for how long each is tried.
#[derive(Debug, Clone, Copy)]
pub struct QueuePolicy {
    /// How long a worker has an item: longer than an attempt may take, with its database calls.
    pub lease: Duration,
    /// Items that are sent side by side.
    pub batch_size: i64,
    /// How long an item is tried.
    pub retry_window: Duration,
    /// How often an item is tried at least.
    pub min_attempts: i32,
}

impl QueuePolicy {
    /// The outcome of an item, enqueued at `since`, whose attempt failed.
    pub fn settle_fault(
        &self,
        fault: SendFault,
        attempt: i32,
        since: OffsetDateTime,
        now: OffsetDateTime,
        rng: &mut impl Rng,
    ) -> Settlement {
        let (error, after) = match fault {
            SendFault::Permanent { error, unreachable } => {
                return Settlement::Failed { error, unreachable };
            }
            SendFault::Temporary { error, after } => (error, after),
            SendFault::ServerAway(error) => (error, None),
        };
        let at = now + retry_delay(attempt, after, rng);
        self.retry_or_fail(attempt, since, at, error)
    }

    /// The outcome of an item, enqueued at `since`, that could be retried at `at`.
    #[must_use]
    pub fn retry_or_fail(
        &self,
        attempt: i32,
        since: OffsetDateTime,
        at: OffsetDateTime,
        error: String,
    ) -> Settlement {
        if at < since + self.retry_window || attempt < self.min_attempts {
            Settlement::Retry { at, error }
        } else {
            Settlement::Failed {
                error,
                unreachable: false,
            }
        }
    }
}

/// Handles the items concurrently, each in its own task, so that a panic affects only one. Returns their number.
pub async fn process_batch<T, F>(
    items: impl IntoIterator<Item = T>,
    process: impl FnMut(T) -> F,
) -> usize
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut tasks: JoinSet<()> = items.into_iter().map(process).collect();
    let count = tasks.len();
    while tasks.join_next().await.is_some() {}
    count
}

/// The first pause, in seconds.
const FIRST_DELAY: i64 = 30;

/// The longest pause, in seconds.
const LONGEST_DELAY: i64 = 3600;

/// The pause after an attempt, the first of which is 1: 30 seconds, twice as long each time, an hour at most, and no less
/// than the receiver asks for up to that. Up to a tenth is added, so that what failed together does not come back
/// together.
#[must_use]
pub fn retry_delay(attempt: i32, asked: Option<StdDuration>, rng: &mut impl Rng) -> Duration {
    let doubled = FIRST_DELAY << attempt.saturating_sub(1).clamp(0, 7);
    let asked = asked.map_or(0, |asked| {
        i64::try_from(asked.as_secs()).unwrap_or(i64::MAX)
    });
    let seconds = doubled.max(asked).min(LONGEST_DELAY);
    Duration::seconds(seconds + rng.random_range(0..=seconds / 10))
}
