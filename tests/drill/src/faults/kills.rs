//! Kill points: nodes and imports are killed at random moments, and what was acknowledged is there afterwards.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::time::sleep;

use super::{Row, Settings};
use crate::{
    Result,
    cluster::{self, Cluster, Hosts, Notified},
    desk::{Outcome, Report},
    keys::Key,
    process::Process,
    signer::{Answer, Kind},
    upstream,
};

const NAME: &str = "processes killed";

/// How long whoever asks a node waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// Keys that are reported, each once.
const KEYS: usize = 4_000;

/// Who reports at a time.
const REPORTERS: usize = 16;

/// Keys of one import.
const IMPORTED: usize = 400;

/// Every so many kills, an import is killed in place of a node.
const IMPORT_EVERY: usize = 4;

/// What was acknowledged.
#[derive(Debug, Default)]
struct Acknowledged {
    restricted: Vec<Key>,
    mutations: Vec<String>,
    imported: Vec<String>,
}

/// Kills, and looks for what was acknowledged.
pub(super) async fn run(settings: &Settings) -> Result<Vec<Row>> {
    let cluster = Cluster::start(&cluster::Settings {
        akgate: settings.akgate.clone(),
        nodes: settings.nodes,
        notified: Notified::All,
        keys: KEYS + settings.callers,
        standby: false,
        hosts: Hosts::One,
        database_timeout: 5,
    })
    .await?;
    let cluster = Arc::new(cluster);
    let told = Arc::<Mutex<Acknowledged>>::default();
    let mut tasks = tokio::task::JoinSet::new();
    for place in 0..REPORTERS {
        tasks.spawn(report(Arc::clone(&cluster), place, Arc::clone(&told)));
    }
    for caller in 0..settings.callers {
        let key = Key(KEYS + caller);
        tasks.spawn(mutate(Arc::clone(&cluster), key, Arc::clone(&told)));
    }
    let mut rng = StdRng::seed_from_u64(1);
    for turn in 0..settings.kills {
        let wait = Duration::from_millis(rng.random_range(0..300));
        if turn % IMPORT_EVERY == 0 {
            // Some end before.
            kill_import(settings, &cluster, turn, wait * 10, &told).await?;
            continue;
        }
        let place = rng.random_range(0..cluster.nodes.len());
        let node = cluster.nodes.get(place).ok_or("there is no node")?;
        sleep(wait).await;
        node.kill();
        node.start().await?;
    }
    sleep(PATIENCE).await;
    tasks.shutdown().await;
    if let Some(folder) = &settings.logs {
        cluster.copy_logs(&folder.join("kills"))?;
    }
    let told = std::mem::take(&mut *told.lock().unwrap_or_else(PoisonError::into_inner));
    verify(&cluster, settings.kills, &told).await
}

/// Reports one key after the other, at whichever node is up, until it is acknowledged.
async fn report(cluster: Arc<Cluster>, place: usize, told: Arc<Mutex<Acknowledged>>) {
    for key in (place..KEYS).step_by(REPORTERS).map(Key) {
        let report = Report::new(key);
        for attempt in 0.. {
            let up = cluster.up();
            let node = up.get((key.0 + attempt) % up.len().max(1));
            let Some((_, node)) = node else {
                sleep(Duration::from_millis(20)).await;
                continue;
            };
            match cluster.desk.report(node.admin, &report, PATIENCE).await {
                Ok((_, Outcome::Acknowledged(_))) => {
                    let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                    told.restricted.push(key);
                    break;
                }
                Ok(_) | Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

async fn mutate(cluster: Arc<Cluster>, key: Key, told: Arc<Mutex<Acknowledged>>) {
    for turn in 0_usize.. {
        let up = cluster.up();
        if let Some((_, node)) = up.get(turn % up.len().max(1)) {
            let call = cluster
                .signer
                .call(node.gateway, key, Kind::CreateUser, PATIENCE);
            if let Ok(call) = call.await
                && matches!(call.answer, Answer::Answered(200, _))
            {
                let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                told.mutations.push(upstream::mark(call.mark));
            }
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// Imports keys, and kills that before it ends, or not; what it said to have done is there.
async fn kill_import(
    settings: &Settings,
    cluster: &Cluster,
    turn: usize,
    wait: Duration,
    told: &Mutex<Acknowledged>,
) -> Result<()> {
    let node = cluster.nodes.first().ok_or("there is no node")?;
    let ids: Vec<String> = (0..IMPORTED)
        .map(|n| format!("LTAI5tKilled{turn}x{n}"))
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
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        told.imported.extend(ids);
    }
    Ok(())
}

async fn verify(cluster: &Cluster, kills: usize, told: &Acknowledged) -> Result<Vec<Row>> {
    let mut connection = cluster.postgres.lock().await.connect().await?;
    let restricted: Vec<String> =
        sqlx::query_scalar("SELECT access_key_id FROM restrictions WHERE state <> 'Lifted'")
            .fetch_all(&mut connection)
            .await?;
    let written: Vec<String> =
        sqlx::query_scalar("SELECT names->>'UserName' FROM intents WHERE names ? 'UserName'")
            .fetch_all(&mut connection)
            .await?;
    let known: Vec<String> = sqlx::query_scalar("SELECT access_key_id FROM access_keys")
        .fetch_all(&mut connection)
        .await?;
    let partial: i64 = sqlx::query_scalar(
        "SELECT count(*)
         FROM (
             SELECT split_part(access_key_id, 'x', 1)
             FROM access_keys
             WHERE access_key_id LIKE 'LTAI5tKilled%'
             GROUP BY 1
             HAVING count(*) <> $1
         ) AS partial",
    )
    .bind(i64::try_from(IMPORTED)?)
    .fetch_one(&mut connection)
    .await?;
    let lost = |wanted: &[String], there: &[String]| {
        let there: BTreeSet<&String> = there.iter().collect();
        wanted.iter().filter(|one| !there.contains(one)).count()
    };
    let ids: Vec<String> = told.restricted.iter().map(|key| key.id()).collect();
    let mut passed = 0;
    let mut tried = 0;
    for (_, node) in cluster.up() {
        for key in told.restricted.iter().rev().take(50) {
            let call = cluster
                .signer
                .call(node.gateway, *key, Kind::CreateUser, PATIENCE);
            let answer = call.await?.answer;
            tried += 1;
            passed += usize::from(!matches!(answer, Answer::Answered(403, _)));
        }
    }
    Ok(vec![
        Row {
            scene: NAME,
            promised: "kill points".to_owned(),
            measured: kills.to_string(),
            ok: kills > 0,
        },
        Row::none(
            NAME,
            "reports acknowledged and lost",
            lost(&ids, &restricted),
            ids.len(),
        ),
        Row::none(
            NAME,
            "mutations acknowledged and lost",
            lost(&told.mutations, &written),
            told.mutations.len(),
        ),
        Row::none(
            NAME,
            "imported keys acknowledged and lost",
            lost(&told.imported, &known),
            told.imported.len(),
        ),
        Row::none(
            NAME,
            "imports that were done in part",
            usize::try_from(partial)?,
            known.len(),
        ),
        Row::none(NAME, "reported keys not refused", passed, tried),
    ])
}
