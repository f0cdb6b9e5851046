//! Scenes of the database: a fault, and how long mutations take to pass again.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, timeout};

use super::{
    Scene, Settings,
    load::{Load, Seen, is_good, report_leak},
};
use crate::{
    Result,
    balancer::{Balancer, Checks},
    clock::Moment,
    cluster::{self, Cluster, Hosts},
    process::Scratch,
    signer::Answer,
    summary::Row,
    upstream,
};

/// How long a scene waits for mutations to pass again.
const PATIENCE: Duration = Duration::from_secs(90);

/// For how long all of them must pass.
const QUIET: Duration = Duration::from_millis(1500);

/// How long a node may take to notice that it cannot serve: the lease, and a probe.
const NOTICE: Duration = Duration::from_secs(3);

/// For how long the database takes no connections.
const OUTAGE: Duration = Duration::from_secs(5);

/// How long a call may take that the database does not serve: the time-outs of three of its steps.
const CALL_BOUND: Duration = Duration::from_secs(16);

/// How the balancer asks the nodes.
const CHECKS: Checks = Checks {
    interval: Duration::from_millis(500),
    fall: 2,
};

/// How long outcomes, which are gathered, may take to be written.
const RECORDED: Duration = Duration::from_secs(10);

/// Runs one scene on a cluster of its own.
pub(super) async fn run(settings: &Settings, scene: Scene) -> Result<Vec<Row>> {
    let name = match scene {
        Scene::Frozen => "connections frozen",
        Scene::Promoted => "standby promoted, address follows",
        Scene::Followed => "primary killed, two hosts",
        Scene::Demoted => "primary restarted as standby, two hosts",
        Scene::NoConnections => "no connections left",
        Scene::Kills | Scene::Restarts => return Err("a scene of its own".into()),
    };
    let has_standby = matches!(scene, Scene::Promoted | Scene::Followed | Scene::Demoted);
    let cluster = Cluster::start(&cluster::Settings {
        keys: settings.callers + 1,
        standby: has_standby,
        hosts: match scene {
            Scene::Followed | Scene::Demoted => Hosts::Both,
            _ => Hosts::One,
        },
        ..cluster::Settings::new(&settings.akgate, settings.nodes)
    })
    .await?;
    let cluster = Arc::new(cluster);
    if has_standby {
        cluster.postgres.lock().await.commit_with_standby().await?;
    }
    report_leak(&cluster).await?;
    let scratch = Scratch::new()?;
    let nodes: Vec<_> = cluster.up().into_iter().map(|(_, node)| node).collect();
    let balancer = match settings.balancer {
        true => Some(Balancer::start(scratch.path(), &nodes, CHECKS).await?),
        false => None,
    };
    let gateways = match &balancer {
        Some(balancer) => vec![balancer.address()],
        None => nodes.iter().map(|node| node.gateway).collect(),
    };
    let load = Load::start(&cluster, &gateways, settings.callers);
    wait_until_well(&cluster, &load).await?;
    let fault = cluster.clock.now();
    let began = inject(&cluster, scene).await?;
    // Of before the fault, nothing is asked.
    sleep(QUIET).await;
    let recovered = wait_until_well(&cluster, &load).await;
    let seen = load.finish();
    if let Some(folder) = &settings.logs {
        cluster.copy_logs(&folder.join(name.replace([' ', ','], "-")))?;
    }
    recovered.map_err(|fault| format!("{name}: {fault}"))?;
    let mut rows = vec![match scene {
        Scene::Promoted => Row::within(
            name,
            "mutations again",
            Duration::from_secs(2),
            outage(&seen, began),
        ),
        _ => Row::within(
            name,
            "mutations again",
            Duration::from_secs(10),
            outage(&seen, began),
        ),
    }];
    if scene == Scene::NoConnections {
        let longest = seen.calls.iter().map(|call| call.ended - call.sent).max();
        rows.push(Row::within(
            name,
            "every answer",
            CALL_BOUND,
            longest.unwrap_or_default(),
        ));
    }
    rows.push(lies(name, &seen, fault));
    rows.extend(acknowledged(&cluster, name, &seen).await?);
    Ok(rows)
}

