//! What is sent all the time: mutations of good keys, a leaked key's, and probes of every node.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tokio::{task::JoinSet, time::sleep};

use crate::{
    Result,
    clock::Moment,
    cluster::Cluster,
    connections::Connections,
    desk::{Outcome, Report},
    keys::Key,
    signer::{Answer, Call, Kind},
};

/// The key that is reported before a scene begins.
pub(super) const LEAKED: Key = Key(0);

/// How long a caller waits.
const PATIENCE: Duration = Duration::from_secs(30);

/// The time between two calls of a caller.
const PAUSE: Duration = Duration::from_millis(25);

/// The time between two looks at a node.
const PROBE_PAUSE: Duration = Duration::from_millis(100);

/// A look at a node's `/readyz`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Probe {
    pub sent: Moment,
    pub is_ready: bool,
}

/// What came of everything.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Mutations of good keys.
    pub calls: Vec<Call>,
    /// Mutations of the leaked key.
    pub forbidden: Vec<Call>,
    /// Looks at nodes.
    pub probes: Vec<Probe>,
}

/// Callers at work. Dropping it ends them.
pub(super) struct Load {
    seen: Arc<Mutex<Seen>>,
    _tasks: JoinSet<()>,
}

/// Reports the leaked key, and returns the restriction's word that it is one.
pub(super) async fn report_leak(cluster: &Cluster) -> Result<()> {
    let (_, node) = cluster.up().into_iter().next().ok_or("no node is up")?;
    let report = Report::new(LEAKED);
    let (_, outcome) = cluster.desk.report(node.admin, &report, PATIENCE).await?;
    match outcome {
        Outcome::Acknowledged(_) => Ok(()),
        other => Err(format!("the leaked key is not restricted: {other:?}").into()),
    }
}

impl Load {
    /// Callers at `gateways`, one after the other; good keys from 1 on. The leaked key is tried at each node.
    pub(super) fn start(cluster: &Arc<Cluster>, gateways: &[SocketAddr], callers: usize) -> Self {
        let seen = Arc::<Mutex<Seen>>::default();
        let mut tasks = JoinSet::new();
        for caller in 0..callers {
            let Some(gateway) = gateways.get(caller % gateways.len().max(1)).copied() else {
                continue;
            };
            tasks.spawn(send(
                Arc::clone(cluster),
                gateway,
                Key(1 + caller),
                PAUSE,
                Arc::clone(&seen),
            ));
        }
        let connections = Connections::new(cluster.clock);
        for (_, node) in cluster.up() {
            let (gateway, seen_by) = (node.gateway, Arc::clone(&seen));
            tasks.spawn(send(
                Arc::clone(cluster),
                gateway,
                LEAKED,
                PROBE_PAUSE,
                seen_by,
            ));
            tasks.spawn(probe(
                connections.clone(),
                node.telemetry,
                Arc::clone(&seen),
            ));
        }
        Self {
            seen,
            _tasks: tasks,
        }
    }

    /// How many calls of good keys were answered well until now.
    pub(super) fn good(&self) -> usize {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.calls.iter().filter(|call| is_good(call)).count()
    }

    /// Whether every call that was sent in the last `quiet` was answered well, and there were some.
    pub(super) fn is_well(&self, now: Moment, quiet: Duration) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut late = seen.calls.iter().filter(|call| call.ended + quiet >= now);
        seen.calls.iter().any(|call| call.sent + quiet >= now) && late.all(is_good)
    }

    /// Ends the callers; gives what they saw.
    pub(super) fn finish(mut self) -> Seen {
        self._tasks.abort_all();
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(super) fn is_good(call: &Call) -> bool {
    matches!(call.answer, Answer::Answered(200, _))
}

async fn send(
    cluster: Arc<Cluster>,
    gateway: SocketAddr,
    key: Key,
    pause: Duration,
    seen: Arc<Mutex<Seen>>,
) {
    loop {
        let sent = cluster
            .signer
            .call(gateway, key, Kind::CreateUser, PATIENCE)
            .await;
        if let Ok(call) = sent {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            match key == LEAKED {
                true => seen.forbidden.push(call),
                false => seen.calls.push(call),
            }
        }
        sleep(pause).await;
    }
}

async fn probe(connections: Connections, telemetry: SocketAddr, seen: Arc<Mutex<Seen>>) {
    loop {
        let request = Request::builder().uri("/readyz").header("host", "node");
        if let Ok(request) = request.body(Full::<Bytes>::default()) {
            let exchange = connections.send(telemetry, request, PATIENCE).await;
            let is_ready = exchange.reply.is_ok_and(|reply| reply.status.is_success());
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.probes.push(Probe {
                sent: exchange.sent,
                is_ready,
            });
        }
        sleep(PROBE_PAUSE).await;
    }
}
