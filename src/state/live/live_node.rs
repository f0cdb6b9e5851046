//! The node of this process: its memory, its calls in progress, and the tasks that keep both up to date.

use std::sync::Arc;

use sqlx::PgPool;
use tokio::{sync::watch, task::JoinSet};

use super::{
    barrier::Barrier,
    feed::{Feed, FeedSettings},
    membership::{Membership, MembershipParts},
    memory::LiveRegistry,
    nodes::NodeInfo,
};
use crate::{
    calls::{in_flight::InFlight, recorder::Recorder},
    clock::{Clock, LatestTime},
};

/// What a [`LiveNode`] is made of.
pub struct LiveNodeParts {
    /// What the node says of itself.
    pub node_info: NodeInfo,
    /// The database.
    pub pool: PgPool,
    /// The same, by connections for news and leases alone.
    pub control: PgPool,
    /// The source of the current time.
    pub clock: Arc<dyn Clock>,
    /// How it follows the revision; its timeout is that of every call of the database.
    pub feed: FeedSettings,
}

/// The live state of a node; its clones share it.
#[derive(Clone)]
pub struct LiveNode {
    /// Keeps the node's memory up to date.
    pub feed: Arc<Feed>,
    /// Its place among the nodes, and its lease.
    pub membership: Arc<Membership>,
    /// Where changes that restrict wait for the nodes.
    pub barrier: Arc<Barrier>,
    /// The calls that it is at work on.
    pub calls: Arc<InFlight>,
    /// The latest time that this node has seen; it never steps back.
    pub latest: Arc<LatestTime>,
    /// Gathers records of calls.
    pub recorder: Arc<Recorder>,
}

impl LiveNode {
    /// A node that has read nothing yet and has not announced itself.
    #[must_use]
    pub fn new(parts: LiveNodeParts) -> Self {
        let LiveNodeParts {
            node_info,
            pool,
            control,
            clock,
            feed,
        } = parts;
        let timeout = feed.timeout;
        let feed = Arc::new(Feed::new(
            control.clone(),
            Arc::<LiveRegistry>::default(),
            feed,
        ));
        let (calls, latest) = (Arc::<InFlight>::default(), Arc::<LatestTime>::default());
        let membership = Membership::new(MembershipParts {
            feed: node_info.enforces.then(|| Arc::clone(&feed)),
            node_info,
            pool: control.clone(),
            calls: Arc::clone(&calls),
            clock: Arc::clone(&clock),
            latest: Arc::clone(&latest),
            timeout,
        });
        Self {
            feed,
            membership: Arc::new(membership),
            barrier: Arc::new(Barrier::new(control, pool.clone(), clock, timeout)),
            calls,
            latest,
            recorder: Arc::new(Recorder::new(pool, timeout)),
        }
    }

    /// Follows the registry, holds the lease and writes records until told to stop. Returns when everything that was
    /// gathered is written, or could not be.
    pub async fn run(&self, stop: watch::Receiver<bool>) {
        let mut tasks = JoinSet::new();
        let (feed, stopped) = (Arc::clone(&self.feed), stop.clone());
        tasks.spawn(async move { feed.run(stopped).await });
        let (feed, stopped) = (Arc::clone(&self.feed), stop.clone());
        tasks.spawn(async move { feed.run_verification(stopped).await });
        let (recorder, stopped) = (Arc::clone(&self.recorder), stop.clone());
        tasks.spawn(async move { recorder.run(stopped).await });
        tasks.spawn(Arc::clone(&self.membership).run(stop));
        while tasks.join_next().await.is_some() {}
    }
}
