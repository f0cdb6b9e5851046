//! HAProxy in front of the nodes, as operators have it: it asks `/readyz`, and sends calls to those that are ready.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    Result,
    node::Addresses,
    process::Process,
    proxy::{Proxy, Target},
};

/// How it asks a node whether it is ready.
#[derive(Debug, Clone, Copy)]
pub struct Checks {
    /// The time between two checks.
    pub interval: Duration,
    /// After how many that fail it sends a node no more calls.
    pub fall: u32,
}

/// A running balancer. Dropping it kills it.
#[derive(Debug)]
pub struct Balancer {
    /// It listens on a Unix socket, whose name is nobody else's; clients come over TCP.
    front: Proxy,
    _process: Process,
}

impl Balancer {
    /// Starts HAProxy with its files in `folder`.
    ///
    /// # Errors
    /// Where it is missing or does not start.
    pub async fn start(folder: &Path, nodes: &[Addresses], checks: Checks) -> Result<Self> {
        let socket = folder.join("haproxy.sock");
        let mut text = format!(
            "global\n    maxconn 2000\n\
             defaults\n    mode http\n    timeout connect 2s\n    timeout client 60s\n    timeout server 60s\n\
             \x20   option redispatch\n    retries 2\n\
             frontend calls\n    bind unix@{}\n    default_backend nodes\n\
             backend nodes\n    balance roundrobin\n    option httpchk GET /readyz\n\
             \x20   default-server inter {}ms fall {} rise 1\n",
            socket.display(),
            checks.interval.as_millis(),
            checks.fall
        );
        for (n, node) in nodes.iter().enumerate() {
            text.push_str(&format!(
                "    server node-{n} {} check addr {} port {}\n",
                node.gateway,
                node.telemetry.ip(),
                node.telemetry.port()
            ));
        }
        let config = folder.join("haproxy.cfg");
        std::fs::write(&config, text)?;
        let log = std::fs::File::create(folder.join("haproxy.log"))?;
        let mut command = Command::new("haproxy");
        command
            .args(["-db", "-f"])
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(log);
        let process = Process::spawn(&mut command, None)?;
        let until = tokio::time::Instant::now() + Duration::from_secs(10);
        while !socket.exists() {
            if tokio::time::Instant::now() > until {
                let said = std::fs::read_to_string(folder.join("haproxy.log"));
                return Err(
                    format!("HAProxy does not listen: {}", said.unwrap_or_default()).into(),
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(Self {
            front: Proxy::start(Target::Unix(socket)).await?,
            _process: process,
        })
    }

    /// Where callers reach it.
    #[must_use]
    pub fn address(&self) -> std::net::SocketAddr {
        self.front.address()
    }
}
