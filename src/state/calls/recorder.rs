//! Collects records in memory and writes them every second, off the request road.
//!
//! Records that cannot be written are kept for the next attempt, up to a limit; further ones are dropped and counted.
//! Call counts are never dropped, because they can be added up.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    hash::Hash,
    mem,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::sync::watch;

use super::{
    batch::{BulkRecord, CallCount, CountKey, RefusedCall, SettledIntent},
    observed::{Observation, ObservedKey},
};
use crate::directory::{StateFault, with_timeout};
use akgate_rules::access_key::AccessKeyId;

/// Refusals of one key in one hour that are kept one by one; more are only counted.
const REFUSALS_PER_HOUR: i64 = 1_000;

/// What callers who proved nothing may be counted by in one hour, each by its key; more are counted without.
const MAX_UNPROVEN_KEYS: usize = 10_000;

/// Records of a kind that may wait to be written.
const MAX_BUFFERED: usize = 100_000;

/// Records in one statement.
const STATEMENT_ROWS: usize = 1_000;

/// How often what was gathered is written.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// Gathers records.
pub struct Recorder {
    pool: PgPool,
    timeout: Duration,
    gathered: Mutex<RecordBuffer>,
    /// Records that a statement under way is writing.
    writing: AtomicUsize,
    dropped: AtomicU64,
}

#[derive(Default)]
struct RecordBuffer {
    settled: Vec<SettledIntent>,
    refused: Vec<RefusedCall>,
    counts: HashMap<CountKey, CallCount>,
    /// Refusals per key in the present hour.
    refusals: HashMap<AccessKeyId, (OffsetDateTime, i64)>,
    observed: HashMap<ObservedKey, Observation>,
    /// What callers who proved nothing were counted by in the present hour.
    unproven: (Option<OffsetDateTime>, HashSet<ObservedKey>),
}

/// Adds to what was gathered under a key.
fn add_to_sum<K: Eq + Hash, V>(gathered: &mut HashMap<K, V>, key: K, more: V, sum: fn(&mut V, V)) {
    match gathered.entry(key) {
        Entry::Occupied(mut there) => sum(there.get_mut(), more),
        Entry::Vacant(place) => {
            place.insert(more);
        }
    }
}

