//! The barrier: a change that restricts is answered when no node lets through any call that it refuses.
//!
//! After its commit a writer reads the nodes, and waits for each that is not fenced until it says that it has applied the
//! change, or until a lease and a drift have run since the rows arrived: whatever lease the node held then has ended, and
//! it takes no other before it has applied the change ([`super::membership`]). Such a node is fenced, unless it has
//! announced itself since: the next writer does not wait for it.
//!
//! In a history that has just begun announcements may be lost, so that the whole time is waited for every change.

use std::{sync::Arc, time::Duration};

use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::live::{
    lease::{CLOCK_DRIFT, LEASE_DURATION},
    nodes::{self, EnforcingNode, NodeCensus},
};
use crate::{
    clock::Clock,
    directory::{StateFault, revision, with_timeout},
};
use akgate_api::receipts::{Receipt, Wait};
use akgate_rules::{
    access_key::AccessKeyId,
    position::{BootInstant, Position},
};

/// Time between two looks at the nodes.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// How long to wait for earlier calls to end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// What a change concerns.
#[derive(Debug, Clone)]
pub enum AffectedKeys {
    /// Calls of these AccessKeys and of sessions that descend from them.
    Keys(Vec<AccessKeyId>),
    /// Calls of all restricted keys.
    All,
}

/// A failover has lost the change: it must be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the database lost this change in a failover")]
pub struct LostChange;

/// Waits for nodes. What many wait for at the same time is read once for all.
pub struct Barrier {
    pool: PgPool,
    /// For receipts: what keeps them waiting keeps no lease waiting.
    records: PgPool,
    clock: Arc<dyn Clock>,
    timeout: Duration,
    last: Mutex<Option<Arc<NodeSnapshot>>>,
}

/// One snapshot of the nodes.
struct NodeSnapshot {
    /// An instant before it was read: it shows everything that was committed by then.
    began: BootInstant,
    /// When it arrived: waiting times count from here. Otherwise a writer that was stopped before the query would fence
    /// a node that has announced itself meanwhile.
    arrived: BootInstant,
    census: NodeCensus,
}

impl Barrier {
    /// A new barrier. `records` keeps receipts; `timeout` is for one call of the database.
    #[must_use]
    pub fn new(pool: PgPool, records: PgPool, clock: Arc<dyn Clock>, timeout: Duration) -> Self {
        Self {
            pool,
            records,
            clock,
            timeout,
            last: Mutex::new(None),
        }
    }

    /// Waits after a commit; stores the receipt and returns it.
    ///
    /// # Errors
    /// [`LostChange`].
    pub async fn wait(
        &self,
        committed: Position,
        concern: &AffectedKeys,
        wait: Wait,
    ) -> Result<Receipt, LostChange> {
        let began = self.clock.since_boot();
        let waited = match wait {
            Wait::None => None,
            Wait::Enforced | Wait::Drained => self.enforced(committed, wait, began).await?,
        };
        let elapsed = self.clock.since_boot().since(began).as_millis();
        let mut receipt = Receipt {
            history: committed.history,
            revision: committed.revision,
            nodes: None,
            fenced: Vec::new(),
            may_still_let_reads_pass: Vec::new(),
            waited_ms: u64::try_from(elapsed).unwrap_or(u64::MAX),
            calls_in_flight: None,
        };
        if let Some(waited) = waited {
            receipt.nodes = Some(waited.enforcing);
            receipt.calls_in_flight = waited.calls_in_flight(committed, concern);
            // They may not know yet that an account is strict, or that the mode enforces.
            receipt.may_still_let_reads_pass.clone_from(&waited.fenced);
            receipt.fenced = waited.fenced;
        }
        if wait != Wait::None
            && let Err(fault) = with_timeout(
                self.timeout,
                insert_receipt(&self.records, &receipt, self.clock.now()),
            )
            .await
        {
            tracing::warn!(%fault, revision = receipt.revision, "cannot store a receipt");
        }
        Ok(receipt)
    }