async fn wait_until_well(cluster: &Cluster, load: &Load) -> Result<()> {
    let well = async {
        while load.good() == 0 || !load.is_well(cluster.clock.now(), QUIET) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    let waited = timeout(PATIENCE, well).await;
    Ok(waited.map_err(|_| "mutations do not pass")?)
}

/// Injects the fault; returns the moment from which on mutations are to pass again.
async fn inject(cluster: &Cluster, scene: Scene) -> Result<Moment> {
    let mut postgres = cluster.postgres.lock().await;
    match scene {
        Scene::Frozen => {
            for database in &cluster.databases {
                database.freeze_existing();
            }
        }
        Scene::Promoted => {
            postgres.hand_over().await?;
            for database in &cluster.databases {
                database.retarget_new(postgres.target());
            }
        }
        Scene::Followed => postgres.promote().await?,
        Scene::Demoted => postgres.demote().await?,
        Scene::NoConnections => {
            postgres.forbid_connections().await?;
            sleep(OUTAGE).await;
            postgres.allow_connections().await?;
        }
        Scene::Kills | Scene::Restarts => {}
    }
    Ok(cluster.clock.now())
}

/// From a moment to the first answer from which on every mutation passes.
fn outage(seen: &Seen, began: Moment) -> Duration {
    let failed = seen.calls.iter().filter(|call| !is_good(call));
    let last = failed.map(|call| call.sent).max().unwrap_or(began);
    let again = seen
        .calls
        .iter()
        .filter(|call| is_good(call) && call.sent > last);
    let again = again.map(|call| call.ended).min().unwrap_or(Moment::MAX);
    again.saturating_sub(began)
}

/// Nodes that said that they were ready, after it takes to notice, while what was sent failed and nothing passed yet. A
/// call that was sent before hangs on, and says nothing of a node that is well again.
fn lies(name: &'static str, seen: &Seen, fault: Moment) -> Row {
    let passed = seen
        .calls
        .iter()
        .filter(|call| is_good(call) && call.sent > fault);
    let first = passed.map(|call| call.sent).min().unwrap_or(Moment::MAX);
    let failed = seen
        .calls
        .iter()
        .filter(|call| !is_good(call) && call.sent < first);
    let last = failed.map(|call| call.sent).max().unwrap_or(fault);
    let during = seen
        .probes
        .iter()
        .filter(|probe| probe.sent > fault + NOTICE && probe.sent < last);
    let lies = during.filter(|probe| probe.is_ready).count();
    Row::none(name, "ready while mutations fail", lies, seen.probes.len())
}

/// What was acknowledged and is lost, and what the leaked key did.
pub(super) async fn acknowledged(
    cluster: &Cluster,
    name: &'static str,
    seen: &Seen,
) -> Result<[Row; 3]> {
    let good = seen.calls.iter().filter(|call| is_good(call));
    let marks: Vec<String> = good.map(|call| upstream::mark(call.mark)).collect();
    let missing = marks.len() - count_intents(cluster, &marks, false).await?;
    let until = Instant::now() + RECORDED;
    let mut settled = 0;
    while settled < marks.len() && Instant::now() < until {
        settled = count_intents(cluster, &marks, true).await?;
        sleep(Duration::from_millis(100)).await;
    }
    let passed = seen.forbidden.iter().filter(|call| {
        let refused = matches!(&call.answer, Answer::Answered(403 | 503, _));
        !refused && call.answer != Answer::Unanswered
            || cluster.upstream.reached(call.mark).is_some()
    });
    Ok([
        Row::none(name, "acknowledged and lost", missing, marks.len()),
        Row::none(
            name,
            "outcomes not written",
            marks.len() - settled,
            marks.len(),
        ),
        Row::none(
            name,
            "leaked key passed",
            passed.count(),
            seen.forbidden.len(),
        ),
    ])
}

/// How many of these calls the database has, with an outcome if `settled`.
async fn count_intents(cluster: &Cluster, marks: &[String], settled: bool) -> Result<usize> {
    let mut connection = cluster.postgres.lock().await.connect().await?;
    let count: i64 = sqlx::query_scalar(
        "SELECT count(DISTINCT names->>'UserName')
         FROM intents
         WHERE names->>'UserName' = ANY($1)
           AND (outcome = 'Succeeded' OR NOT $2)",
    )
    .bind(marks)
    .bind(settled)
    .fetch_one(&mut connection)
    .await?;
    Ok(usize::try_from(count)?)
}
