//! The numbers of announcements, in the rows of nodes and as writers have read them.

use crate::{
    config::{FenceGuard, MAX_NODES},
    state::{CALLED, State},
};

/// The number of an announcement that no row holds or will hold again.
const STALE: u8 = 0;

impl State {
    /// Commits an announcement of `node`.
    pub fn announce(&mut self, node: usize, guard: FenceGuard) {
        let last = match guard {
            FenceGuard::UniqueNumber => self.numbers(node).max().unwrap_or(STALE),
            FenceGuard::Counter => self.row(node).seq,
        };
        let row = self.row_mut(node);
        row.seq = last + 1;
        row.fenced = false;
    }

    /// Every number of an announcement of `node` that something still remembers.
    fn numbers(&self, node: usize) -> impl Iterator<Item = u8> {
        let seen = self
            .committed()
            .filter_map(move |(_, writer)| writer.seen(node));
        let standby = self.standby_row(node).map(|row| row.seq);
        seen.chain(standby).chain([self.row(node).seq])
    }

    /// Renumbers announcements without gaps: only which are equal, and which are later, matters. So nodes may
    /// announce themselves without end, and the states are still finite in number.
    pub fn renumber(&mut self, guard: FenceGuard) {
        for node in 0..MAX_NODES {
            self.forget_stale(node, guard);
            let present = self
                .numbers(node)
                .fold(1_u32 << STALE, |set, seq| set | 1 << seq);
            self.each_number(node, |seq| {
                let below = present & ((1 << *seq) - 1);
                *seq = below.count_ones() as u8;
            });
        }
    }

    /// Forgets which numbers writers have read where no row can hold them again.
    fn forget_stale(&mut self, node: usize, guard: FenceGuard) {
        let primary = self.row(node).seq;
        let standby = self.standby_row(node).map_or(primary, |row| row.seq);
        self.each_seen(node, |seq| {
            let stale = match guard {
                FenceGuard::UniqueNumber => *seq != primary && *seq != standby,
                FenceGuard::Counter => *seq < primary.min(standby),
            };
            if stale {
                *seq = STALE;
            }
        });
    }

    fn each_number(&mut self, node: usize, mut change: impl FnMut(&mut u8)) {
        change(&mut self.row_mut(node).seq);
        if node == CALLED
            && let Some(standby) = &mut self.standby
        {
            change(&mut standby.row.seq);
        }
        self.each_seen(node, change);
    }

    fn each_seen(&mut self, node: usize, mut change: impl FnMut(&mut u8)) {
        for writer in self.writers.iter_mut().flatten() {
            if let Some(seq) = writer.seen_mut().and_then(|seen| seen[node].as_mut()) {
                change(seq);
            }
        }
    }
}
