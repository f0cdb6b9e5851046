//! A node's membership: it announces itself, reads the registry, and only then takes a lease; and it reports what it
//! enforces.
//!
//! Every 500 ms:
//!
//! 1. It commits an announcement to its own row ([`nodes::announce_node`]).
//! 2. It reads where the registry stands and applies everything up to there.
//! 3. It holds a lease, counted from before 1.
//!
//! A writer that commits a change either sees the announcement, and waits until the node has applied the change or its
//! lease has ended; or it committed before step 2, which reads the change. No lock is needed, and no wall clocks are
//! compared.

mod clocks;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::PgPool;
use tokio::sync::watch;
use uuid::Uuid;

pub use self::clocks::{ClockFault, Clocks};
use crate::follow::{NextRound, PollLoop};
use crate::live::{
    feed::Feed,
    lease::{CLOCK_DRIFT, LEASE_DURATION, Lease},
    nodes::{self, EnforcementReport, NodeInfo},
};
use crate::{
    calls::in_flight::InFlight,
    clock::{Clock, LatestTime},
    database::describe_refusal,
    directory::{StateFault, revision, with_timeout},
};
use akgate_rules::position::{BootInstant, History, Position};

/// How often a node announces itself.
const ANNOUNCE_INTERVAL: Duration = Duration::from_millis(500);

/// After what time a round that failed is made again.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// How often to check for the end of earlier calls while some are in progress.
const DRAIN_POLL_INTERVAL: Duration = Duration::from_millis(10);

/// A node among the others.
pub struct Membership {
    node_info: NodeInfo,
    pool: PgPool,
    /// What it enforces; `None` for one that judges no calls.
    feed: Option<Arc<Feed>>,
    lease: Arc<Lease>,
    calls: Arc<InFlight>,
    clock: Arc<dyn Clock>,
    latest: Arc<LatestTime>,
    clocks: Clocks,
    /// Since when the present history is known here.
    since: Mutex<Option<(History, BootInstant)>>,
    drain: Mutex<DrainProgress>,
    announced: Mutex<AnnouncementState>,
    timeout: Duration,
}

/// How announcing goes.
#[derive(Debug, Clone, Default)]
pub struct AnnouncementState {
    /// When an announcement that the database took began; `None` while there was none.
    pub at: Option<BootInstant>,
    /// Why the database did not take the last one, in its words; `None` where it did, or gave no answer.
    pub refused: Option<String>,
}

/// What a [`Membership`] is made of.
pub struct MembershipParts {
    /// What the node says of itself.
    pub node_info: NodeInfo,
    /// The database.
    pub pool: PgPool,
    /// What it enforces; `None` for one that judges no calls.
    pub feed: Option<Arc<Feed>>,
    /// The calls that it is at work on.
    pub calls: Arc<InFlight>,
    /// The source of the current time.
    pub clock: Arc<dyn Clock>,
    /// The latest time that this node has seen; it never steps back.
    pub latest: Arc<LatestTime>,
    /// How long one call of the database may take.
    pub timeout: Duration,
}

/// Which calls from before a change have ended.
#[derive(Debug, Default)]
struct DrainProgress {
    /// A position, and the set of calls that may have begun before it was known here.
    waiting: Option<(Position, usize)>,
    /// Every call that began before this was known here has ended.
    done: Option<Position>,
}

impl Membership {
    /// A node that has not announced itself yet.
    #[must_use]
    pub fn new(parts: MembershipParts) -> Self {
        Self {
            node_info: parts.node_info,
            pool: parts.pool,
            feed: parts.feed,
            lease: Arc::default(),
            calls: parts.calls,
            clock: parts.clock,
            latest: parts.latest,
            clocks: Clocks::default(),
            since: Mutex::default(),
            drain: Mutex::default(),
            announced: Mutex::default(),
            timeout: parts.timeout,
        }
    }

    /// Its lease.
    #[must_use]
    pub fn lease(&self) -> &Arc<Lease> {
        &self.lease
    }

    /// What is known of its clock.
    #[must_use]
    pub fn clocks(&self) -> &Clocks {
        &self.clocks
    }