    /// `None` where the database is gone.
    async fn enforced(
        &self,
        committed: Position,
        wait: Wait,
        began: BootInstant,
    ) -> Result<Option<EnforcementSummary>, LostChange> {
        let Some(mut look) = self.look(began).await else {
            return Ok(None);
        };
        let mut wanted = committed;
        if !self.follow(&mut wanted, look.census.position).await? {
            return Ok(None);
        }
        let first = look.arrived;
        let is_pending = |node: &&EnforcingNode| is_node_pending(node, wanted);
        let mut pending: Vec<EnforcingNode> = look
            .census
            .nodes
            .iter()
            .filter(is_pending)
            .cloned()
            .collect();
        let mut is_settled = look.census.is_settled;
        loop {
            let is_over = self.clock.since_boot().since(first) > LEASE_DURATION + CLOCK_DRIFT;
            if is_over || pending.is_empty() && is_settled {
                break;
            }
            let Some(next) = self.look(look.began.after(POLL_INTERVAL)).await else {
                return Ok(None);
            };
            look = next;
            if look.census.position.history != wanted.history {
                // The wait must start again.
                if !self.follow(&mut wanted, look.census.position).await? {
                    return Ok(None);
                }
                return Box::pin(self.enforced(committed, wait, self.clock.since_boot())).await;
            }
            is_settled |= look.census.is_settled;
            pending.retain(|one| look.census.is_waited_for(one.node_id, wanted));
        }
        for node in &pending {
            match with_timeout(self.timeout, nodes::fence_node(&self.pool, node)).await {
                Ok(true) => tracing::warn!(
                    node = node.name,
                    revision = wanted.revision,
                    "a node is not responding; no change waits for it until it announces itself again"
                ),
                Ok(false) => {}
                Err(_) => return Ok(None),
            }
        }
        let now = self.clock.since_boot();
        if !pending.is_empty() {
            let Some(fenced) = self.look(now).await else {
                return Ok(None);
            };
            look = fenced;
        }
        if wait == Wait::Drained {
            while !look.census.is_drained(wanted)
                && self.clock.since_boot().since(now) < DRAIN_TIMEOUT
            {
                let next = self.look(look.began.after(POLL_INTERVAL)).await;
                let Some(next) = next else {
                    return Ok(None);
                };
                look = next;
            }
        }
        Ok(Some(EnforcementSummary::of(&look.census, wanted)))
    }

    /// Follows a change into the history that there is by now; false where the database cannot be asked.
    async fn follow(&self, wanted: &mut Position, now: Position) -> Result<bool, LostChange> {
        if now.history == wanted.history {
            return Ok(true);
        }
        let fork = with_timeout(self.timeout, async {
            let mut db = self.pool.acquire().await?;
            revision::find_fork(&mut db, wanted.history, now.history).await
        });
        match fork.await {
            Ok(Some(fork)) if wanted.revision <= fork.revision => {
                wanted.history = now.history;
                Ok(true)
            }
            Ok(Some(_) | None) => Err(LostChange),
            Err(_) => Ok(false),
        }
    }

    /// A snapshot that begins at `from` or later, shared by all who need one at the same time. `None` where the
    /// database cannot be asked in the time that a lease and a drift take, or a call of the database.
    async fn look(&self, from: BootInstant) -> Option<Arc<NodeSnapshot>> {
        let asked = self.clock.since_boot();
        let patience = self.timeout.max(LEASE_DURATION + CLOCK_DRIFT);
        let is_over = || self.clock.since_boot().since(asked) > patience;
        loop {
            let early = from.since(self.clock.since_boot());
            if !early.is_zero() {
                tokio::time::sleep(early).await;
            }
            let mut last = self.last.lock().await;
            // Others may have waited for the database meanwhile.
            if is_over() {
                return None;
            }
            if let Some(look) = last.as_ref().filter(|look| look.began >= from) {
                return Some(Arc::clone(look));
            }
            let now = self.clock.since_boot();
            match with_timeout(self.timeout, self.census()).await {
                Ok(census) => {
                    let look = Arc::new(NodeSnapshot {
                        began: now,
                        arrived: self.clock.since_boot(),
                        census,
                    });
                    *last = Some(Arc::clone(&look));
                    return Some(look);
                }
                Err(fault) => {
                    drop(last);
                    if is_over() {
                        tracing::warn!(%fault, "a change is committed, but it is unknown which nodes enforce it");
                        return None;
                    }
                    tokio::time::sleep(POLL_INTERVAL * 4).await;
                }
            }
        }
    }

