//! The database: the counter's row, what was committed, and a row of `nodes`.

use crate::log::{Key, Log, Position};

/// One server's content. A standby's is a copy that was taken at some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Database {
    /// The history in the counter's row.
    pub history: u8,
    /// The revision at which that history began.
    pub fork: u8,
    /// The restrictions; their number is the revision in the counter's row.
    pub log: Log,
    /// Whether the server was promoted after the counter's row was stamped: its timeline is another.
    pub promoted: bool,
    /// The row of the called node.
    pub row: Row,
}

/// A node's row in `nodes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row {
    /// The number of the node's latest announcement.
    pub seq: u8,
    /// Whether a writer found the node silent. A node that never announced itself has no lease either.
    pub fenced: bool,
    /// What the node has reported as applied.
    pub applied: Position,
}

impl Default for Row {
    fn default() -> Self {
        Self {
            seq: 1,
            fenced: true,
            applied: Position {
                history: 0,
                revision: 0,
            },
        }
    }
}

impl Database {
    /// What the counter's row says.
    pub fn position(&self) -> Position {
        Position {
            history: self.history,
            revision: self.log.revision(),
        }
    }

    /// Commits a restriction. On a promoted server this stamps `new_history` first; true if it did.
    pub fn commit(&mut self, key: Key, new_history: u8) -> bool {
        let stamps = self.promoted;
        if stamps {
            self.history = new_history;
            self.fork = self.log.revision();
            self.promoted = false;
        }
        self.log.push(key);
        stamps
    }
}
