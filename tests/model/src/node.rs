//! The called node: its memory, its lease, and the renewal that is under way.

use crate::{
    clock::Waits,
    config::{Calls, Reload, RenewalOrder},
    database::Database,
    log::{Compare, Log, Position},
    model::Akgate,
    state::{CALLED, State},
};

/// The called node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Node {
    /// The history that the memory belongs to.
    pub history: u8,
    /// The restrictions that the node knows; their number is the revision that it knows.
    pub memory: Log,
    /// The lease, if one is held: which waits began after the instant that it is counted from.
    pub lease: Option<Waits>,
    /// How far the renewal is.
    pub renewal: Renewal,
}

/// The steps of a renewal. `since` says which waits began after the instant that the lease will be counted from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Renewal {
    /// None is under way.
    #[default]
    Idle,
    /// The clock was read: the lease will be counted from here.
    Begun {
        /// See [`Renewal`].
        since: Waits,
    },
    /// The announcement is committed.
    Announced {
        /// See [`Renewal`].
        since: Waits,
    },
    /// The position was read; everything up to it must be applied before the lease is held.
    Read {
        /// See [`Renewal`].
        since: Waits,
        /// The position that was read.
        target: Position,
    },
}

impl Renewal {
    /// The waits that began after the instant that the lease will be counted from.
    pub fn since_mut(&mut self) -> Option<&mut Waits> {
        match self {
            Self::Idle => None,
            Self::Begun { since } | Self::Announced { since } | Self::Read { since, .. } => {
                Some(since)
            }
        }
    }
}

impl Node {
    /// What the node knows.
    pub fn position(&self) -> Position {
        Position {
            history: self.history,
            revision: self.memory.revision(),
        }
    }

    /// Reads the clock, whether or not an earlier renewal came to its end.
    pub fn begin_renewal(&mut self) -> Option<()> {
        self.renewal = Renewal::Begun {
            since: Waits::default(),
        };
        Some(())
    }

    /// Takes the history of `database` up, keeping what was applied up to the revision that `reload` says.
    fn change_history(&mut self, database: &Database, reload: Reload) {
        self.history = database.history;
        self.memory.truncate(match reload {
            Reload::SinceOldestFork => 0,
            Reload::SinceLatestFork => database.fork,
        });
        while self.memory.push_next_of(database.log) {}
    }
}

/// The steps. Each is `None` if it cannot be taken.
impl Akgate {
    /// Commits an announcement. Nobody asks what lease one of the other nodes makes of it.
    pub fn announce(&self, state: &mut State, index: usize) -> Option<()> {
        if index == CALLED {
            let node = &mut state.called;
            let since = match (self.protocol.renewal, node.renewal) {
                (RenewalOrder::AnnounceThenRead, Renewal::Begun { since }) => since,
                (RenewalOrder::ReadThenAnnounce, Renewal::Read { since, target })
                    if node.position().covers(target, self.protocol.compare) =>
                {
                    since
                }
                _ => return None,
            };
            node.renewal = Renewal::Announced { since };
        }
        state.announce(index, self.protocol.fence);
        Some(())
    }

    /// Reads the position up to which everything must be applied.
    pub fn read_position(&self, state: &mut State) -> Option<()> {
        let target = state.primary.position();
        let renewal = &mut state.called.renewal;
        let ((RenewalOrder::AnnounceThenRead, Renewal::Announced { since })
        | (RenewalOrder::ReadThenAnnounce | RenewalOrder::ReadOnly, Renewal::Begun { since })) =
            (self.protocol.renewal, *renewal)
        else {
            return None;
        };
        *renewal = Renewal::Read { since, target };
        Some(())
    }

    /// Holds the lease.
    pub fn take_lease(&self, node: &mut Node) -> Option<()> {
        let since = match (self.protocol.renewal, node.renewal) {
            (RenewalOrder::ReadThenAnnounce, Renewal::Announced { since }) => since,
            (
                RenewalOrder::AnnounceThenRead | RenewalOrder::ReadOnly,
                Renewal::Read { since, target },
            ) if node.position().covers(target, self.protocol.compare) => since,
            _ => return None,
        };
        node.renewal = Renewal::Idle;
        node.lease = Some(since);
        Some(())
    }

    /// Applies the next restriction, or takes a new history up.
    pub fn apply_news(&self, state: &mut State) -> Option<()> {
        let node = &mut state.called;
        let foreign = node.history != state.primary.history;
        if foreign && self.protocol.compare == Compare::WithinHistory {
            node.change_history(&state.primary, self.protocol.reload);
        } else if !node.memory.push_next_of(state.primary.log) {
            return None;
        }
        if !self.bounds.applied_lags && self.bounds.calls == Calls::StrictReads {
            state.report_applied()?;
        }
        Some(())
    }

    /// Ends the node's process. A call there would end with it, and nothing is said of that one.
    pub fn crash(&self, state: &mut State) -> Option<()> {
        if state.call.stage().is_some()
            || state.crashes == self.bounds.crashes
            || state.failovers + state.crashes == self.bounds.faults
        {
            return None;
        }
        state.called = Node::default();
        state.crashes += 1;
        Some(())
    }
}

impl State {
    /// Writes to the node's row what it has applied.
    pub fn report_applied(&mut self) -> Option<()> {
        self.primary.row.applied = self.called.position();
        Some(())
    }
}
