//! Where somebody stands in the changes of the registry.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A line of changes in which each revision means one thing. A database that lost commits in a failover goes on with
/// another history: the numbers come again, and mean something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct History(pub Uuid);

/// A revision in a history. Positions of different histories never compare, so there is no order of positions:
/// [`Position::covers`] is all that can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The history.
    pub history: History,
    /// Counts its changes.
    pub revision: i64,
}

impl Position {
    /// Whether everything up to `other` is known here.
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

/// An instant of this machine's clock that runs on while the machine sleeps and that nobody sets (`CLOCK_BOOTTIME`):
/// the time since boot.
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