    async fn census(&self) -> Result<NodeCensus, StateFault> {
        let mut db = self.pool.acquire().await?;
        if let Some(census) = nodes::read_node_census(&mut db).await? {
            return Ok(census);
        }
        drop(db);
        revision::stamp_history(&self.pool, None).await?;
        let mut db = self.pool.acquire().await?;
        nodes::read_node_census(&mut db)
            .await?
            .ok_or(StateFault::OtherHistory)
    }
}

fn is_node_pending(node: &EnforcingNode, wanted: Position) -> bool {
    let has_applied = node
        .report
        .as_ref()
        .is_some_and(|report| report.applied.covers(wanted));
    !node.is_fenced && !has_applied
}

impl NodeCensus {
    fn is_waited_for(&self, node_id: Uuid, wanted: Position) -> bool {
        let node = self.nodes.iter().find(|node| node.node_id == node_id);
        node.is_some_and(|node| is_node_pending(node, wanted))
    }

    /// Whether every reachable node has ended its earlier calls.
    fn is_drained(&self, wanted: Position) -> bool {
        let asked = self.nodes.iter().filter(|node| !node.is_fenced);
        asked.into_iter().all(|node| {
            node.report.as_ref().is_some_and(|report| {
                report.applied.covers(wanted) && report.drained_below >= wanted.revision
            })
        })
    }
}

/// The final reports of the nodes.
struct EnforcementSummary {
    /// Nodes that have applied it, or take no lease before they have.
    enforcing: u32,
    fenced: Vec<String>,
    /// Calls of restricted keys; `None` where a node could not be asked.
    calls: Option<Vec<(String, i64)>>,
}

impl EnforcementSummary {
    fn of(census: &NodeCensus, wanted: Position) -> Self {
        let (fenced, enforcing): (Vec<&EnforcingNode>, Vec<&EnforcingNode>) =
            census.nodes.iter().partition(|node| node.is_fenced);
        let reports = enforcing.iter().map(|node| {
            let report = node.report.as_ref()?;
            report.applied.covers(wanted).then_some(report)
        });
        let reports: Option<Vec<_>> = reports.collect();
        let calls = reports.filter(|_| fenced.is_empty()).map(|reports| {
            let calls = reports.iter().flat_map(|report| &report.calls_under_way);
            calls.cloned().collect()
        });
        Self {
            enforcing: u32::try_from(enforcing.len()).unwrap_or(u32::MAX),
            fenced: fenced.iter().map(|node| node.name.clone()).collect(),
            calls,
        }
    }

    fn calls_in_flight(&self, committed: Position, concern: &AffectedKeys) -> Option<u64> {
        let calls = self.calls.as_ref()?.iter();
        let of_before = calls.filter(|(root, decided)| {
            let is_concerned = match concern {
                AffectedKeys::Keys(keys) => keys.iter().any(|key| key.as_str() == root),
                AffectedKeys::All => true,
            };
            *decided < committed.revision && is_concerned
        });
        u64::try_from(of_before.count()).ok()
    }
}

/// Stores a receipt; the first one of a change counts.
async fn insert_receipt(
    pool: &PgPool,
    receipt: &Receipt,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    sqlx::query!(
        "INSERT INTO receipts (
             history,
             revision,
             nodes,
             fenced,
             waited_ms,
             calls_in_flight,
             received_at
         )
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT DO NOTHING",
        receipt.history.0,
        receipt.revision,
        receipt.nodes.and_then(|nodes| i32::try_from(nodes).ok()),
        &receipt.fenced,
        i64::try_from(receipt.waited_ms).unwrap_or(i64::MAX),
        receipt
            .calls_in_flight
            .and_then(|calls| i64::try_from(calls).ok()),
        now
    )
    .execute(pool)
    .await?;
    Ok(())
}
