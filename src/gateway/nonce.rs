//! Replay protection of this node: a nonce is accepted once per key for 31 minutes.
//!
//! A nonce is stored only after its MAC was verified, or anyone could fill the memory. A nonce that does not fit is
//! refused: none is evicted early, because that would allow a replay.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::BuildHasher,
    sync::Mutex,
};

use time::OffsetDateTime;

use akgate_rules::{access_key::AccessKeyId, fault::Fault, signature::freshness::NONCE_MEMORY};

/// Locks are split by key, so that a busy key delays few others.
const SHARDS: usize = 64;

/// How many nonces of one key are remembered by default.
pub const NONCES_PER_KEY: usize = 1_000_000;

/// The nonces of one node.
///
/// A nonce is kept as a 64-bit hash under a random key: at the cap of a million, a nonce that was never
/// used is taken for a used one with a chance of 1 in 10¹³.
pub struct NonceMemory<S> {
    shards: Vec<Mutex<HashMap<AccessKeyId, Seen>>>,
    hasher: S,
    cap: usize,
}

/// The nonces of one key: all of them, and those of each minute in the order in which they go.
#[derive(Default)]
struct Seen {
    hashes: HashSet<u64>,
    minutes: VecDeque<(i64, Vec<u64>)>,
}

impl<S: BuildHasher> NonceMemory<S> {
    /// An empty memory that keeps at most `cap` nonces of a key. `hasher` must be randomly keyed.
    pub fn new(cap: usize, hasher: S) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher,
            cap,
        }
    }

    /// Accepts a nonce that was received at `now`, once.
    ///
    /// # Errors
    /// [`Fault::NonceUsed`] for one that was taken before; [`Fault::Throttled`] where the key has used up
    /// its room.
    pub fn use_nonce(
        &self,
        key: &AccessKeyId,
        nonce: &str,
        now: OffsetDateTime,
    ) -> Result<(), Fault> {
        let hash = self.hasher.hash_one((key, nonce));
        let minute = now.unix_timestamp().div_euclid(60);
        let Some(mut shard) = self.shard(key).and_then(|shard| shard.lock().ok()) else {
            return Err(Fault::Internal("the nonce memory is broken"));
        };
        let seen = shard.entry(key.clone()).or_default();
        seen.forget_before(oldest_kept(minute));
        if seen.hashes.contains(&hash) {
            return Err(Fault::NonceUsed);
        }
        if seen.hashes.len() >= self.cap {
            return Err(Fault::Throttled);
        }
        seen.hashes.insert(hash);
        match seen.minutes.back_mut() {
            // A clock that was set back must not shorten what is remembered.
            Some((last, hashes)) if *last >= minute => hashes.push(hash),
            Some(_) | None => seen.minutes.push_back((minute, vec![hash])),
        }
        Ok(())
    }

    /// Drops expired nonces of keys that no longer call. Call it every few minutes.
    pub fn sweep(&self, now: OffsetDateTime) {
        let oldest = oldest_kept(now.unix_timestamp().div_euclid(60));
        for shard in &self.shards {
            let Ok(mut shard) = shard.lock() else {
                continue;
            };
            shard.retain(|_, seen| {
                seen.forget_before(oldest);
                !seen.hashes.is_empty()
            });
        }
    }

    /// How many nonces are remembered, of all keys.
    pub fn len(&self) -> usize {
        self.shards
            .iter()
            .filter_map(|shard| shard.lock().ok())
            .map(|shard| shard.values().map(|seen| seen.hashes.len()).sum::<usize>())
            .sum()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, key: &AccessKeyId) -> Option<&Mutex<HashMap<AccessKeyId, Seen>>> {
        let at = self.hasher.hash_one(key) % SHARDS as u64;
        self.shards.get(usize::try_from(at).ok()?)
    }
}

impl Seen {
    fn forget_before(&mut self, oldest: i64) {
        while self
            .minutes
            .front()
            .is_some_and(|(minute, _)| *minute < oldest)
        {
            for hash in self
                .minutes
                .pop_front()
                .into_iter()
                .flat_map(|(_, hashes)| hashes)
            {
                self.hashes.remove(&hash);
            }
        }
    }
}

/// The first minute that is still kept: a whole one more than the memory's length, since a nonce may
/// have come in the last second of its minute.
fn oldest_kept(minute: i64) -> i64 {
    minute - NONCE_MEMORY.whole_minutes()
}

#[cfg(test)]
mod tests {
    use std::hash::RandomState;

    use time::{Duration, macros::datetime};

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-24 12:00:59 UTC);

    fn key(text: &str) -> AccessKeyId {
        AccessKeyId::parse(text).unwrap()
    }

    #[test]
    fn nonce_is_taken_once_per_key() {
        let memory = NonceMemory::new(10, RandomState::new());
        assert_eq!(memory.use_nonce(&key("a"), "1", NOW), Ok(()));
        assert_eq!(memory.use_nonce(&key("a"), "1", NOW), Err(Fault::NonceUsed));
        assert_eq!(memory.use_nonce(&key("a"), "2", NOW), Ok(()));
        assert_eq!(memory.use_nonce(&key("b"), "1", NOW), Ok(()));
    }

    #[test]
    fn nonce_is_remembered_for_thirty_one_minutes_and_then_freed() {
        let memory = NonceMemory::new(10, RandomState::new());
        assert_eq!(memory.use_nonce(&key("a"), "1", NOW), Ok(()));
        let last = NOW + NONCE_MEMORY;
        assert_eq!(
            memory.use_nonce(&key("a"), "1", last),
            Err(Fault::NonceUsed)
        );
        assert_eq!(
            memory.use_nonce(&key("a"), "1", last + Duration::minutes(1)),
            Ok(())
        );
        memory.sweep(last + Duration::hours(1));
        assert!(memory.is_empty());
    }

    #[test]
    fn full_memory_refuses_that_key_and_evicts_nothing() {
        let memory = NonceMemory::new(2, RandomState::new());
        assert_eq!(memory.use_nonce(&key("a"), "1", NOW), Ok(()));
        assert_eq!(memory.use_nonce(&key("a"), "2", NOW), Ok(()));
        assert_eq!(memory.use_nonce(&key("a"), "3", NOW), Err(Fault::Throttled));
        assert_eq!(memory.use_nonce(&key("a"), "1", NOW), Err(Fault::NonceUsed));
        assert_eq!(memory.use_nonce(&key("b"), "3", NOW), Ok(()));
        assert_eq!(memory.len(), 3);
    }

    #[test]
    fn clock_set_back_shortens_nothing() {
        let memory = NonceMemory::new(10, RandomState::new());
        assert_eq!(memory.use_nonce(&key("a"), "1", NOW), Ok(()));
        assert_eq!(
            memory.use_nonce(&key("a"), "2", NOW - Duration::hours(2)),
            Ok(())
        );
        let last = NOW + NONCE_MEMORY;
        assert_eq!(
            memory.use_nonce(&key("a"), "1", last),
            Err(Fault::NonceUsed)
        );
        assert_eq!(
            memory.use_nonce(&key("a"), "2", last),
            Err(Fault::NonceUsed)
        );
    }

    #[test]
    fn two_threads_with_one_nonce_get_one_yes() {
        let memory = NonceMemory::new(1_000, RandomState::new());
        let taken: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        (0..500)
                            .filter(|n| memory.use_nonce(&key("a"), &n.to_string(), NOW).is_ok())
                            .count()
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert_eq!(taken, 500);
    }
}
