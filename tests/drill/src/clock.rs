//! The one clock of the harness: what was sent, answered and reached is ordered by it alone.

use std::time::{Duration, Instant};

/// A moment, as the time since the drill began.
pub type Moment = Duration;

/// The clock. It is monotonic, and never that of a node or of PostgreSQL.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Instant);

impl Default for Clock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock {
    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.0.elapsed()
    }
}
