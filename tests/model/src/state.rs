//! The state of everything, and what makes two states the same.

use std::hash::{Hash, Hasher};

use crate::{
    call::Call,
    clock::SETTLING,
    config::{MAX_NODES, MAX_WRITERS},
    database::{Database, Row},
    log::Key,
    node::Node,
    writer::Writer,
};

/// The node that the call arrives at.
pub const CALLED: usize = 0;

/// Everything that a step can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// The server that takes commits.
    pub primary: Database,
    /// What a standby holds that received nothing after: a failover makes it the primary.
    pub standby: Option<Database>,
    /// How many histories there were. A history's name is random in truth; here it is one that never was.
    pub histories: u8,
    /// The history in which lease + drift have not run yet.
    pub settling: Option<u8>,
    /// The node that the call arrives at.
    pub called: Node,
    /// The rows of the other nodes.
    pub others: [Row; MAX_NODES - 1],
    /// The writers, in the order of their commits.
    pub writers: [Option<Writer>; MAX_WRITERS],
    /// The call.
    pub call: Call,
    /// How many failovers there were.
    pub failovers: u8,
    /// How many crashes there were.
    pub crashes: u8,
}

impl State {
    /// Nothing is restricted, no node has announced itself, no call has begun.
    pub fn initial() -> Self {
        Self {
            primary: Database::default(),
            standby: None,
            histories: 1,
            settling: None,
            called: Node::default(),
            others: Default::default(),
            writers: [None; MAX_WRITERS],
            call: Call::Ahead,
            failovers: 0,
            crashes: 0,
        }
    }

    /// The row of a node, to be changed.
    pub fn row_mut(&mut self, node: usize) -> &mut Row {
        match node {
            CALLED => &mut self.primary.row,
            other => &mut self.others[other - 1],
        }
    }

    /// The row of a node.
    pub fn row(&self, node: usize) -> Row {
        match node {
            CALLED => self.primary.row,
            other => self.others[other - 1],
        }
    }

    /// The row of a node on the standby. What it holds of other nodes is not kept apart.
    pub fn standby_row(&self, node: usize) -> Option<Row> {
        self.standby
            .filter(|_| node == CALLED)
            .map(|standby| standby.row)
    }

    /// The writers that committed, with their numbers.
    pub fn committed(&self) -> impl Iterator<Item = (usize, &Writer)> {
        self.writers
            .iter()
            .enumerate()
            .filter_map(|(index, writer)| writer.as_ref().map(|writer| (index, writer)))
    }

    /// The writers, one bit each, whose receipts for `key` stand: given, and their commits not lost.
    pub fn receipts(&self, key: Key) -> u8 {
        self.committed()
            .filter(|(_, writer)| writer.key == key && writer.receipted() && !writer.lost)
            .fold(0, |receipts, (index, _)| receipts | 1 << index)
    }

    /// Commits a restriction; the number of its writer.
    pub fn commit(&mut self, key: Key) -> Option<usize> {
        let free = self.writers.iter().position(Option::is_none)?;
        if self.primary.commit(key, self.histories) {
            self.settling = Some(self.histories);
            self.histories += 1;
            self.begin_wait(SETTLING);
        }
        self.writers[free] = Some(Writer::committed(key, self.primary.position()));
        Some(free)
    }
}

/// Nodes but the called one are interchangeable: states that differ by an exchange are explored once.
impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let mut others: [_; MAX_NODES - 1] =
            std::array::from_fn(|other| (self.others[other], self.seen(other + 1)));
        others.sort_unstable();
        others.hash(hasher);
        (self.called, self.seen(CALLED)).hash(hasher);
        (self.primary, self.standby).hash(hasher);
        for writer in &self.writers {
            writer.map(without_nodes).hash(hasher);
        }
        self.call.hash(hasher);
        (self.histories, self.settling).hash(hasher);
        (self.failovers, self.crashes).hash(hasher);
    }
}

impl State {
    /// What each writer has read of the node.
    fn seen(&self, node: usize) -> [Option<u8>; MAX_WRITERS] {
        self.writers.map(|writer| writer?.seen(node))
    }
}

/// A writer without what it remembers of each node.
fn without_nodes(mut writer: Writer) -> Writer {
    if let Some(seen) = writer.seen_mut() {
        *seen = [None; MAX_NODES];
    }
    writer
}
