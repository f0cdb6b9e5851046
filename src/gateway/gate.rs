//! What the steps of the request road share.

use std::{
    borrow::Cow,
    hash::RandomState,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use akgate_state::database::Pool;
use tokio::sync::{Semaphore, watch};
use uuid::Uuid;

use super::{
    lookup::{KeyLookup, LookupSettings},
    nonce::NonceMemory,
    routes::Routes,
};
use akgate_net::metrics::Metrics;
use akgate_rules::{
    fault::Fault,
    operation::{Blocklist, Catalogue, DataError},
    position::{History, Position},
    verdict::{DecisionBasis, Policy, Profile},
};
use akgate_state::{
    calls::{in_flight::InFlight, recorder::Recorder},
    clock::{Clock, LatestTime},
    directory::{sealing::KeyRing, with_timeout},
    live::{
        barrier::Barrier, feed::Feed, lease::Lease, live_node::LiveNode, memory::LiveRegistry,
        nodes,
    },
    randomness::Randomness,
};

/// How often what has ended is forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// How the gate is set.
#[derive(Debug, Clone)]
pub struct GateSettings {
    /// The longest body, in bytes.
    pub body_limit: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// How many calls may be under way at a time; more are refused at once.
    pub max_concurrent: usize,
    /// How refusals are carried out.
    pub policy: Policy,
    /// What a restricted key is refused, where its account has no profile of its own.
    pub profile: Profile,
    /// The federated calls of STS that pass without an access key, by action.
    pub anonymous: Vec<String>,
    /// A page for whoever meets an error.
    pub recommend: RecommendLink,
    /// How long one call of the database may take.
    pub database_timeout: Duration,
}

impl Default for GateSettings {
    fn default() -> Self {
        Self {
            body_limit: 1 << 20,
            body_timeout: Duration::from_secs(30),
            max_concurrent: 1024,
            policy: Policy::default(),
            profile: Profile::default(),
            anonymous: Vec::new(),
            recommend: RecommendLink::default(),
            database_timeout: Duration::from_secs(5),
        }
    }
}

/// The link in the `Recommend` member of an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RecommendLink {
    /// None.
    #[default]
    None,
    /// This page, whatever the error.
    Fixed(String),
    /// akgate's own page, which explains the refusal of the RequestId in its query.
    Explained(String),
}

impl RecommendLink {
    /// The link for one error.
    #[must_use]
    pub fn for_fault(&self, fault: &Fault, request_id: &str) -> Cow<'_, str> {
        match (self, fault) {
            (Self::None, _) => "".into(),
            (Self::Explained(page), Fault::LeakRisk) => {
                format!("{page}?RequestId={request_id}").into()
            }
            (Self::Fixed(page) | Self::Explained(page), _) => page.into(),
        }
    }
}

/// What the steps share.
pub struct Gate {
    /// How it is set.
    pub settings: GateSettings,
    /// What every operation would change.
    pub catalogue: Catalogue,
    /// What the strict profile refuses.
    pub strict: Blocklist,
    /// Which operations are served.
    pub routes: Routes,
    /// Finds access keys.
    pub lookup: Arc<KeyLookup>,
    /// What this node knows.
    pub live: Arc<LiveRegistry>,
    /// Keeps `live` as the database has it.
    pub feed: Arc<Feed>,
    /// While it is held, every change that was answered is in `live`.
    pub lease: Arc<Lease>,
    /// Where changes that restrict wait for the nodes.
    pub barrier: Arc<Barrier>,
    /// The calls that this node is at work on.
    pub calls: Arc<InFlight>,
    /// The latest time that was seen.
    pub latest: Arc<LatestTime>,
    /// The nonces of this node.
    pub nonces: NonceMemory<RandomState>,
    /// Gathers records.
    pub recorder: Arc<Recorder>,
    /// For intents and for what is learnt.
    pub pool: Pool,
    /// Seals what is learnt.
    pub ring: Arc<KeyRing>,
    /// For nonces of sealing.
    pub randomness: Arc<Randomness>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The limit of calls at a time.
    pub concurrency: Arc<Semaphore>,
    /// Whether it was said that answers cannot be read.
    pub has_warned_of_answers: AtomicBool,
}

/// What a gate is made of.
pub struct GateParts {
    /// How it is set.
    pub settings: GateSettings,
    /// How access keys are looked up.
    pub lookup: LookupSettings,
    /// How many nonces of one access key are remembered.
    pub nonces_per_key: usize,
    /// Which operations are served.
    pub routes: Routes,
    /// The node that it belongs to.
    pub node: LiveNode,
    /// The database.
    pub pool: Pool,
    /// Seals what is learnt.
    pub ring: Arc<KeyRing>,
    /// For nonces of sealing.
    pub randomness: Arc<Randomness>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

impl Gate {
    /// A gate of these parts.
    ///
    /// # Errors
    /// [`DataError`] where the data of the build is wrong.
    pub fn new(parts: GateParts) -> Result<Self, DataError> {
        let node = parts.node;
        let lookup = KeyLookup::new(
            parts.pool.clone(),
            Arc::clone(&parts.ring),
            Arc::clone(&node.feed),
            parts.lookup,
        );
        Ok(Self {
            catalogue: Catalogue::built_in()?,
            strict: Blocklist::strict()?,
            routes: parts.routes,
            lookup: Arc::new(lookup),
            live: Arc::clone(node.feed.live()),
            feed: node.feed,
            lease: Arc::clone(node.membership.lease()),
            barrier: node.barrier,
            calls: node.calls,
            latest: node.latest,
            nonces: NonceMemory::new(parts.nonces_per_key, RandomState::new()),
            recorder: node.recorder,
            pool: parts.pool,
            ring: parts.ring,
            randomness: parts.randomness,
            clock: parts.clock,
            metrics: parts.metrics,
            concurrency: Arc::new(Semaphore::new(parts.settings.max_concurrent)),
            has_warned_of_answers: AtomicBool::new(false),
            settings: parts.settings,
        })
    }

    /// What this node knows now: read before anything else that a call is decided by.
    #[must_use]
    pub fn basis(&self) -> DecisionBasis {
        let since = self.clock.since_boot();
        let is_leased = self.lease.holds(since);
        let position = self.live.position().unwrap_or(Position {
            history: History(Uuid::nil()),
            revision: -1,
        });
        DecisionBasis {
            position,
            since,
            is_leased,
        }
    }

    /// The policy in force: as it is configured, but for the mode, where operators have switched it.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let configured = self.settings.policy;
        match self.live.mode() {
            Some(mode) => Policy { mode, ..configured },
            None => configured,
        }
    }

    /// Forgets what has ended, every minute until told to stop.
    pub async fn keep_sweeping(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            tokio::select! {
                () = tokio::time::sleep(SWEEP_EVERY) => {}
                _ = stop.changed() => break,
            }
            let now = self.clock.now();
            self.nonces.sweep(now);
            self.live.sweep(now);
            let timeout = self.settings.database_timeout;
            if let Err(fault) = with_timeout(timeout, nodes::delete_silent_nodes(&self.pool)).await
            {
                tracing::debug!(%fault, "nodes that have ended are listed for longer");
            }
        }
    }
}
