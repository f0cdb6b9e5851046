//! The faults that a drill injects, one at a time, each healed before the next.

use std::time::Duration;

use rand::{RngExt, rngs::StdRng};
use sqlx::Connection;
use tokio::time::sleep;

use crate::{Result, clock::Moment, cluster::Cluster, proxy::Mode};

/// The kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// SIGSTOP of a node, then SIGCONT.
    StopNode,
    /// The same, and when it goes on no intent can be written for a moment: what it decided by what it knew before waits,
    /// while the news arrives.
    StopNodeAndStallIntents,
    /// SIGKILL of a node, then a new start.
    KillNode,
    /// The connections of a node to PostgreSQL are closed, and new ones refused.
    CutDatabase,
    /// They stay, and no byte moves in either direction, or in one of them.
    FreezeDatabase,
    /// SIGSTOP of PostgreSQL, then SIGCONT.
    StopPostgres,
    /// SIGKILL of PostgreSQL, then a new start on the same data.
    KillPostgres,
    /// The standby lags, the primary is killed, the standby is promoted: the last commits are lost.
    Failover,
}

impl Kind {
    /// The faults of nodes and of their ways to PostgreSQL; a stopped node more often: it is the one that still believes
    /// what it knew.
    pub const OF_NODES: [Self; 5] = [
        Self::StopNode,
        Self::StopNodeAndStallIntents,
        Self::KillNode,
        Self::CutDatabase,
        Self::FreezeDatabase,
    ];

    /// The same, and those of PostgreSQL that lose nothing.
    pub const OF_NODES_AND_POSTGRES: [Self; 8] = [
        Self::StopNode,
        Self::StopNode,
        Self::StopNodeAndStallIntents,
        Self::KillNode,
        Self::CutDatabase,
        Self::FreezeDatabase,
        Self::StopPostgres,
        Self::KillPostgres,
    ];
}

/// For how long a node is stopped that others are to have fenced.
const FENCED: Duration = Duration::from_secs(3);

/// For how long no intent can be written: less than a statement may take.
const STALL: Duration = Duration::from_millis(700);

impl Kind {
    /// Whether a node is stopped.
    #[must_use]
    pub fn stops_a_node(self) -> bool {
        matches!(self, Self::StopNode | Self::StopNodeAndStallIntents)
    }
}

/// A fault that was injected and healed.
#[derive(Debug, Clone)]
pub struct Injected {
    /// What it was.
    pub kind: Kind,
    /// The node that had it, where it was a node's.
    pub node: Option<usize>,
    /// When it began.
    pub began: Moment,
    /// When it was healed.
    pub ended: Moment,
    /// Of a failover, when the old primary was killed: until then it may have answered.
    pub killed: Option<Moment>,
}

impl Injected {
    /// Whether it was there at any time between these moments.
    #[must_use]
    pub fn touches(&self, from: Moment, to: Moment) -> bool {
        self.began <= to && self.ended >= from
    }
}

/// Injects a fault, waits, and heals it.
///
/// # Errors
/// Where something does not come back: the drill cannot go on.
pub async fn inject(cluster: &Cluster, kind: Kind, rng: &mut StdRng) -> Result<Injected> {
    let count = cluster.nodes.len();
    let number = rng.random_range(0..count);
    let node = cluster.nodes.get(number).ok_or("there is no node")?;
    let database = cluster.databases.get(number).ok_or("there is no node")?;
    let time = Duration::from_millis(rng.random_range(500..=6000));
    let began = cluster.clock.now();
    let mut killed = None;
    match kind {
        Kind::StopNode => {
            node.stop();
            sleep(time).await;
            node.cont();
        }
        Kind::StopNodeAndStallIntents => {
            node.stop();
            // Longer than a lease: reports are answered meanwhile.
            sleep(time.max(FENCED)).await;
            let mut connection = cluster.postgres.lock().await.connect().await?;
            let mut tx = connection.begin().await?;
            sqlx::raw_sql("LOCK TABLE intents IN EXCLUSIVE MODE")
                .execute(&mut *tx)
                .await?;
            node.cont();
            sleep(STALL).await;
            tx.commit().await?;
        }
        Kind::KillNode => {
            node.kill();
            node.start().await?;
        }
        Kind::CutDatabase => {
            database.set(Mode::Cut);
            sleep(time).await;
            database.set(Mode::Pass);
        }
        Kind::FreezeDatabase => {
            let modes = [Mode::Freeze, Mode::FreezeToTarget, Mode::FreezeToClient];
            let mode = modes.get(rng.random_range(0..modes.len()));
            database.set(mode.copied().unwrap_or(Mode::Freeze));
            sleep(time).await;
            database.set(Mode::Pass);
        }
        Kind::StopPostgres => {
            cluster.postgres.lock().await.stop();
            sleep(time / 2).await;
            cluster.postgres.lock().await.cont();
        }
        Kind::KillPostgres => {
            let mut postgres = cluster.postgres.lock().await;
            postgres.kill();
            sleep(time / 6).await;
            postgres.restart().await?;
        }
        Kind::Failover => killed = Some(fail_over(cluster, time / 6).await?),
    }
    let of_node = Kind::OF_NODES.contains(&kind);
    Ok(Injected {
        kind,
        node: of_node.then_some(number),
        began,
        ended: cluster.clock.now(),
        killed,
    })
}

/// Lets the standby lag for so long, then promotes it; gives when the old primary was dead.
async fn fail_over(cluster: &Cluster, lag: Duration) -> Result<Moment> {
    let mut postgres = cluster.postgres.lock().await;
    postgres.cut_replication();
    sleep(lag).await;
    postgres.kill();
    let killed = cluster.clock.now();
    postgres.promote().await?;
    for database in &cluster.databases {
        database.retarget(postgres.target());
    }
    postgres.build_standby().await?;
    Ok(killed)
}
