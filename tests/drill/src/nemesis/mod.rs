//! The nemesis drill: while faults are injected, no call whose first byte left after a receipt's last byte may reach
//! the upstream.

mod ledger;
mod reporting;
mod summary;
mod verdict;
mod work;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};
use tokio::time::{Instant, sleep};

pub use self::summary::Summary;
use self::{
    ledger::Ledger,
    reporting::report,
    work::{Pace, Work, work},
};
use crate::{
    Result,
    cluster::{self, Cluster, Hosts, Notified},
    fault::{Kind, inject},
    histories::Histories,
    keys::Key,
};

/// Keys beside those of the receipts: after each failover one of them is reported.
const SPARE: usize = 500;

/// How long keys that were lost last are still reported again.
const LAST: Duration = Duration::from_secs(60);

/// What is run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The `akgate` to run.
    pub akgate: PathBuf,
    /// How many nodes.
    pub nodes: usize,
    /// How many keys are reported.
    pub receipts: usize,
    /// Calls at each node after a receipt.
    pub calls_per_node: usize,
    /// Keys that are reported and called at a time.
    pub at_once: usize,
    /// The least time between two keys that are begun; not zero.
    pub interval: Duration,
    /// How long keys are begun at most.
    pub time: Duration,
    /// Where the random choices begin.
    pub seed: u64,
    /// The faults, each as often as it stands here, in random order, again and again.
    pub faults: Vec<Kind>,
    /// Every so many faults there is a failover in place of another one.
    pub failover_every: usize,
    /// Failovers at most.
    pub failovers: usize,
    /// Where the nodes' logs are kept.
    pub logs: Option<PathBuf>,
}

/// Runs the drill.
///
/// # Errors
/// Where the harness itself fails: nothing is said of the product then.
pub async fn run(settings: &Settings) -> Result<Summary> {
    let cluster = Cluster::start(&cluster::Settings {
        akgate: settings.akgate.clone(),
        nodes: settings.nodes,
        notified: Notified::EveryOther,
        keys: settings.receipts + SPARE,
        standby: settings.failovers > 0,
        hosts: Hosts::One,
        database_timeout: 1,
        worker: false,
        public: false,
    })
    .await?;
    let began = cluster.clock.now();
    let pace = Pace {
        at_once: settings.at_once,
        calls_per_node: settings.calls_per_node,
        interval: settings.interval,
        seed: settings.seed,
        until: Instant::now() + settings.time,
    };
    let shared = Arc::new(Work {
        cluster,
        ledger: Ledger::default(),
        waiting: Default::default(),
        failed: AtomicBool::new(false),
    });
    shared.queue((0..settings.receipts).map(Key));
    let nemesis = Nemesis {
        work: Arc::clone(&shared),
        over: AtomicBool::new(false),
        spare: AtomicUsize::new(settings.receipts),
    };
    let works = async {
        let worked = work(&shared, pace).await;
        nemesis.over.store(true, Ordering::Relaxed);
        worked
    };
    let ran = async { tokio::try_join!(works, nemesis.rage(settings)) };
    tokio::select! {
        ran = ran => drop(ran?),
        () = tell_progress(&shared) => {}
    }
    shared.cluster.heal().await;
    shared.clear();
    nemesis.queue_lost().await?;
    let until = Instant::now() + LAST;
    work(&shared, Pace { until, ..pace }).await?;
    drop(nemesis);
    let now = shared.cluster.clock.now();
    let histories = read_histories(&shared.cluster).await?;
    let not_in_force = verdict::not_in_force(&shared, &histories).await?;
    if let Some(folder) = &settings.logs {
        shared.cluster.copy_logs(folder)?;
    }
    let work = Arc::into_inner(shared).ok_or("a worker is still at work")?;
    let summary = Summary::new(
        settings,
        now - began,
        &work.ledger.close(),
        &work.cluster.upstream,
        &histories,
        not_in_force,
    );
    Ok(summary)
}

/// Who injects the faults.
struct Nemesis {
    work: Arc<Work>,
    over: AtomicBool,
    spare: AtomicUsize,
}

impl Nemesis {
    /// Injects one fault after the other, with pauses, until the work is over.
    async fn rage(&self, settings: &Settings) -> Result<()> {
        let mut rng = StdRng::seed_from_u64(settings.seed);
        let mut failovers = 0;
        let mut number = 0;
        let mut bag = Vec::new();
        while !self.over.load(Ordering::Relaxed) {
            sleep(Duration::from_millis(rng.random_range(300..2500))).await;
            number += 1;
            let turn = settings.failover_every > 0 && number % settings.failover_every == 0;
            if bag.is_empty() {
                bag.clone_from(&settings.faults);
                bag.shuffle(&mut rng);
            }
            let kind = if turn && failovers < settings.failovers {
                failovers += 1;
                Some(Kind::Failover)
            } else {
                bag.pop()
            };
            let Some(kind) = kind else { continue };
            let injected = inject(&self.work.cluster, kind, &mut rng).await?;
            self.work.ledger.open().faults.push(injected);
            if kind == Kind::Failover {
                // The product learns of the new history by the first change that is made in it.
                let spare = Key(self.spare.fetch_add(1, Ordering::Relaxed));
                report(&self.work, spare, &mut rng).await?;
                self.queue_lost().await?;
            }
        }
        Ok(())
    }

    /// Keys whose receipt a failover has cost are reported again.
    async fn queue_lost(&self) -> Result<()> {
        let histories = read_histories(&self.work.cluster).await?;
        let lost: Vec<Key> = {
            let mut entries = self.work.ledger.open();
            let lost = entries.last.iter().filter_map(|(key, number)| {
                let receipt = entries.receipts.get(*number)?;
                (!histories.keep(&receipt.acknowledgement)).then_some(*key)
            });
            let lost: Vec<Key> = lost.collect();
            for key in &lost {
                entries.last.remove(key);
            }
            lost
        };
        self.work.queue(lost);
        Ok(())
    }
}

/// Tells every half a minute how far it is.
#[expect(clippy::print_stderr, reason = "half an hour is long without a word")]
async fn tell_progress(work: &Work) {
    loop {
        sleep(Duration::from_secs(30)).await;
        let entries = work.ledger.open();
        let reached = entries.after.iter();
        let reached =
            reached.filter(|after| work.cluster.upstream.reached(after.call.mark).is_some());
        eprintln!(
            "{:.0} s: {} faults, {} receipts, {} calls after them, {} of these reached the upstream (lost receipts included)",
            work.cluster.clock.now().as_secs_f64(),
            entries.faults.len(),
            entries.receipts.len(),
            entries.after.len(),
            reached.count()
        );
    }
}

async fn read_histories(cluster: &Cluster) -> Result<Histories> {
    let mut connection = cluster.postgres.lock().await.connect().await?;
    Histories::read(&mut connection).await
}
