//! What the stations share, and the stack that they form.

use std::{borrow::Cow, sync::Arc};

use akgate_state::database::Pool;
use axum::body::Body;
use tower::{Layer, Service};
use uuid::Uuid;

use super::{
    authenticate::Authenticate, call::Answer, enforce::Enforce, forward::Forward, learn::Learn,
    lookup::Lookup, nonce::NonceMemory, receive::Receive, routes::Routes,
};
use akgate_net::metrics::Metrics;
use akgate_rules::{
    fault::Fault,
    operation::{Blocklist, Catalogue},
    position::{History, Position},
    verdict::{Basis, Policy, Profile},
};
use akgate_state::{
    calls::{in_flight::InFlight, recorder::Recorder},
    clock::{Clock, LatestTime},
    directory::sealing::KeyRing,
    live::{barrier::Barrier, feed::Feed, lease::Lease, memory::Live},
    randomness::Randomness,
};

/// How the gate is set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The longest body, in bytes.
    pub body_limit: usize,
    /// How long a body may take to arrive.
    pub body_timeout: std::time::Duration,
    /// Whether calls are copies of calls that go another way: they are judged, and forwarded nowhere.
    pub is_mirror: bool,
    /// How refusals are carried out.
    pub policy: Policy,
    /// What a restricted key is refused, where its account has no profile of its own.
    pub profile: Profile,
    /// The federated calls of STS that pass without an AccessKey, by action.
    pub anonymous: Vec<String>,
    /// A page for whoever meets an error.
    pub recommend: Recommend,
    /// How long one call of the database may take.
    pub database_timeout: std::time::Duration,
}

/// The page that an error recommends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Recommend {
    /// None.
    #[default]
    Nothing,
    /// This one, whatever the error.
    Page(String),
    /// akgate's own, which also tells why a call was refused.
    Own(String),
}

impl Recommend {
    /// The page for one error.
    #[must_use]
    pub fn of(&self, fault: &Fault, request_id: &str) -> Cow<'_, str> {
        match (self, fault) {
            (Self::Nothing, _) => "".into(),
            (Self::Own(page), Fault::LeakRisk) => format!("{page}?RequestId={request_id}").into(),
            (Self::Page(page) | Self::Own(page), _) => page.into(),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            body_limit: 1 << 20,
            body_timeout: std::time::Duration::from_secs(30),
            is_mirror: false,
            policy: Policy::default(),
            profile: Profile::default(),
            anonymous: Vec::new(),
            recommend: Recommend::default(),
            database_timeout: std::time::Duration::from_secs(5),
        }
    }
}

/// What the stations share.
pub struct Gate {
    /// How it is set.
    pub settings: Settings,
    /// What every operation would change.
    pub catalogue: Catalogue,
    /// What the strict profile refuses.
    pub strict: Blocklist,
    /// Which upstream serves which operation.
    pub routes: Routes,
    /// Finds keys.
    pub lookup: Arc<Lookup>,
    /// What this node knows.
    pub live: Arc<Live>,
    /// What keeps it so.
    pub feed: Arc<Feed>,
    /// Whether everything that was answered is known here.
    pub lease: Arc<Lease>,
    /// Where changes that restrict are waited for.
    pub barrier: Arc<Barrier>,
    /// The calls that this node is at work on.
    pub calls: Arc<InFlight>,
    /// The latest time that was seen.
    pub latest: Arc<LatestTime>,
    /// The nonces of this node.
    pub nonces: NonceMemory<std::hash::RandomState>,
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
}

impl Gate {
    /// What this node knows now: read before anything else that a call is decided by.
    #[must_use]
    pub fn basis(&self) -> Basis {
        let since = self.clock.since_boot();
        // A mirror refuses nothing, and lets nothing pass.
        let is_leased = self.settings.is_mirror || self.lease.holds(since);
        let position = self.live.position().unwrap_or(Position {
            history: History(Uuid::nil()),
            revision: -1,
        });
        Basis {
            position,
            since,
            is_leased,
        }
    }

    /// The policy in force: as it is configured, but for the mode, where operators have switched it. A mirror refuses
    /// nothing whatever they do.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let configured = self.settings.policy;
        match self.live.mode() {
            Some(mode) if !self.settings.is_mirror => Policy { mode, ..configured },
            Some(_) | None => configured,
        }
    }
}

/// Puts the gate in front of an upstream: any axum handler, or the client of a remote one. What reaches it
/// was printed by akgate and carries an [`super::identity::Identity`].
#[derive(Clone)]
pub struct GateLayer(Arc<Gate>);

impl GateLayer {
    /// A layer of this gate.
    #[must_use]
    pub fn new(gate: Arc<Gate>) -> Self {
        Self(gate)
    }
}

/// The stations in the order of the road.
pub type Stack<S> = Receive<Authenticate<Enforce<Learn<Forward<S>>>>>;

impl<S> Layer<S> for GateLayer
where
    S: Service<http::Request<Body>, Response = Answer>,
{
    type Service = Stack<S>;

    fn layer(&self, upstream: S) -> Self::Service {
        let gate = || Arc::clone(&self.0);
        let forward = Forward::new(gate(), upstream);
        let learn = Learn::new(gate(), forward);
        let enforce = Enforce::new(gate(), learn);
        let authenticate = Authenticate::new(gate(), enforce);
        Receive::new(gate(), authenticate)
    }
}
