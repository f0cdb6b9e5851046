//! A node's lease: while it is held, every change that was answered is in the node's memory.
//!
//! It is taken by announcing, then reading ([`super::membership`]), and counted from before the announcement on a clock
//! that runs on while the machine sleeps. A writer that waits that long after it read the announcements
//! ([`super::barrier`]) knows that every earlier lease has ended.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::sync::watch;

use akgate_rules::position::BootInstant;

/// How long a lease lasts.
pub const LEASE_DURATION: Duration = Duration::from_secs(2);

/// How much longer a writer waits: clocks of two machines may run apart by a tenth.
pub const CLOCK_DRIFT: Duration = Duration::from_millis(200);

/// The lease of this node, if it holds one.
#[derive(Debug, Default)]
pub struct Lease {
    /// Nanoseconds since boot; 0 where there never was one.
    until: AtomicU64,
    taken: watch::Sender<()>,
}

impl Lease {
    /// Whether it is held.
    #[must_use]
    pub fn holds(&self, now: BootInstant) -> bool {
        boot_nanos(now) < self.until.load(Ordering::SeqCst)
    }

    /// Takes it, counted from an instant before the announcement.
    pub(crate) fn take(&self, from: BootInstant) {
        let until = boot_nanos(from.after(LEASE_DURATION));
        self.until.fetch_max(until, Ordering::SeqCst);
        self.taken.send_replace(());
    }

    /// Gives it back.
    pub(crate) fn release(&self) {
        self.until.store(0, Ordering::SeqCst);
    }

    /// Wakes whenever it is taken.
    #[must_use]
    pub fn renewals(&self) -> watch::Receiver<()> {
        self.taken.subscribe()
    }
}

fn boot_nanos(at: BootInstant) -> u64 {
    u64::try_from(at.0.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lease_lasts_two_seconds_from_before_the_announcement() {
        let lease = Lease::default();
        let at = |ms| BootInstant(Duration::from_millis(ms));
        assert!(!lease.holds(at(0)));
        lease.take(at(1_000));
        assert!(lease.holds(at(2_999)));
        assert!(!lease.holds(at(3_000)));
        // An announcement that took its time does not shorten a later one.
        lease.take(at(1_500));
        lease.take(at(1_200));
        assert!(lease.holds(at(3_499)));
        lease.release();
        assert!(!lease.holds(at(1_500)));
    }
}
