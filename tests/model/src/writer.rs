//! A writer: one restriction from its commit to its receipt.

use crate::{
    config::{Calls, MAX_NODES, WaitFrom},
    log::{Key, Position},
    model::Akgate,
    state::{CALLED, State},
};

/// A restriction and the barrier behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Writer {
    /// The key that is restricted.
    pub key: Key,
    /// What the commit returned.
    pub position: Position,
    /// Whether a failover lost the commit.
    pub lost: bool,
    /// How far the writer is.
    pub step: Step,
    /// How far the wait of lease + drift is.
    pub wait: Wait,
}

/// The steps of a writer after its commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// The restriction is committed.
    Committed,
    /// The clock was read; the statement that reads `nodes` is sent next.
    ReadStarted,
    /// `nodes` was read.
    Waiting {
        /// The number of the announcement that was read, of each node that is waited for.
        seen: [Option<u8>; MAX_NODES],
        /// Whether the whole time is waited, whatever nodes report.
        whole: bool,
    },
    /// The receipt is given.
    Receipted {
        /// Whether a node was fenced for it.
        fenced: bool,
    },
}

/// A wait of lease + drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wait {
    /// It has not begun.
    Ahead,
    /// It runs.
    Running,
    /// Lease + drift have run since it began.
    Over,
}

impl Writer {
    /// A writer whose restriction was committed at `position`.
    pub fn committed(key: Key, position: Position) -> Self {
        Self {
            key,
            position,
            lost: false,
            step: Step::Committed,
            wait: Wait::Ahead,
        }
    }

    /// Whether the receipt is given.
    pub fn receipted(&self) -> bool {
        matches!(self.step, Step::Receipted { .. })
    }

    /// The numbers of the announcements that the writer read, of the nodes that it waits for.
    pub fn seen_mut(&mut self) -> Option<&mut [Option<u8>; MAX_NODES]> {
        match &mut self.step {
            Step::Waiting { seen, .. } => Some(seen),
            Step::Committed | Step::ReadStarted | Step::Receipted { .. } => None,
        }
    }

    /// The number of the announcement of `node` that the writer read, if it waits for that node.
    pub fn seen(mut self, node: usize) -> Option<u8> {
        self.seen_mut().and_then(|seen| seen[node])
    }
}

/// The steps. Each is `None` if it cannot be taken.
impl Akgate {
    /// Commits a restriction of `key`.
    pub fn commit(&self, state: &mut State, key: Key) -> Option<()> {
        let count = state.committed().count();
        // Keys are interchangeable until one is restricted: that one is A.
        if count == self.bounds.restrictions || count == 0 && key != Key::A {
            return None;
        }
        let index = state.commit(key)?;
        if self.protocol.wait == WaitFrom::Commit && self.bounds.calls == Calls::StrictReads {
            state.run_wait(index)?;
        }
        Some(())
    }

    /// Reads the clock before `nodes`, where the wait is measured from there.
    pub fn start_read(&self, state: &mut State, index: usize) -> Option<()> {
        let writer = state.writer_mut(index)?;
        if self.protocol.wait != WaitFrom::ReadStart || writer.step != Step::Committed {
            return None;
        }
        writer.step = Step::ReadStarted;
        state.run_wait(index)
    }

    /// Reads `nodes`, and in the same statement the history of the counter's row.
    pub fn read_nodes(&self, state: &mut State, index: usize) -> Option<()> {
        let new = state.settling == Some(state.primary.history);
        let whole = self.protocol.whole_wait && new;
        let rows: [_; MAX_NODES] = std::array::from_fn(|node| state.row(node));
        let writer = state.writer_mut(index)?;
        let ready = match self.protocol.wait {
            WaitFrom::ReadStart => Step::ReadStarted,
            WaitFrom::ReadEnd | WaitFrom::Commit => Step::Committed,
        };
        if self.bounds.calls == Calls::Mutations || writer.step != ready {
            return None;
        }
        let seen = std::array::from_fn(|node| {
            let row = rows[node];
            (node < self.bounds.nodes && (whole || !row.fenced)).then_some(row.seq)
        });
        writer.step = Step::Waiting { seen, whole };
        if writer.wait == Wait::Ahead {
            state.run_wait(index)?;
        }
        Some(())
    }

    /// Lets lease + drift have run since the writer's wait began, where somebody needs that.
    pub fn end_wait(&self, state: &mut State, index: usize) -> Option<()> {
        let writer = (*state.writers.get(index)?)?;
        let needed = match writer.step {
            Step::Committed | Step::ReadStarted => true,
            Step::Waiting { whole, .. } => whole || !self.silent(state, writer).is_empty(),
            Step::Receipted { .. } => false,
        };
        if writer.wait != Wait::Running || !needed {
            return None;
        }
        state.writer_mut(index)?.wait = Wait::Over;
        state.end_leases_before(index);
        Some(())
    }

    /// Fences who is silent, and returns the receipt: a receipt that leaves later claims less.
    pub fn give_receipt(&self, state: &mut State, index: usize) -> Option<()> {
        let writer = (*state.writers.get(index)?)?;
        let fenced = match (self.bounds.calls, writer.step) {
            (Calls::Mutations, Step::Committed) => false,
            (Calls::StrictReads, Step::Waiting { whole, .. }) => {
                let silent = self.silent(state, writer);
                if writer.wait != Wait::Over && (whole || !silent.is_empty()) {
                    return None;
                }
                state.fence(writer, &silent)
            }
            _ => return None,
        };
        let writer = state.writer_mut(index)?;
        writer.step = Step::Receipted { fenced };
        writer.wait = Wait::Over;
        state.forget_wait(index);
        Some(())
    }

    /// The nodes that were not fenced and have not reported the restriction as applied.
    fn silent(&self, state: &State, writer: Writer) -> Vec<usize> {
        let applied = state.primary.row.applied;
        let applied = applied.covers(writer.position, self.protocol.compare);
        (0..self.bounds.nodes)
            .filter(|node| writer.seen(*node).is_some() && (*node != CALLED || !applied))
            .collect()
    }
}

/// The steps that no rule changes.
impl State {
    /// A report of `node`, which is not the called one, reaches the writer.
    pub fn hear_from(&mut self, index: usize, node: usize) -> Option<()> {
        let seen = self.writer_mut(index)?.seen_mut()?;
        seen[node].take().map(drop)
    }

    /// Fences those of the `silent` that have not announced themselves since the read; whether there was one.
    fn fence(&mut self, writer: Writer, silent: &[usize]) -> bool {
        let mut any = false;
        for node in silent {
            let row = self.row_mut(*node);
            if writer.seen(*node) == Some(row.seq) {
                row.fenced = true;
                any = true;
            }
        }
        any
    }

    fn run_wait(&mut self, index: usize) -> Option<()> {
        self.writer_mut(index)?.wait = Wait::Running;
        self.begin_wait(index);
        Some(())
    }

    fn writer_mut(&mut self, index: usize) -> Option<&mut Writer> {
        self.writers.get_mut(index)?.as_mut()
    }
}
