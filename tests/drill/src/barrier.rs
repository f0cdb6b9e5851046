//! The barrier drill: how long a report waits for its acknowledgement, with every node well and with one stopped.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use serde::Serialize;
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{
    Result,
    cluster::{self, Cluster, Hosts, Notified},
    desk::{Outcome, Report},
    keys::Key,
    stats::Spread,
};

/// How long a report may wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is measured.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The `akgate` to run.
    pub akgate: PathBuf,
    /// How many nodes.
    pub nodes: usize,
    /// Which of them listen for notifications.
    pub notified: Notified,
    /// Reports in a second.
    pub rate: u32,
    /// How long each of the two measurements takes.
    pub time: Duration,
}

/// One measurement.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Measured {
    /// From the report to its acknowledgement, in milliseconds.
    pub answered_ms: Spread,
    /// What the receipts say they waited for nodes.
    pub waited_ms: Spread,
    /// Reports that were not acknowledged.
    pub failed: usize,
}

/// Both.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// With every node well.
    pub healthy: Measured,
    /// With one stopped.
    pub node_stopped: Measured,
}

/// Measures.
///
/// # Errors
/// Where the harness itself fails.
pub async fn run(settings: &Settings) -> Result<Summary> {
    let count = settings.rate as usize * usize::try_from(settings.time.as_secs())?;
    let cluster = Cluster::start(&cluster::Settings {
        akgate: settings.akgate.clone(),
        nodes: settings.nodes,
        notified: settings.notified,
        keys: 2 * count,
        standby: false,
        hosts: Hosts::One,
        database_timeout: 1,
        worker: false,
        public: false,
    })
    .await?;
    let cluster = Arc::new(cluster);
    let healthy = measure(&cluster, settings, 0..count).await?;
    let last = cluster.nodes.last().ok_or("there is no node")?;
    last.stop();
    let node_stopped = measure(&cluster, settings, count..2 * count).await?;
    Ok(Summary {
        healthy,
        node_stopped,
    })
}

async fn measure(
    cluster: &Arc<Cluster>,
    settings: &Settings,
    keys: std::ops::Range<usize>,
) -> Result<Measured> {
    let mut ticks = interval(Duration::from_secs(1) / settings.rate);
    // No more than the rate, even after a delay.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut reports = JoinSet::new();
    for key in keys.map(Key) {
        ticks.tick().await;
        let cluster = Arc::clone(cluster);
        reports.spawn(async move {
            let up = cluster.up();
            let place = key.0 % up.len().max(1);
            let (_, addresses) = up.into_iter().nth(place).ok_or("no node is up")?;
            let report = Report::new(key);
            let began = Instant::now();
            let (_, outcome) = cluster
                .desk
                .report(addresses.admin, &report, PATIENCE)
                .await?;
            let took = began.elapsed().as_secs_f64() * 1000.0;
            Result::Ok(match outcome {
                Outcome::Acknowledged(acknowledgement) => Some((took, acknowledgement)),
                Outcome::StillRunning | Outcome::Again => None,
            })
        });
    }
    let (mut answered, mut waited, mut failed) = (Vec::new(), Vec::new(), 0);
    while let Some(ended) = reports.join_next().await {
        match ended?? {
            Some((took, acknowledgement)) => {
                answered.push(took);
                let position = acknowledgement.position;
                waited.extend(position.and_then(|position| position.waited_ms));
            }
            None => failed += 1,
        }
    }
    Ok(Measured {
        answered_ms: answered.into_iter().collect(),
        waited_ms: waited.into_iter().map(|ms| ms as f64).collect(),
        failed,
    })
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, measured) in [
            ("every node well", &self.healthy),
            ("one node stopped", &self.node_stopped),
        ] {
            writeln!(f, "{what}, {} not acknowledged", measured.failed)?;
            writeln!(f, "  answered   {}", measured.answered_ms)?;
            writeln!(f, "  waited_ms  {}", measured.waited_ms)?;
        }
        Ok(())
    }
}
