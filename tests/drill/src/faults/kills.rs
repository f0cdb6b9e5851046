//! Kill points: nodes and imports are killed at random moments of reports, mutations, letters, lifts and imports, and what
//! was acknowledged is there afterwards.

mod evidence;

use std::{
    fmt::Write as _,
    process::{Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::sleep,
};
use uuid::Uuid;

use super::Settings;
use crate::{
    Result,
    cluster::{self, Cluster},
    desk::{Outcome, Report},
    keys::Key,
    node::Addresses,
    process::Process,
    signer::{Answer, Kind},
    summary::Row,
    upstream,
};

/// How long whoever asks a node waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// Keys that are reported for each kill, each once.
const REPORTS_PER_KILL: usize = 4;

/// Who reports at a time.
const REPORTERS: usize = 16;

/// Who lifts at a time.
const LIFTERS: usize = 4;

/// Of so many restrictions, one is lifted.
const LIFT_EVERY: usize = 3;

/// The time between two mutations of a caller.
const MUTATION_PAUSE: Duration = Duration::from_millis(50);

/// The time between two attempts at what was not acknowledged.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// Keys of one import.
const IMPORTED: usize = 400;

/// Every so many kills, an import is killed in place of a node.
const IMPORT_EVERY: usize = 4;

/// A restriction that was acknowledged.
#[derive(Debug, Clone, Copy)]
struct Restricted {
    key: Key,
    restriction_id: Uuid,
}

/// What was acknowledged.
#[derive(Debug, Default)]
struct Acknowledged {
    restricted: Vec<Restricted>,
    /// Restrictions that somebody has begun to lift; whether that was acknowledged.
    lifts: Vec<(Restricted, bool)>,
    mutations: Vec<String>,
    imported: Vec<String>,
}

/// What the callers share.
#[derive(Debug)]
struct Stage {
    cluster: Cluster,
    acknowledged: Mutex<Acknowledged>,
    /// How many processes were killed.
    killed: watch::Sender<usize>,
}

impl Stage {
    fn acknowledged(&self) -> MutexGuard<'_, Acknowledged> {
        let acknowledged = self.acknowledged.lock();
        acknowledged.unwrap_or_else(PoisonError::into_inner)
    }

    /// A node that is up, another one at each attempt.
    fn node(&self, attempt: usize) -> Option<Addresses> {
        let up = self.cluster.up();
        up.get(attempt % up.len().max(1)).map(|(_, node)| *node)
    }
}

/// Kills, and looks for what was acknowledged.
pub(super) async fn run(settings: &Settings) -> Result<Vec<Row>> {
    let keys = settings.kills * REPORTS_PER_KILL;
    let cluster = Cluster::start(&cluster::Settings {
        keys: keys + settings.callers,
        worker: true,
        ..cluster::Settings::new(&settings.akgate, settings.nodes)
    })
    .await?;
    let stage = Arc::new(Stage {
        cluster,
        acknowledged: Mutex::default(),
        killed: watch::Sender::new(0),
    });
    let mut tasks = JoinSet::new();
    let (lifts, to_lift) = mpsc::unbounded_channel();
    let to_lift = Arc::new(tokio::sync::Mutex::new(to_lift));
    for place in 0..REPORTERS {
        let due = (place..keys).step_by(REPORTERS).map(Key).collect();
        tasks.spawn(report(Arc::clone(&stage), due, lifts.clone()));
    }
    for _ in 0..LIFTERS {
        tasks.spawn(lift(Arc::clone(&stage), Arc::clone(&to_lift)));
    }
    for caller in 0..settings.callers {
        tasks.spawn(mutate(Arc::clone(&stage), Key(keys + caller)));
    }
    kill_processes(settings, &stage).await?;
    sleep(PATIENCE).await;
    tasks.shutdown().await;
    if let Some(folder) = &settings.logs {
        stage.cluster.copy_logs(&folder.join("kills"))?;
    }
    evidence::verify(&stage, settings.kills).await
}

