//! What is explored (the bounds), and which protocol (the design, or a variant of it with one rule broken).

use crate::log::Compare;

/// The most nodes that a configuration can have.
pub const MAX_NODES: usize = 3;

/// The most restrictions that a configuration can commit.
pub const MAX_WRITERS: usize = 4;

/// The bounds of one exploration. What is not named here is not bounded.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How many nodes there are, at most [`MAX_NODES`].
    pub nodes: usize,
    /// How many restrictions are committed, at most [`MAX_WRITERS`].
    pub restrictions: usize,
    /// Which kind of call is made.
    pub calls: Calls,
    /// How many failovers happen at most.
    pub failovers: u8,
    /// How many nodes crash at most.
    pub crashes: u8,
    /// How many failovers and crashes happen at most, together.
    pub faults: u8,
    /// Whether the called node's row says what that node applied only some time after it did.
    pub applied_lags: bool,
}

/// The kind of call that is made, and with it what of the protocol takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// Mutations need no lease: there are no renewals, and a receipt is given at any time after its commit,
    /// which is whatever a barrier could do.
    Mutations,
    /// Strict reads: leases and the barrier take part.
    StrictReads,
}

/// The rules that a variant can break.
#[derive(Clone, Copy, Debug)]
pub struct Protocol {
    /// What the position of an intent is compared with.
    pub comparison: Comparison,
    /// How positions are compared, everywhere.
    pub compare: Compare,
    /// What a node re-reads when it finds a new history.
    pub reload: Reload,
    /// How a node takes a lease.
    pub renewal: RenewalOrder,
    /// From when a writer measures lease + drift.
    pub wait: WaitFrom,
    /// How a writer tells that a node has announced itself since the read.
    pub fence: FenceGuard,
    /// Whether every barrier waits the whole time until lease + drift have run in a new history. Without that, a node
    /// whose announcement was lost is not waited for.
    pub whole_wait: bool,
}

/// What the position of an intent is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// With the position that the permit names.
    Permit,
    /// The planted bug: with the node's position as it is when the intent comes back.
    NodeAfterwards,
}

/// What a node re-reads when it finds a new history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// What it applied after the oldest fork between its history and the new one. Here: everything.
    SinceOldestFork,
    /// A bug: what it applied after the new history's own fork, also where it missed a history between.
    SinceLatestFork,
}

/// How a node takes a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenewalOrder {
    /// Announce, then read and apply, then hold the lease.
    AnnounceThenRead,
    /// A planted bug: read and apply, then announce, then hold the lease.
    ReadThenAnnounce,
    /// A planted bug: read and apply, then hold the lease.
    ReadOnly,
}

/// From when a writer measures lease + drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitFrom {
    /// From when the rows of `nodes` have arrived.
    ReadEnd,
    /// A bug: from before the statement that reads `nodes` is sent.
    ReadStart,
    /// The planted bug: from the commit.
    Commit,
}

/// How a writer tells, when it fences a node, that the node has not announced itself since the read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FenceGuard {
    /// Each announcement has a number of its own, on whichever server it is committed.
    UniqueNumber,
    /// A bug: the number counts up in the row. A failover takes it back, and the next announcement repeats it.
    Counter,
}

impl Protocol {
    /// The rules that hold.
    pub const SOUND: Self = Self {
        comparison: Comparison::Permit,
        compare: Compare::WithinHistory,
        reload: Reload::SinceOldestFork,
        renewal: RenewalOrder::AnnounceThenRead,
        wait: WaitFrom::ReadEnd,
        fence: FenceGuard::UniqueNumber,
        whole_wait: true,
    };
}