    /// How announcing goes: it is what this node writes most often.
    #[must_use]
    pub fn announced(&self) -> AnnouncementState {
        let announced = self.announced.lock();
        announced.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it says of itself.
    #[must_use]
    pub fn node_info(&self) -> &NodeInfo {
        &self.node_info
    }

    /// Announces the node and renews its lease until told to stop; then removes it from the list.
    pub async fn run(self: Arc<Self>, stop: watch::Receiver<bool>) {
        let reporting = Arc::clone(&self);
        let reports = tokio::spawn({
            let stop = stop.clone();
            async move { reporting.keep_reporting(stop).await }
        });
        self.keep_announcing(stop).await;
        // The reports end with the same word.
        drop(reports.await);
        self.lease.release();
        let leaving = nodes::delete_node(&self.pool, self.node_info.node_id);
        if let Err(fault) = with_timeout(self.timeout, leaving).await {
            tracing::debug!(%fault, "cannot remove this node from the list of nodes; it disappears later");
        }
    }

    async fn keep_announcing(&self, stop: watch::Receiver<bool>) {
        let rounds = PollLoop {
            pool: &self.pool,
            channel: None,
            poll: ANNOUNCE_INTERVAL,
            retry: RETRY_INTERVAL,
            timeout: self.timeout,
            failed: "this node cannot announce itself and has no lease",
            recovered: "this node has a lease again",
        };
        let round = || async { self.round().await.map(|()| NextRound::Later) };
        rounds.run(stop, round).await;
    }

    /// Announces itself, reads, takes a lease.
    ///
    /// # Errors
    /// [`StateFault`]; it holds the lease that it held before, until that ends.
    pub async fn round(&self) -> Result<(), StateFault> {
        let from = self.clock.since_boot();
        let (before, offset) = (self.clock.now(), self.clocks.offset());
        let announcing = nodes::announce_node(&self.pool, &self.node_info, offset);
        let announced = with_timeout(self.timeout, announcing).await;
        self.note_announcement(from, announced.as_ref().err());
        let theirs = announced?;
        let now = self.clock.now();
        self.clocks.measure(before, now, theirs);
        if let Some(feed) = &self.feed {
            feed.poll().await?;
            self.lease.take(from);
            self.report().await?;
            self.settle(feed).await?;
        }
        let (nodes, latest) = with_timeout(self.timeout, async {
            let nodes = nodes::list_running_nodes(&self.pool).await?;
            let latest = nodes::advance_latest_time(&self.pool, now).await?;
            Ok::<_, StateFault>((nodes, latest))
        })
        .await?;
        self.latest.see(latest);
        let recent = nodes.iter().filter(|node| node.is_recent);
        let offsets = recent.filter_map(|node| Some((node.node_id, node.clock_offset_ms?)));
        let offsets: Vec<(Uuid, i64)> = offsets.collect();
        self.clocks.compare(self.node_info.node_id, &offsets);
        let ring = &self.node_info.ring;
        if ring.seal_with_common_key(&nodes::seal_key_ids(nodes)) {
            let key = ring.sealing();
            tracing::info!(key, "secrets are sealed with another key from now on");
        }
        Ok(())
    }

    fn note_announcement(&self, from: BootInstant, fault: Option<&StateFault>) {
        let announced = self.announced.lock();
        let mut announced = announced.unwrap_or_else(PoisonError::into_inner);
        announced.refused = fault.and_then(describe_refusal);
        if fault.is_none() {
            announced.at = Some(from);
        }
    }

    /// Once a history has been known here for the length of a lease, every earlier lease has ended.
    async fn settle(&self, feed: &Feed) -> Result<(), StateFault> {
        let Some(position) = feed.live().position() else {
            return Ok(());
        };
        let now = self.clock.since_boot();
        {
            let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
            match *since {
                Some((history, first)) if history == position.history => {
                    if now.since(first) <= LEASE_DURATION + CLOCK_DRIFT {
                        return Ok(());
                    }
                }
                Some(_) | None => {
                    *since = Some((position.history, now));
                    return Ok(());
                }
            }
        }
        with_timeout(
            self.timeout,
            revision::settle_history(&self.pool, position.history),
        )
        .await?;
        // Once, and again after the next history.
        let never = BootInstant(Duration::MAX);
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        *since = Some((position.history, never));
        Ok(())
    }

    /// Reports what it enforces whenever that changes, until told to stop.
    pub async fn keep_reporting(&self, mut stop: watch::Receiver<bool>) {
        let Some(feed) = &self.feed else {
            return;
        };
        let mut moves = feed.live().position_changes();
        let mut told: Option<EnforcementReport> = None;
        while !*stop.borrow() {
            let report = self.look(feed);
            let is_busy = report.as_ref().is_some_and(|report| {
                report.drained_below < report.applied.revision || !report.calls_under_way.is_empty()
            });
            if report.is_some() && report != told {
                let written = self.write(report.as_ref()).await;
                match written {
                    Ok(()) => told = report,
                    Err(fault) => {
                        tracing::debug!(%fault, "cannot report what this node enforces yet");
                        tokio::time::sleep(RETRY_INTERVAL).await;
                        continue;
                    }
                }
            }
            tokio::select! {
                _ = moves.changed() => {}
                () = tokio::time::sleep(DRAIN_POLL_INTERVAL), if is_busy || told.is_none() => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Reports what it enforces now.
    ///
    /// # Errors
    /// [`StateFault`].
    pub async fn report(&self) -> Result<(), StateFault> {
        match &self.feed {
            Some(feed) => self.write(self.look(feed).as_ref()).await,
            None => Ok(()),
        }
    }

    async fn write(&self, report: Option<&EnforcementReport>) -> Result<(), StateFault> {
        let Some(report) = report else {
            return Ok(());
        };
        with_timeout(
            self.timeout,
            nodes::update_enforcement_report(&self.pool, self.node_info.node_id, report),
        )
        .await
    }

    fn look(&self, feed: &Feed) -> Option<EnforcementReport> {
        let applied = feed.live().position()?;
        let calls = self.calls.intended_calls().into_iter();
        let of_before = calls
            .filter(|(root, decided)| !decided.covers(applied) && feed.live().is_restricted(root));
        let calls_under_way = of_before.map(|(root, decided)| {
            let is_same = decided.history == applied.history;
            (
                root.as_str().to_owned(),
                if is_same { decided.revision } else { -1 },
            )
        });
        Some(EnforcementReport {
            applied,
            drained_below: self.drained(applied),
            calls_under_way: calls_under_way.collect(),
        })
    }

    /// The position before which every call has ended.
    fn drained(&self, applied: Position) -> i64 {
        let mut drain = self.drain.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((position, set)) = drain.waiting
            && self.calls.is_empty(set)
        {
            drain.done = Some(position);
            drain.waiting = None;
        }
        if drain.waiting.is_none() && drain.done != Some(applied) {
            let set = self.calls.turn();
            match self.calls.is_empty(set) {
                true => drain.done = Some(applied),
                false => drain.waiting = Some((applied, set)),
            }
        }
        let done = drain.done.filter(|done| done.history == applied.history);
        done.map_or(0, |done| done.revision)
    }
}
