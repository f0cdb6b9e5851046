//! Rolling restarts: every node in turn is told to leave and started again, behind a balancer that asks slowly.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tokio::time::{Instant, sleep};

use super::{
    Settings,
    load::{Load, is_good, report_leak},
};
use crate::{
    Result,
    balancer::{Balancer, Checks},
    cluster::{self, Cluster},
    connections::Connections,
    node::{Node, State},
    process::Scratch,
    summary::Row,
};

const NAME: &str = "rolling restarts";

/// The balancer's checks, as the promise says them: `fall 1`.
const CHECKS: Checks = Checks {
    interval: Duration::from_secs(2),
    fall: 1,
};

/// How long a node that is ready again is left alone: until the balancer's next check has found it, and a half more.
const SETTLE: Duration = Duration::from_secs(3);

/// How long a node that was started may take to be ready.
const READY_PATIENCE: Duration = Duration::from_secs(30);

/// Calls that one rolling restart is to meet at least.
const CALLS_EACH: usize = 1_000;

/// Restarts all nodes one by one, again and again, while calls go through the balancer.
pub(super) async fn run(settings: &Settings) -> Result<Vec<Row>> {
    let cluster = Cluster::start(&cluster::Settings {
        keys: settings.callers + 1,
        ..cluster::Settings::new(&settings.akgate, settings.nodes)
    })
    .await?;
    let cluster = Arc::new(cluster);
    report_leak(&cluster).await?;
    let scratch = Scratch::new()?;
    let nodes: Vec<_> = cluster.up().into_iter().map(|(_, node)| node).collect();
    let balancer = Balancer::start(scratch.path(), &nodes, CHECKS).await?;
    let load = Load::start(&cluster, &[balancer.address()], settings.callers);
    for _ in 0..settings.restarts {
        for node in &cluster.nodes {
            sleep(SETTLE).await;
            node.leave().await?;
            node.start().await?;
            wait_until_ready(&cluster, node).await?;
        }
    }
    sleep(SETTLE).await;
    let seen = load.finish();
    if let Some(folder) = &settings.logs {
        cluster.copy_logs(&folder.join("restarts"))?;
    }
    let lost = seen.calls.iter().filter(|call| !is_good(call)).count();
    let enough = settings.restarts * CALLS_EACH;
    let mut rows = vec![
        Row {
            scene: NAME,
            promised: format!("calls >= {enough}"),
            measured: format!(
                "{} during {} of {} nodes",
                seen.calls.len(),
                settings.restarts,
                settings.nodes
            ),
            ok: seen.calls.len() >= enough && enough > 0,
        },
        Row::none(NAME, "calls lost", lost, seen.calls.len()),
    ];
    rows.extend(super::scenes::acknowledged(&cluster, NAME, &seen).await?);
    Ok(rows)
}

/// Waits until a node says that it is ready.
async fn wait_until_ready(cluster: &Cluster, node: &Node) -> Result<()> {
    let State::Up(addresses) = node.state() else {
        return Err(format!("{} is not up", node.name()).into());
    };
    let connections = Connections::new(cluster.clock);
    let until = Instant::now() + READY_PATIENCE;
    while Instant::now() < until {
        let request = Request::builder().uri("/readyz").header("host", "node");
        let request = request.body(Full::<Bytes>::default())?;
        let exchange = connections.send(addresses.telemetry, request, READY_PATIENCE);
        if exchange
            .await
            .reply
            .is_ok_and(|reply| reply.status.is_success())
        {
            return Ok(());
        }
        sleep(Duration::from_millis(50)).await;
    }
    Err(format!("{} is not ready", node.name()).into())
}
