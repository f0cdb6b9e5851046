//! Periodic maintenance of the database: creates partitions for the next days, deletes old records, and marks outcomes
//! that will never be written. The steps are independent: a failing one does not delay the others.

use std::time::Duration;

use time::OffsetDateTime;
use tokio::{sync::watch, time::Instant};

use crate::{
    calls::{
        observed, partitions,
        reconcile::{self, ReconcileProgress},
    },
    clock::Clock,
    database::Pool,
    directory::{StateFault, lineage, sessions, with_timeout},
    operators::{idempotency, store},
    outbox::events,
};

/// The time between two looks for calls without an outcome.
const RECONCILE_INTERVAL: Duration = Duration::from_secs(60);

/// The time between two rounds of everything else.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(3600);

/// The upkeep of a database.
#[derive(Clone, Copy)]
pub struct Upkeep<'a> {
    /// The database.
    pub pool: &'a Pool,
    /// The source of the current time.
    pub clock: &'a dyn Clock,
    /// How long a step may take.
    pub timeout: Duration,
    /// How long records of calls are kept.
    pub retention: time::Duration,
    /// How long it is kept what made what.
    pub lineage_retention: time::Duration,
}

impl Upkeep<'_> {
    /// Does what is due until told to stop; the step at hand is finished first. `report_unknown` is told how many calls
    /// were found whose outcome nobody will write.
    pub async fn run(self, mut stop: watch::Receiver<bool>, report_unknown: impl Fn(u64)) {
        let mut next_round = Instant::now();
        let mut progress = ReconcileProgress {
            from: self.clock.now() - reconcile::LOOK_BACK,
            marked: 0,
        };
        while !*stop.borrow() {
            let now = self.clock.now();
            if next_round <= Instant::now() {
                next_round = Instant::now() + UPKEEP_INTERVAL;
                self.maintain(now).await;
            }
            report_unknown(self.reconcile(&mut progress, now).await);
            tokio::select! {
                () = tokio::time::sleep(RECONCILE_INTERVAL) => {}
                _ = stop.changed() => {}
            }
        }
    }

    async fn maintain(self, now: OffsetDateTime) {
        let pool = self.pool;
        let old = now - self.retention;
        let ended = now - time::Duration::days(1);
        self.step("partitions", partitions::ensure_partitions(pool, now))
            .await;
        self.step(
            "old partitions",
            partitions::drop_partitions_before(pool, old),
        )
        .await;
        self.step(
            "observations",
            observed::delete_observations_before(pool, old),
        )
        .await;
        self.step("events", events::delete_sent_events(pool, old))
            .await;
        self.step(
            "idempotency keys",
            idempotency::delete_expired_answers(pool, now),
        )
        .await;
        self.step("tokens", store::delete_expired_tokens(pool, now))
            .await;
        let forgotten = now - self.lineage_retention;
        self.step("lineage", lineage::delete_creations_before(pool, forgotten))
            .await;
        self.step("sessions", sessions::delete_sessions_before(pool, ended))
            .await;
    }

    async fn reconcile(self, progress: &mut ReconcileProgress, now: OffsetDateTime) -> u64 {
        let before = progress.marked;
        let marking = reconcile::mark_unknown_outcomes(self.pool, progress, now);
        self.step("outcomes of calls", marking).await;
        let count = progress.marked - before;
        if count > 0 {
            tracing::warn!(
                count,
                "the outcome of calls is unknown: their node ended before it was written"
            );
        }
        count
    }

    async fn step<T>(self, step: &'static str, work: impl Future<Output = Result<T, StateFault>>) {
        if let Err(fault) = with_timeout(self.timeout, work).await {
            tracing::warn!(step, %fault, "the database maintenance failed; it will be retried");
        }
    }
}
