//! The faults drill: each promise about the database and the nodes as a scene with a figure.
//!
//! In every scene, mutations are sent all the time, and a leaked key is tried at every node. What was acknowledged is
//! looked for in the end.

mod kills;
mod load;
mod restarts;
mod scenes;

use std::path::PathBuf;

use crate::{Result, summary::Summary};

/// What is run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The `akgate` to run.
    pub akgate: PathBuf,
    /// How many nodes.
    pub nodes: usize,
    /// Callers at a time.
    pub callers: usize,
    /// Whether HAProxy stands in front of the nodes.
    pub balancer: bool,
    /// The scenes, in this order.
    pub scenes: Vec<Scene>,
    /// How often a process is killed in [`Scene::Kills`].
    pub kills: usize,
    /// How often all nodes are restarted, one by one, in [`Scene::Restarts`].
    pub restarts: usize,
    /// A folder where the nodes' logs are kept.
    pub logs: Option<PathBuf>,
}

/// A scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scene {
    /// Every connection to the database freezes; new ones work.
    Frozen,
    /// The standby is promoted, the address follows, the former primary lives on and takes no writes.
    Promoted,
    /// The nodes know both hosts; the primary is killed and the standby promoted.
    Followed,
    /// The nodes know both hosts; the primary is restarted as a standby, and the other standby promoted.
    Demoted,
    /// The database forbids further connections, and ends those that there are.
    NoConnections,
    /// All nodes are restarted in order, one by one, behind a balancer.
    Restarts,
    /// Processes are killed at random moments of reports, mutations, letters, lifts and imports.
    Kills,
}

impl Scene {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Frozen,
        Self::Promoted,
        Self::Followed,
        Self::Demoted,
        Self::NoConnections,
        Self::Restarts,
        Self::Kills,
    ];
}

/// Runs the scenes, each on a cluster of its own.
///
/// # Errors
/// Where the harness itself fails.
pub async fn run(settings: &Settings) -> Result<Summary> {
    let mut rows = Vec::new();
    for scene in &settings.scenes {
        rows.extend(match scene {
            Scene::Kills => kills::run(settings).await?,
            Scene::Restarts => restarts::run(settings).await?,
            other => scenes::run(settings, *other).await?,
        });
    }
    Ok(Summary { rows })
}
