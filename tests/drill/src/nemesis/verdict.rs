//! What passed, and what is not in force in the end.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    ledger::{CallAfter, Entries, Receipt},
    work::Work,
};
use crate::{
    Result,
    clock::Moment,
    histories::Histories,
    keys::Key,
    signer::{Answer, Kind},
    upstream::Upstream,
};

/// How long a node may take to be itself again after all faults.
const PATIENCE: Duration = Duration::from_secs(60);

/// Calls at a time.
const AT_ONCE: usize = 32;

/// A call that may not have passed, and did.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Pass {
    /// The key.
    pub access_key_id: String,
    /// What was called.
    pub action: &'static str,
    /// At which node.
    pub node: usize,
    /// The node that had acknowledged the report.
    pub reported_at: usize,
    /// How long after the receipt its first byte left, in milliseconds.
    pub sent_after_ms: f64,
    /// How long after the receipt it reached the upstream, in milliseconds.
    pub reached_after_ms: f64,
    /// Whether it is a read, and the receipt says itself that it does not know of the nodes.
    pub is_unsure: bool,
    /// The faults between the report and the upstream.
    pub faults: Vec<String>,
}

/// Until when a receipt binds: for ever, or until the failover that lost its commit.
#[must_use]
pub fn binds_until(receipt: &Receipt, entries: &Entries, histories: &Histories) -> Moment {
    if histories.keep(&receipt.acknowledgement) {
        return Moment::MAX;
    }
    let kills = entries.faults.iter().filter_map(|fault| fault.killed);
    kills
        .filter(|killed| *killed >= receipt.began)
        .min()
        .unwrap_or(Moment::MAX)
}

/// Whether a call that was sent after a receipt passed against it.
#[must_use]
pub fn passed(
    after: &CallAfter,
    entries: &Entries,
    histories: &Histories,
    upstream: &Upstream,
) -> Option<Pass> {
    let receipt = entries.receipts.get(after.receipt)?;
    let reached = upstream.reached(after.call.mark)?;
    let counts = after.call.sent > receipt.at && reached < binds_until(receipt, entries, histories);
    counts.then(|| Pass {
        access_key_id: after.call.key.id(),
        action: after.call.kind.action(),
        node: after.node,
        reported_at: receipt.node,
        sent_after_ms: milliseconds(after.call.sent.saturating_sub(receipt.at)),
        reached_after_ms: milliseconds(reached.saturating_sub(receipt.at)),
        is_unsure: after.call.kind == Kind::ListUsers && knows_no_nodes(receipt),
        faults: entries
            .faults
            .iter()
            .filter(|fault| fault.touches(receipt.began, reached))
            .map(|fault| match fault.node {
                Some(node) => format!("{:?} of {node}", fault.kind),
                None => format!("{:?}", fault.kind),
            })
            .collect(),
    })
}

fn knows_no_nodes(receipt: &Receipt) -> bool {
    let position = receipt.acknowledgement.position.as_ref();
    position.is_some_and(|position| position.nodes.is_none())
}

/// A time as people read it.
#[must_use]
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Calls CreateUser with every key whose restriction was acknowledged and is not lost, at every node; gives those that
/// are not refused.
///
/// # Errors
/// Where a node does not say: it is not well though every fault is healed.
pub async fn not_in_force(work: &Arc<Work>, histories: &Histories) -> Result<Vec<String>> {
    let bound: Vec<Key> = {
        let entries = work.ledger.open();
        let receipts = entries.last.values();
        let receipts = receipts.filter_map(|number| entries.receipts.get(*number));
        receipts
            .filter(|receipt| histories.keep(&receipt.acknowledgement))
            .map(|receipt| receipt.key)
            .collect()
    };
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut calls = JoinSet::new();
    for key in bound {
        for node in 0..work.cluster.nodes.len() {
            let (work, turns) = (Arc::clone(work), Arc::clone(&turns));
            calls.spawn(async move {
                let _turn = turns.acquire().await?;
                is_refused(&work, key, node).await
            });
        }
    }
    let mut open = Vec::new();
    while let Some(ended) = calls.join_next().await {
        let ended: Result<Option<String>> = ended?;
        open.extend(ended?);
    }
    Ok(open)
}

async fn is_refused(work: &Work, key: Key, number: usize) -> Result<Option<String>> {
    let node = work.cluster.nodes.get(number).ok_or("no such node")?;
    let until = Instant::now() + PATIENCE;
    loop {
        let addresses = node.reachable(PATIENCE).await;
        let gateway = addresses.ok_or("a node does not run")?.gateway;
        let signer = &work.cluster.signer;
        let call = signer
            .call(gateway, key, Kind::CreateUser, PATIENCE)
            .await?;
        let reached = work.cluster.upstream.reached(call.mark).is_some();
        match call.answer {
            Answer::Answered(403, _) if !reached => return Ok(None),
            Answer::Answered(503, _) | Answer::Unanswered if !reached => {}
            answer => {
                let what = format!("{} at {}: {answer:?}", key.id(), node.name());
                return Ok(Some(what));
            }
        }
        if Instant::now() > until {
            return Err(format!("{} does not recover", node.name()).into());
        }
        sleep(Duration::from_millis(100)).await;
    }
}
