//! The life of a key in the drill: warm at every node, reported at one, called at all.

use std::{
    collections::VecDeque,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rand::{SeedableRng, rngs::StdRng, seq::IteratorRandom};
use tokio::{
    sync::{Mutex, Semaphore, mpsc},
    task::JoinSet,
    time::{Instant, interval, sleep},
};

use super::{
    ledger::{CallAfter, Ledger},
    reporting::report,
};
use crate::{
    Result,
    cluster::Cluster,
    keys::Key,
    node::State,
    signer::{Answer, Kind},
};

/// Keys that are warmed up at a time.
const WARMERS: usize = 24;

/// How long a node is asked to take a key before it is reported: a node under a fault stays cold.
const WARM: Duration = Duration::from_secs(3);

/// How long a call after a receipt may be answered late: longer than any fault lasts.
const PATIENCE: Duration = Duration::from_secs(60);

/// Keys, for each that is reported, whose calls may still wait for a stopped node: reports go on meanwhile.
const LATE: usize = 5;

/// How much is done, and how.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Keys that are reported and called at a time.
    pub at_once: usize,
    /// Calls at each node after a receipt.
    pub calls_per_node: usize,
    /// The least time between two keys that are begun.
    pub interval: Duration,
    /// Where the random choices begin.
    pub seed: u64,
    /// When no further key is begun.
    pub until: Instant,
}

/// What all the workers share.
#[derive(Debug)]
pub struct Work {
    /// Where it happens.
    pub cluster: Cluster,
    /// What happened.
    pub ledger: Ledger,
    /// Keys that wait.
    pub waiting: std::sync::Mutex<VecDeque<Key>>,
    /// Whether something has failed that no fault explains.
    pub failed: AtomicBool,
}

impl Work {
    /// Puts keys into the queue.
    pub fn queue(&self, keys: impl IntoIterator<Item = Key>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.extend(keys);
    }

    /// Forgets what waits.
    pub fn clear(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.clear();
    }

    fn next(&self, pace: Pace) -> Option<Key> {
        if Instant::now() >= pace.until || self.failed.load(Ordering::Relaxed) {
            return None;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.pop_front()
    }
}

/// Works until nothing waits any more.
///
/// # Errors
/// An answer that no fault explains.
pub async fn work(work: &Arc<Work>, pace: Pace) -> Result<()> {
    let (warm, warmed) = mpsc::channel(pace.at_once);
    let warmed = Arc::new(Mutex::new(warmed));
    let late = Arc::new(Semaphore::new(pace.at_once * LATE));
    let mut tasks = JoinSet::new();
    let turns = Arc::new(Mutex::new(interval(pace.interval)));
    for _ in 0..WARMERS {
        let (work, warm, turns) = (Arc::clone(work), warm.clone(), Arc::clone(&turns));
        tasks.spawn(async move {
            loop {
                turns.lock().await.tick().await;
                let Some(key) = work.next(pace) else { break };
                warm_up(&work, key).await?;
                if warm.send(key).await.is_err() {
                    break;
                }
            }
            Ok(())
        });
    }
    drop(warm);
    for worker in 0..pace.at_once {
        let (work, warmed) = (Arc::clone(work), Arc::clone(&warmed));
        let late = Arc::clone(&late);
        let mut rng = StdRng::seed_from_u64(pace.seed.wrapping_add(worker as u64));
        tasks.spawn(async move {
            let mut calls = JoinSet::new();
            loop {
                let turn = Arc::clone(&late).acquire_owned().await?;
                let next = warmed.lock().await.recv().await;
                let Some(key) = next else { break };
                let sent = report_and_call(&work, key, pace, &mut rng).await?;
                calls.spawn(async move {
                    let _turn = turn;
                    finish(sent).await
                });
                while let Some(ended) = calls.try_join_next() {
                    ended??;
                }
            }
            finish(calls).await
        });
    }
    while let Some(ended) = tasks.join_next().await {
        let ended: Result<()> = ended?;
        if ended.is_err() {
            work.failed.store(true, Ordering::Relaxed);
            return ended;
        }
    }
    Ok(())
}

/// Makes every node that serves know the key: cold nodes would ask PostgreSQL, and refuse for a reason of their own.
async fn warm_up(work: &Arc<Work>, key: Key) -> Result<()> {
    let mut calls = JoinSet::new();
    for (number, _) in work.cluster.up() {
        calls.spawn(warm_up_at(Arc::clone(work), number, key));
    }
    finish(calls).await
}

async fn warm_up_at(work: Arc<Work>, number: usize, key: Key) -> Result<()> {
    let node = work.cluster.nodes.get(number).ok_or("no such node")?;
    let until = Instant::now() + WARM;
    for kind in [Kind::ListUsers, Kind::CreateUser] {
        while let State::Up(addresses) = node.state()
            && Instant::now() < until
        {
            let signer = &work.cluster.signer;
            let call = signer.call(addresses.gateway, key, kind, WARM).await?;
            let well = call.answer.is_of_a_well_node();
            work.ledger.open().before.push(call);
            if well {
                break;
            }
            sleep(Duration::from_millis(200)).await;
        }
    }
    Ok(())
}

/// Reports a key, and has the calls sent as soon as that is acknowledged; gives those that are not answered yet.
async fn report_and_call(
    work: &Arc<Work>,
    key: Key,
    pace: Pace,
    rng: &mut StdRng,
) -> Result<JoinSet<Result<()>>> {
    let mut calls = JoinSet::new();
    // Nothing is decided between the receipt and the calls.
    let kinds: &[Kind] = match key.account().is_strict() {
        true => &Kind::FORBIDDEN_UNDER_STRICT,
        false => &Kind::FORBIDDEN,
    };
    let plan: Vec<Vec<Kind>> = (0..work.cluster.nodes.len())
        .map(|_| kinds.iter().copied().sample(rng, pace.calls_per_node))
        .collect();
    let Some(receipt) = report(work, key, rng).await? else {
        work.ledger.open().unacknowledged += 1;
        return Ok(calls);
    };
    let receipt = work.ledger.enter(receipt);
    for (node, kinds) in plan.into_iter().enumerate() {
        for kind in kinds {
            calls.spawn(call_until_answered(
                Arc::clone(work),
                receipt,
                node,
                key,
                kind,
            ));
        }
    }
    Ok(calls)
}

/// Sends a call, and a new one in its place where the connection breaks: a node that was killed forgets its callers.
async fn call_until_answered(
    work: Arc<Work>,
    receipt: usize,
    number: usize,
    key: Key,
    kind: Kind,
) -> Result<()> {
    let node = work.cluster.nodes.get(number).ok_or("no such node")?;
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        let Some(addresses) = node.reachable(PATIENCE).await else {
            break;
        };
        let signer = &work.cluster.signer;
        let call = signer.call(addresses.gateway, key, kind, PATIENCE).await?;
        let answered = call.answer != Answer::Unanswered;
        let call = CallAfter {
            receipt,
            node: number,
            call,
        };
        work.ledger.open().after.push(call);
        if answered {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

async fn finish(mut tasks: JoinSet<Result<()>>) -> Result<()> {
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}
