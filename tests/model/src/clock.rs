//! Time without clocks: which waits began after an instant.

use std::fmt;

use crate::{
    database::Row,
    node::Renewal,
    state::State,
    writer::{Step, Wait},
};

/// The wait that begins with a new history.
pub const SETTLING: usize = 7;

/// The waits that began after an instant, of those that still run: each writer's, and [`SETTLING`].
///
/// A lease that was counted from before a wait of lease + drift began is over when that wait is over. Nothing else
/// about time is used: a lease that is counted from after may go on, whatever else happens.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Waits(u8);

impl Waits {
    /// Notes that `wait` begins now.
    pub fn begin(&mut self, wait: usize) {
        self.0 |= 1 << wait;
    }

    /// Whether `wait` began after the instant.
    pub fn contains(self, wait: usize) -> bool {
        self.0 >> wait & 1 == 1
    }

    /// Forgets `wait`, which nobody waits for any more.
    pub fn forget(&mut self, wait: usize) {
        self.0 &= !(1 << wait);
    }
}

impl fmt::Debug for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waits = (0..8).filter(|wait| self.contains(*wait));
        f.debug_set().entries(waits).finish()
    }
}

/// Waits begin and end.
impl State {
    /// Lets `wait` begin: every lease that is held or under way is counted from before it.
    pub fn begin_wait(&mut self, wait: usize) {
        self.each_since(|since| since.begin(wait));
    }

    /// Lets `wait` be over: so is every lease that is counted from before it, and no renewal makes one of it.
    pub fn end_leases_before(&mut self, wait: usize) {
        let node = &mut self.called;
        if node.lease.is_some_and(|since| since.contains(wait)) {
            node.lease = None;
        }
        let since = node.renewal.since_mut();
        if since.is_some_and(|since| since.contains(wait)) {
            node.renewal = Renewal::Idle;
        }
    }

    /// Forgets `wait`: its writer needs it no more.
    pub fn forget_wait(&mut self, wait: usize) {
        self.each_since(|since| since.forget(wait));
    }

    fn each_since(&mut self, mut change: impl FnMut(&mut Waits)) {
        self.called.lease.iter_mut().for_each(&mut change);
        self.called.renewal.since_mut().into_iter().for_each(change);
    }

    /// Lets lease + drift have run since the new history began.
    pub fn settle(&mut self) -> Option<()> {
        self.settling.take()?;
        self.end_leases_before(SETTLING);
        Some(())
    }

    /// Forgets what cannot change the fate of a call that found its lease valid: leases, rows and waits.
    pub fn forget_leases(&mut self) {
        self.settling = None;
        self.called.lease = None;
        self.called.renewal = Renewal::Idle;
        self.others = Default::default();
        self.primary.row = Row::default();
        if let Some(standby) = &mut self.standby {
            standby.row = Row::default();
        }
        for writer in self.writers.iter_mut().flatten() {
            writer.step = match writer.step {
                Step::Receipted { .. } => Step::Receipted { fenced: false },
                Step::Committed | Step::ReadStarted | Step::Waiting { .. } => Step::Committed,
            };
            writer.wait = Wait::Ahead;
        }
    }
}
