//! The state that all steps of the request road share.

use std::{
    borrow::Cow,
    hash::RandomState,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use akgate_state::database::Pool;
use tokio::sync::watch;
use uuid::Uuid;

use super::{
    budgets::{CallBudgets, CallLimits},
    decide::{Decider, policy_in_force},
    lookup::{KeyLookup, LookupSettings},
    nonce::NonceMemory,
    routes::Routes,
};
use akgate_net::{fair_budget::FairBudget, metrics::Metrics, received_body::BodyLimits};
use akgate_rules::{
    fault::Fault,
    operation::{Blocklist, Catalogue, DataError, EffectList},
    position::{History, Position},
    request::reserved::ReservedNames,
    verdict::{DecisionBasis, Policy, Profile},
};
use akgate_state::{
    batches::{BatchSettings, Batches},
    calls::{in_flight::InFlight, intents::IntentWriter, recorder::Recorder},
    clock::{Clock, LatestTime},
    directory::{sealing::KeyRing, with_timeout},
    keys::directory_change::DirectoryWriter,
    live::{
        barrier::Barrier, feed::Feed, lease::Lease, live_node::LiveNode, memory::LiveRegistry,
        nodes,
    },
    randomness::Randomness,
};

/// How often expired sessions, exceptions and nonces are dropped.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// How many statements write intents at the same time.
const INTENT_BATCHES: usize = 4;

/// How many intents one statement writes.
const INTENTS_PER_BATCH: usize = 256;

/// The settings of the gate.
#[derive(Debug, Clone)]
pub struct GateSettings {
    /// The limits of a request body.
    pub body: BodyLimits,
    /// Maximum numbers of calls in progress; further ones are refused at once.
    pub calls: CallLimits,
    /// Whether and from when refusals are enforced.
    pub policy: Policy,
    /// The profile of accounts that have none of their own.
    pub profile: Profile,
    /// The federated calls of STS that pass without an access key, by action.
    pub anonymous: Vec<String>,
    /// The names that callers must not sign.
    pub reserved: ReservedNames,
    /// Effects of operations of other products, beside those that come with the build.
    pub effects: EffectList,
    /// The page that a refusal because of a leak recommends.
    pub recommend: RecommendLink,
    /// How long one call of the database may take.
    pub database_timeout: Duration,
}

impl Default for GateSettings {
    fn default() -> Self {
        Self {
            body: BodyLimits::default(),
            calls: CallLimits::default(),
            policy: Policy::default(),
            profile: Profile::default(),
            anonymous: Vec::new(),
            reserved: ReservedNames::default(),
            effects: EffectList::default(),
            recommend: RecommendLink::default(),
            database_timeout: Duration::from_secs(5),
        }
    }
}

impl GateSettings {
    /// Whether a call of this action may come without an access key.
    #[must_use]
    pub fn allows_anonymous(&self, action: Option<&str>) -> bool {
        action.is_some_and(|action| self.anonymous.iter().any(|allowed| allowed == action))
    }
}

/// The link in the `Recommend` member of a refusal because of a leak. Every other error recommends nothing: its cause is
/// another one, and the page would send its reader after a leak that does not exist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RecommendLink {
    /// None.
    #[default]
    None,
    /// This page.
    Fixed(String),
    /// akgate's own page, which explains the refusal of the RequestId in its query.
    Explained(String),
}

impl RecommendLink {
    /// The link for one error.
    #[must_use]
    pub fn for_fault(&self, fault: &Fault, request_id: &str) -> Cow<'_, str> {
        match (self, fault) {
            (Self::Fixed(page), Fault::LeakRisk) => page.into(),
            (Self::Explained(page), Fault::LeakRisk) => {
                format!("{page}?RequestId={request_id}").into()
            }
            (Self::None | Self::Fixed(_) | Self::Explained(_), _) => "".into(),
        }
    }
}

/// What all steps of the road share.
pub struct Gate {
    /// The settings.
    pub settings: GateSettings,
    /// The catalogue of operations and their effects.
    pub catalogue: Catalogue,
    /// The operations that the profile `strict` refuses.
    pub strict: Blocklist,
    /// Which operations are served.
    pub routes: Routes,
    /// Finds access keys.
    pub lookup: Arc<KeyLookup>,
    /// What this node knows in memory.
    pub live: Arc<LiveRegistry>,
    /// Keeps `live` up to date.
    pub feed: Arc<Feed>,
    /// The node's lease: while it is held, `live` contains every change that was answered.
    pub lease: Arc<Lease>,
    /// The barrier at which changes that restrict wait for the nodes.
    pub barrier: Arc<Barrier>,
    /// The calls in progress on this node.
    pub calls: Arc<InFlight>,
    /// The latest time that this node has seen; it never steps back.
    pub latest: Arc<LatestTime>,
    /// The nonces that this node remembers.
    pub nonces: NonceMemory<RandomState>,
    /// Gathers records.
    pub recorder: Arc<Recorder>,
    /// Writes intents.
    pub intents: Arc<Batches<IntentWriter>>,
    /// Commits changes of the directory.
    pub directory: DirectoryWriter,
    /// The database.
    pub pool: Pool,
    /// Random numbers, for the nonces of sealed secrets.
    pub randomness: Arc<Randomness>,
    /// The source of the current time.
    pub clock: Arc<dyn Clock>,
    /// The metrics of this process.
    pub metrics: Arc<Metrics>,
    /// Counts the calls in progress against their limits.
    pub budgets: CallBudgets,
    /// Whether the warning about unreadable answers was logged.
    pub has_warned_of_answers: AtomicBool,
}

/// The parts of a gate.
pub struct GateParts {
    /// The settings.
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
    /// Seals the secrets that the gate learns.
    pub ring: Arc<KeyRing>,
    /// Random numbers, for the nonces of sealed secrets.
    pub randomness: Arc<Randomness>,
    /// The source of the current time.
    pub clock: Arc<dyn Clock>,
    /// The metrics of this process.
    pub metrics: Arc<Metrics>,
    /// Bytes that requests may hold before their callers are known, at all listeners of the process.
    pub memory: Arc<FairBudget>,
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
        let timeout = parts.settings.database_timeout;
        let batches = BatchSettings {
            at_a_time: INTENT_BATCHES,
            most: INTENTS_PER_BATCH,
            timeout,
        };
        let intents = Batches::new(IntentWriter::new(parts.pool.clone()), batches);
        let directory = DirectoryWriter::new(
            parts.pool.clone(),
            parts.ring,
            Arc::clone(&node.feed),
            timeout,
        );
        let budgets = CallBudgets::new(
            parts.settings.calls,
            &parts.routes,
            parts.memory,
            Arc::clone(&parts.metrics),
        );
        Ok(Self {
            catalogue: Catalogue::built_in()?.with_effects(parts.settings.effects.clone()),
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
            intents: Arc::new(intents),
            directory,
            pool: parts.pool,
            randomness: parts.randomness,
            clock: parts.clock,
            metrics: parts.metrics,
            budgets,
            has_warned_of_answers: AtomicBool::new(false),
            settings: parts.settings,
        })
    }

    /// What this node knows now. It must be read before anything else that the decision depends on.
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

    /// The policy in force: the configured one, with the mode that operators have switched to, if any.
    #[must_use]
    pub fn policy(&self) -> Policy {
        policy_in_force(self.settings.policy, &self.live)
    }

    /// What decides on calls.
    #[must_use]
    pub fn decider(&self) -> Decider<'_> {
        Decider {
            live: &self.live,
            strict: &self.strict,
            default_profile: self.settings.profile,
        }
    }

    /// Drops what has expired, every minute until told to stop.
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
