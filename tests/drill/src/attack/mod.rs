//! The attack drill: what strangers hold open holds up nobody else, and costs no more memory than is configured.
//!
//! Two nodes of one cluster: one is attacked, the other is at rest. Good callers call both in turn, so that a machine that is
//! slower for a while is so for both.

mod good_calls;
mod strangers;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use crate::{
    Result,
    cluster::{self, Cluster},
    node::Addresses,
    summary::{Row, Summary},
};
use good_calls::{Sample, resident_mib};
use strangers::Strangers;

/// What is run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The `akgate` to run.
    pub akgate: PathBuf,
    /// Connections that are held open at each listener in [`Scene::SlowConnections`].
    pub connections: usize,
    /// The scenes, in this order.
    pub scenes: Vec<Scene>,
}

/// A scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scene {
    /// 4,200 heads whose bodies do not come, at the gateway.
    MissingBodies,
    /// Slow heads and slow bodies at every listener.
    SlowConnections,
    /// 1,000 bodies of 1 MB and 2,000 heads of 200 KB, all but their ends.
    LargeRequests,
}

impl Scene {
    /// All of them.
    pub const ALL: [Self; 3] = [
        Self::MissingBodies,
        Self::SlowConnections,
        Self::LargeRequests,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::MissingBodies => "missing bodies",
            Self::SlowConnections => "slow connections",
            Self::LargeRequests => "large requests",
        }
    }
}

/// Windows of good calls at each node.
const WINDOWS: usize = 12;

/// What strangers may use at most: `limits.request_memory_bytes` by default, in MiB, and what the allocator keeps.
const MEMORY_MIB: f64 = 256.0;

/// Descriptors for 10,000 connections at each of three listeners, and more.
const DESCRIPTORS: u64 = 40_000;

/// Those of them that the drill needs for itself.
const OWN_DESCRIPTORS: usize = 500;

/// Runs the scenes, each on a cluster of its own.
///
/// # Errors
/// Where the harness itself fails.
pub async fn run(settings: &Settings) -> Result<Summary> {
    let descriptors = raise_descriptor_limit();
    let mut rows = Vec::new();
    for scene in &settings.scenes {
        rows.extend(run_scene(settings, *scene, descriptors).await?);
    }
    Ok(Summary { rows })
}

async fn run_scene(settings: &Settings, scene: Scene, descriptors: usize) -> Result<Vec<Row>> {
    let cluster = Cluster::start(&cluster::Settings {
        keys: 8,
        public: true,
        ..cluster::Settings::new(&settings.akgate, 2)
    })
    .await?;
    let up = cluster.up();
    let (Some(&(_, attacked)), Some(&(_, at_rest))) = (up.first(), up.get(1)) else {
        return Err("two nodes are needed".into());
    };
    let pid = |n: usize| {
        let node = cluster.nodes.get(n);
        node.and_then(crate::node::Node::pid)
            .ok_or("a node is down")
    };
    let (attacked_pid, resting_pid) = (pid(0)?, pid(1)?);
    // What grows with the first calls is not the strangers'.
    for address in [attacked.gateway, at_rest.gateway] {
        good_calls::send(&cluster.signer, address, attacked_pid).await?;
    }
    let before = resident_mib(attacked_pid)?;
    let strangers = attack(settings, scene, attacked, descriptors).await?;
    let (mut under_attack, mut resting) = (Sample::default(), Sample::default());
    for _ in 0..WINDOWS {
        let (signer, gateway) = (&cluster.signer, attacked.gateway);
        under_attack.add(good_calls::send(signer, gateway, attacked_pid).await?);
        resting.add(good_calls::send(signer, at_rest.gateway, resting_pid).await?);
    }
    let grown = resident_mib(attacked_pid)? - before;
    let held = strangers.count_open();
    let name = scene.name();
    Ok(vec![
        Row {
            scene: name,
            promised: "connections of strangers".to_owned(),
            measured: format!("{held} of {} still open", strangers.count()),
            ok: strangers.count() > 0,
        },
        Row::none(
            name,
            "good calls refused",
            under_attack.refused,
            under_attack.calls,
        ),
        Row::ratio(
            name,
            "p50 / at rest",
            1.5,
            under_attack.p50() / resting.p50(),
        ),
        Row::ratio(
            name,
            "CPU of a good call / at rest",
            1.2,
            under_attack.cpu_per_call() / resting.cpu_per_call(),
        ),
        Row {
            scene: name,
            promised: format!("memory grows <= {MEMORY_MIB:.0} MiB"),
            measured: format!("{grown:.0} MiB"),
            ok: grown <= MEMORY_MIB,
        },
    ])
}

async fn attack(
    settings: &Settings,
    scene: Scene,
    node: Addresses,
    descriptors: usize,
) -> Result<Strangers> {
    let mut strangers = Strangers::new(descriptors.saturating_sub(OWN_DESCRIPTORS));
    match scene {
        Scene::MissingBodies => {
            let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\nAct";
            strangers.hold(node.gateway, 4200, head).await?;
        }
        Scene::SlowConnections => {
            let listeners: Vec<SocketAddr> = [Some(node.gateway), Some(node.admin), node.public]
                .into_iter()
                .flatten()
                .collect();
            // As many at each listener, where there are not enough for all.
            let each = settings.connections.min(strangers.most() / listeners.len());
            let half = each / 2;
            let body = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\nAct";
            for listener in listeners {
                strangers
                    .hold(listener, half, b"GET / HTTP/1.1\r\nHo")
                    .await?;
                strangers.hold(listener, half, body).await?;
            }
        }
        Scene::LargeRequests => {
            let mut body =
                b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n".to_vec();
            body.resize(1_000_000, b'a');
            let mut head = b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: ".to_vec();
            head.resize(200_000, b'a');
            strangers.hold(node.gateway, 1000, &body).await?;
            strangers.hold(node.gateway, 2000, &head).await?;
        }
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    Ok(strangers)
}

/// Raises the limit as far as this process may, and returns it: where it may not, fewer connections are held, and the table
/// says how many.
fn raise_descriptor_limit() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let raised = Rlimit {
        current: Some(DESCRIPTORS),
        maximum: Some(DESCRIPTORS),
    };
    if setrlimit(Resource::Nofile, raised).is_err() {
        let most = getrlimit(Resource::Nofile).maximum;
        let allowed = Rlimit {
            current: most,
            maximum: most,
        };
        // As many as there are anyway.
        let _ = setrlimit(Resource::Nofile, allowed);
    }
    let limit = getrlimit(Resource::Nofile).current;
    limit
        .and_then(|limit| limit.try_into().ok())
        .unwrap_or(usize::MAX)
}
