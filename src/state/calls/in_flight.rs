//! Calls in progress: a receipt counts them, and a drain waits for them.
//!
//! Every call enters before it reads anything that it is decided by, and leaves when it is answered. This costs two
//! additions to a counter of its core. There are two sets of counters: to wait for all earlier calls, new calls are
//! switched to the other set, and the wait ends when the old set is empty. A call that chose the old set just before
//! the switch reads its decision's facts after it, so no relevant call is missed.
//!
//! Calls with an intent are tracked one by one.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
};

use akgate_rules::{access_key::AccessKeyId, position::Position};

/// Counters side by side: threads are spread over them.
const SHARDS: usize = 16;

/// A counter with a cache line of its own for each set.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard([AtomicI64; 2]);

/// The calls of one node.
#[derive(Debug, Default)]
pub struct InFlight {
    shards: [Shard; SHARDS],
    /// Which of the two sets new calls enter.
    set: AtomicUsize,
    intended: Mutex<IntendedCalls>,
}

#[derive(Debug, Default)]
struct IntendedCalls {
    next: u64,
    calls: HashMap<u64, (AccessKeyId, Position)>,
}

/// A call that is under way; it leaves when this is dropped.
#[derive(Debug)]
pub struct InFlightCall {
    calls: Arc<InFlight>,
    shard: usize,
    set: usize,
}

/// A call that has its intent; it leaves when this is dropped.
#[derive(Debug)]
pub struct InFlightIntent {
    calls: Arc<InFlight>,
    number: u64,
}

impl InFlight {
    /// A call enters, before it reads anything that it is decided by.
    #[must_use]
    pub fn enter(self: &Arc<Self>) -> InFlightCall {
        let shard = thread_shard();
        // In one order with `turn`, whatever core it is on.
        let set = self.set.load(Ordering::SeqCst) % 2;
        self.add(shard, set, 1);
        InFlightCall {
            calls: Arc::clone(self),
            shard,
            set,
        }
    }

    /// A call of a lineage that has this AccessKey at its root writes its intent; it was decided at `position`.
    #[must_use]
    pub fn enter_with_intent(
        self: &Arc<Self>,
        root: &AccessKeyId,
        position: Position,
    ) -> InFlightIntent {
        let mut intended = self.intended();
        let number = intended.next;
        intended.next += 1;
        intended.calls.insert(number, (root.clone(), position));
        InFlightIntent {
            calls: Arc::clone(self),
            number,
        }
    }

    /// The calls that have their intent, by the root of their lineage, and where they were decided.
    #[must_use]
    pub fn intended_calls(&self) -> Vec<(AccessKeyId, Position)> {
        self.intended().calls.values().cloned().collect()
    }

    /// Switches new calls to the other set and returns the old set, for [`InFlight::is_empty`]. Call it only when the
    /// set returned last is empty.
    pub fn turn(&self) -> usize {
        self.set.fetch_add(1, Ordering::SeqCst) % 2
    }

    /// Whether all calls of a set have left.
    #[must_use]
    pub fn is_empty(&self, set: usize) -> bool {
        let counters = self.shards.iter().filter_map(|shard| shard.0.get(set % 2));
        let sum: i64 = counters.map(|count| count.load(Ordering::SeqCst)).sum();
        sum == 0
    }

    fn add(&self, shard: usize, set: usize, by: i64) {
        let counter = self.shards.get(shard).and_then(|shard| shard.0.get(set));
        if let Some(counter) = counter {
            counter.fetch_add(by, Ordering::SeqCst);
        }
    }

    fn intended(&self) -> std::sync::MutexGuard<'_, IntendedCalls> {
        // Each change is one insertion or removal: a panic elsewhere leaves it whole.
        self.intended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InFlightIntent {
    /// The call was decided anew.
    pub fn decided_at(&self, position: Position) {
        if let Some(call) = self.calls.intended().calls.get_mut(&self.number) {
            call.1 = position;
        }
    }
}

impl Drop for InFlightCall {
    fn drop(&mut self) {
        self.calls.add(self.shard, self.set, -1);
    }
}

impl Drop for InFlightIntent {
    fn drop(&mut self) {
        self.calls.intended().calls.remove(&self.number);
    }
}

/// The counter of this thread.
fn thread_shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
    }
    MINE.with(|mine| *mine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_calls_are_done_when_each_has_left_despite_later_ones() {
        let calls = Arc::new(InFlight::default());
        let first = calls.enter();
        let before = calls.turn();
        let second = calls.enter();
        assert!(!calls.is_empty(before));
        drop(first);
        assert!(calls.is_empty(before));
        let before = calls.turn();
        assert!(!calls.is_empty(before));
        // It leaves from another thread than it entered on.
        std::thread::spawn(move || drop(second)).join().unwrap();
        assert!(calls.is_empty(before));
    }

    #[test]
    fn calls_with_an_intent_are_tracked_individually() {
        let calls = Arc::new(InFlight::default());
        let id = AccessKeyId::parse("LTAI5tFakeAlice").unwrap();
        let at = |revision| Position {
            history: akgate_rules::position::History(uuid::Uuid::from_u128(1)),
            revision,
        };
        let (one, other) = (
            calls.enter_with_intent(&id, at(1)),
            calls.enter_with_intent(&id, at(2)),
        );
        one.decided_at(at(3));
        let mut known = calls.intended_calls();
        known.sort_by_key(|(_, position)| position.revision);
        assert_eq!(known, [(id.clone(), at(2)), (id, at(3))]);
        drop((one, other));
        assert_eq!(calls.intended_calls(), []);
    }
}