impl Recorder {
    /// An empty recorder.
    #[must_use]
    pub fn new(pool: PgPool, timeout: Duration) -> Self {
        Self {
            pool,
            timeout,
            gathered: Mutex::default(),
            writing: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    /// A call went upstream.
    pub fn forwarded(&self, key: CountKey) {
        self.gathered().counts.entry(key).or_default().forwarded += 1;
    }

    /// Policy refused a call, or would have.
    pub fn refused(&self, key: CountKey, refused: RefusedCall) {
        let mut gathered = self.gathered();
        let hour = key.hour;
        let id = key.access_key_id.clone();
        let count = gathered.counts.entry(key).or_default();
        if refused.withheld {
            count.forwarded += 1;
        } else {
            count.refused += 1;
        }
        if gathered.refusals.len() > MAX_BUFFERED {
            gathered.refusals.retain(|_, (since, _)| *since == hour);
        }
        let (since, kept) = gathered.refusals.entry(id).or_insert((hour, 0));
        if *since != hour {
            (*since, *kept) = (hour, 0);
        }
        *kept += 1;
        if *kept > REFUSALS_PER_HOUR {
            return;
        }
        if gathered.refused.len() < MAX_BUFFERED {
            gathered.refused.push(refused);
        } else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What came of an intent is known.
    pub fn settled(&self, settled: SettledIntent) {
        let mut gathered = self.gathered();
        if gathered.settled.len() < MAX_BUFFERED {
            gathered.settled.push(settled);
        } else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A call was seen by a node that watches.
    pub fn observed(&self, mut key: ObservedKey, seen: Observation) {
        let mut gathered = self.gathered();
        if !key.sighted.is_proven() {
            let (hour, unproven) = &mut gathered.unproven;
            if hour.replace(key.hour) != Some(key.hour) {
                unproven.clear();
            }
            if !unproven.contains(&key) {
                if unproven.len() < MAX_UNPROVEN_KEYS {
                    unproven.insert(key.clone());
                } else {
                    key.access_key_id.clear();
                }
            }
        }
        add_to_sum(&mut gathered.observed, key, seen, Observation::add);
    }

    /// Records that had to be dropped since the start.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Records that are not known to be written.
    #[must_use]
    pub fn unwritten(&self) -> usize {
        let gathered = self.gathered();
        gathered.settled.len()
            + gathered.refused.len()
            + gathered.counts.len()
            + gathered.observed.len()
            + self.writing.load(Ordering::Relaxed)
    }

    /// Writes every second until told to stop, and once more then.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        let mut failing = false;
        loop {
            let stopped = *stop.borrow();
            match self.flush().await {
                Ok(()) => failing = false,
                Err(fault) if failing => {
                    tracing::debug!(%fault, "records of calls are still waiting to be written");
                }
                Err(fault) => {
                    failing = true;
                    tracing::error!(%fault, "cannot write records of calls; they are kept in memory");
                }
            }
            if stopped {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(FLUSH_INTERVAL) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Writes what was gathered. What fails is gathered again.
    ///
    /// # Errors
    /// [`StateFault`] of the first statement that failed.
    pub async fn flush(&self) -> Result<(), StateFault> {
        // Each kind by itself: one that cannot be written holds up no other.
        let settled = mem::take(&mut self.gathered().settled);
        let written = self.write(&settled).await;
        let settled = self.keep(written, settled, |gathered| &mut gathered.settled);

        let refused = mem::take(&mut self.gathered().refused);
        let written = self.write(&refused).await;
        let refused = self.keep(written, refused, |gathered| &mut gathered.refused);

        let counts = self.flush_sums(|gathered| &mut gathered.counts, CallCount::add);
        let counts = counts.await;
        let observed = self.flush_sums(|gathered| &mut gathered.observed, Observation::add);
        let observed = observed.await;
        settled.and(refused).and(counts).and(observed)
    }

    /// Writes what was added up by key. What fails is added to what has come meanwhile.
    async fn flush_sums<K: Eq + Hash, V>(
        &self,
        place: fn(&mut RecordBuffer) -> &mut HashMap<K, V>,
        sum: fn(&mut V, V),
    ) -> Result<(), StateFault>
    where
        (K, V): BulkRecord,
    {
        let sums: Vec<(K, V)> = mem::take(place(&mut self.gathered())).into_iter().collect();
        let Err((written, fault)) = self.write(&sums).await else {
            return Ok(());
        };
        let mut gathered = self.gathered();
        for (key, more) in sums.into_iter().skip(written) {
            add_to_sum(place(&mut gathered), key, more, sum);
        }
        Err(fault)
    }

    /// Writes in batches; where one fails, says how many records were written before.
    async fn write<T: BulkRecord>(&self, all: &[T]) -> Result<(), (usize, StateFault)> {
        // It stays where this is dropped half-way.
        self.writing.store(all.len(), Ordering::Relaxed);
        let written = self.write_batches(all).await;
        self.writing.store(0, Ordering::Relaxed);
        written
    }

    async fn write_batches<T: BulkRecord>(&self, all: &[T]) -> Result<(), (usize, StateFault)> {
        let mut written = 0;
        for some in all.chunks(STATEMENT_ROWS) {
            self.write_statement(some)
                .await
                .map_err(|(before, fault)| (written + before, fault))?;
            written += some.len();
        }
        Ok(())
    }

    /// Writes some records; where the values are at fault, each half by itself, until the one that cannot be written is
    /// found and dropped. Where it fails, says how many of the first are settled.
    async fn write_statement<T: BulkRecord>(&self, some: &[T]) -> Result<(), (usize, StateFault)> {
        let mut parts = vec![some];
        let mut settled = 0;
        while let Some(part) = parts.pop() {
            match with_timeout(self.timeout, T::write(&self.pool, part)).await {
                Ok(()) => settled += part.len(),
                Err(fault) if !fault.is_about_data() => return Err((settled, fault)),
                Err(fault) if part.len() <= 1 => {
                    settled += part.len();
                    self.dropped.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(%fault, "a record of a call cannot be written; it is dropped");
                }
                Err(_) => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
            }
        }
        Ok(())
    }

    fn keep<T>(
        &self,
        outcome: Result<(), (usize, StateFault)>,
        mut all: Vec<T>,
        place: impl Fn(&mut RecordBuffer) -> &mut Vec<T>,
    ) -> Result<(), StateFault> {
        let Err((written, fault)) = outcome else {
            return Ok(());
        };
        all.drain(..written.min(all.len()));
        let mut gathered = self.gathered();
        let place = place(&mut gathered);
        all.append(place);
        if all.len() > MAX_BUFFERED {
            let over = all.len() - MAX_BUFFERED;
            self.dropped.fetch_add(over as u64, Ordering::Relaxed);
            all.drain(..over);
        }
        *place = all;
        Err(fault)
    }

    /// A panic elsewhere must not end the records.
    fn gathered(&self) -> MutexGuard<'_, RecordBuffer> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
