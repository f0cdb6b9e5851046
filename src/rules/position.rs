//! Positions in the sequence of changes of the registry.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A sequence of changes in which each revision has one meaning. A database that lost commits in a failover continues
/// with a new history, in which the same numbers mean other changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct History(pub Uuid);

/// A revision in a history. Positions of different histories cannot be compared, so positions have no order, only
/// [`Position::covers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The history.
    pub history: History,
    /// Counts its changes.
    pub revision: i64,
}

impl Position {
    /// Whether this position includes every change up to `other`.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.history == other.history && self.revision >= other.revision
    }

    /// The same history at another revision.
    #[must_use]
    pub fn at(self, revision: i64) -> Self {
        Self { revision, ..self }
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.revision, self.history)
    }
}

/// The time since boot: a clock that keeps running while the machine sleeps and that cannot be set (`CLOCK_BOOTTIME`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootInstant(pub Duration);

impl BootInstant {
    /// How much later this is than `earlier`; nothing where it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// This much later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_of_different_histories_do_not_cover_each_other() {
        let position = |history, revision| Position {
            history: History(Uuid::from_u128(history)),
            revision,
        };
        assert!(position(1, 7).covers(position(1, 7)));
        assert!(position(1, 8).covers(position(1, 7)));
        assert!(!position(1, 6).covers(position(1, 7)));
        assert!(!position(1, 8).covers(position(2, 7)));
        assert!(!position(2, 7).covers(position(1, 8)));
    }
}