async fn kill_processes(settings: &Settings, stage: &Stage) -> Result<()> {
    let nodes = &stage.cluster.nodes;
    let mut rng = StdRng::seed_from_u64(1);
    for turn in 0..settings.kills {
        let wait = Duration::from_millis(rng.random_range(0..300));
        if turn % IMPORT_EVERY == 0 {
            // Some end before.
            kill_import(settings, stage, turn, wait * 10).await?;
        } else {
            let place = rng.random_range(0..nodes.len());
            let node = nodes.get(place).ok_or("there is no node")?;
            sleep(wait).await;
            node.kill();
            node.start().await?;
        }
        stage.killed.send_replace(turn + 1);
    }
    Ok(())
}

/// Reports one key after the other until each is acknowledged, evenly over all kills.
async fn report(stage: Arc<Stage>, keys: Vec<Key>, lifts: mpsc::UnboundedSender<Restricted>) {
    let mut killed = stage.killed.subscribe();
    for key in keys {
        let turn = key.0 / REPORTS_PER_KILL;
        if killed.wait_for(|killed| *killed >= turn).await.is_err() {
            return;
        }
        let report = Report::new(key);
        for attempt in key.0.. {
            if let Some(node) = stage.node(attempt) {
                let reporting = stage.cluster.desk.report(node.admin, &report, PATIENCE);
                if let Ok((_, Outcome::Acknowledged(acknowledged))) = reporting.await {
                    let restricted = Restricted {
                        key,
                        restriction_id: acknowledged.restriction_id,
                    };
                    stage.acknowledged().restricted.push(restricted);
                    if key.0 % LIFT_EVERY == 0 {
                        // Nobody receives once the drill is over.
                        let _ = lifts.send(restricted);
                    }
                    break;
                }
            }
            sleep(RETRY_PAUSE).await;
        }
    }
}

/// Lifts what was restricted, one after the other, until each lift is acknowledged.
async fn lift(
    stage: Arc<Stage>,
    to_lift: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Restricted>>>,
) {
    loop {
        let Some(restricted) = to_lift.lock().await.recv().await else {
            return;
        };
        // Of one that was only begun nothing is known.
        stage.acknowledged().lifts.push((restricted, false));
        for attempt in restricted.key.0.. {
            if let Some(node) = stage.node(attempt) {
                let desk = &stage.cluster.desk;
                let lifting = desk.lift(node.admin, restricted.restriction_id, PATIENCE);
                if lifting.await.unwrap_or_default() {
                    break;
                }
            }
            sleep(RETRY_PAUSE).await;
        }
        for (lifted, is_acknowledged) in &mut stage.acknowledged().lifts {
            *is_acknowledged |= lifted.key == restricted.key;
        }
    }
}

async fn mutate(stage: Arc<Stage>, key: Key) {
    for turn in 0_usize.. {
        if let Some(node) = stage.node(turn) {
            let signer = &stage.cluster.signer;
            let call = signer.call(node.gateway, key, Kind::CreateUser, PATIENCE);
            if let Ok(call) = call.await
                && matches!(call.answer, Answer::Answered(200, _))
            {
                let mark = upstream::mark(call.mark);
                stage.acknowledged().mutations.push(mark);
            }
        }
        sleep(MUTATION_PAUSE).await;
    }
}

/// Imports keys, and kills that before it ends, or not; what it said to have done is there.
async fn kill_import(
    settings: &Settings,
    stage: &Stage,
    turn: usize,
    wait: Duration,
) -> Result<()> {
    let node = stage.cluster.nodes.first().ok_or("there is no node")?;
    let ids: Vec<String> = (0..IMPORTED)
        .map(|n| format!("{}{turn}x{n}", evidence::IMPORTED_PREFIX))
        .collect();
    let mut text = "account_id,user_name,access_key_id,access_key_secret,owner_email\n".to_owned();
    for id in &ids {
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "5200000000000000,{id},{id},FakeSecretOf{id},o@example.com"
        );
    }
    let file = node.config().with_file_name(format!("import-{turn}.csv"));
    std::fs::write(&file, text)?;
    let mut command = Command::new(&settings.akgate);
    command
        .args(["keys", "import"])
        .arg(&file)
        .arg("--config")
        .arg(node.config())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut process = Process::spawn(&mut command, None)?;
    sleep(wait).await;
    let is_done = process.ended().is_some_and(|status| status.success());
    process.kill();
    if is_done {
        stage.acknowledged().imported.extend(ids);
    }
    Ok(())
}
