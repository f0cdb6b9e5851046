//! The changes applied last: they must be read again if the history changes.

use std::collections::{HashSet, VecDeque};

use super::changes::ChangedItem;

/// How many changes are remembered.
const MAX_REMEMBERED: usize = 100_000;

/// The changes that were applied last, with the revision that they were applied up to.
#[derive(Debug)]
pub(crate) struct RecentChanges {
    changes: VecDeque<(i64, ChangedItem)>,
    /// Everything that was applied after this revision is in `changes`.
    since: i64,
}

impl Default for RecentChanges {
    /// Nothing was applied.
    fn default() -> Self {
        Self {
            changes: VecDeque::new(),
            since: i64::MAX,
        }
    }
}

impl RecentChanges {
    /// Adds a change that was applied up to `revision`.
    pub fn add(&mut self, revision: i64, changed: ChangedItem) {
        if self.changes.len() >= MAX_REMEMBERED
            && let Some((gone, _)) = self.changes.pop_front()
        {
            self.since = self.since.max(gone);
        }
        self.changes.push_back((revision, changed));
    }

    /// What was applied after `revision`; `None` if not all of it is known any more.
    pub fn since(&self, revision: i64) -> Option<HashSet<ChangedItem>> {
        let after = |(at, _): &&(i64, ChangedItem)| *at > revision;
        let changed = self.changes.iter().filter(after);
        (self.since <= revision).then(|| changed.map(|(_, one)| one.clone()).collect())
    }

    /// Everything up to `revision` was read at once.
    pub fn forget_up_to(&mut self, revision: i64) {
        self.changes.clear();
        self.since = revision;
    }

    /// What was applied after `fork` has been read again, up to `now` of another history.
    pub fn carry_over(&mut self, fork: i64, now: i64) {
        // A change that was read again belongs to the new history whatever it was applied up to before.
        for (at, _) in &mut self.changes {
            if *at > fork {
                *at = now;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(n: usize) -> ChangedItem {
        ChangedItem::Account(n.to_string())
    }

    #[test]
    fn changes_since_a_forgotten_revision_are_unknown() {
        let mut applied = RecentChanges::default();
        assert_eq!(applied.since(0), None);
        applied.forget_up_to(5);
        assert_eq!(applied.since(4), None);
        assert_eq!(applied.since(5), Some(HashSet::new()));
        applied.add(6, account(1));
        applied.add(8, account(2));
        assert_eq!(applied.since(5).unwrap().len(), 2);
        assert_eq!(applied.since(6).unwrap(), HashSet::from([account(2)]));
        for n in 0..MAX_REMEMBERED {
            applied.add(9, account(n));
        }
        assert_eq!(applied.since(7), None, "what was applied at 8 is gone");
        assert_eq!(applied.since(8).unwrap().len(), MAX_REMEMBERED);
    }
}
