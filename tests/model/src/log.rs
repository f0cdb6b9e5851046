//! Keys, positions, and the list of restrictions that a database or a node's memory holds.

use std::fmt;

/// An access key. Two are enough: one that a call uses, and another that makes other news.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// The key that is restricted first.
    A,
    /// The other key.
    B,
}

impl Key {
    /// Both keys.
    pub const ALL: [Self; 2] = [Self::A, Self::B];
}

/// A history and a revision in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Which history: 0 is the first, each stamp of a promoted server makes another.
    pub history: u8,
    /// How many restrictions the history holds.
    pub revision: u8,
}

impl Position {
    /// Whether everything up to `other` is known at this position.
    pub fn covers(self, other: Self, compare: Compare) -> bool {
        let comparable = match compare {
            Compare::WithinHistory => self.history == other.history,
            Compare::RevisionOnly => true,
        };
        comparable && self.revision >= other.revision
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "h{}.{}", self.history, self.revision)
    }
}

/// How two positions are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// Positions of different histories never compare.
    WithinHistory,
    /// The planted bug: a revision is compared without its history.
    RevisionOnly,
}

/// Restrictions in the order of their revisions: the first has revision 1. At most eight.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Log {
    /// Bit `i` is set if revision `i + 1` restricts key B.
    of_b: u8,
    length: u8,
}

impl Log {
    /// How many restrictions there are, which is the latest one's revision.
    pub fn revision(self) -> u8 {
        self.length
    }

    /// Whether some revision restricts `key`.
    pub fn restricts(self, key: Key) -> bool {
        match key {
            Key::A => self.of_b.count_ones() < u32::from(self.length),
            Key::B => self.of_b != 0,
        }
    }

    /// The key that revision `index + 1` restricts.
    fn key(self, index: u8) -> Key {
        if self.of_b >> index & 1 == 1 {
            Key::B
        } else {
            Key::A
        }
    }

    /// Adds a restriction of `key` as the next revision.
    pub fn push(&mut self, key: Key) {
        self.of_b |= u8::from(key == Key::B) << self.length;
        self.length += 1;
    }

    /// Adds the first restriction of `source` that lies after this log's end; false if there is none.
    pub fn push_next_of(&mut self, source: Self) -> bool {
        let more = self.length < source.length;
        if more {
            self.push(source.key(self.length));
        }
        more
    }

    /// Keeps the first `revision` restrictions.
    pub fn truncate(&mut self, revision: u8) {
        self.length = self.length.min(revision);
        self.of_b &= (1 << self.length) - 1;
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries((0..self.length).map(|index| self.key(index)))
            .finish()
    }
}
