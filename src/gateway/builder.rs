//! Builds a gate for your own program: everything that [`Gate`] needs, with good defaults, and the tasks that keep it
//! up to date.

use std::sync::Arc;

use akgate_state::database::{Database, PoolSettings};
use tokio::{sync::watch, task::JoinSet};

use super::{
    gate::{Gate, GateParts, GateSettings},
    layer::GateLayer,
    lookup::LookupSettings,
    nonce::NONCES_PER_KEY,
    routes::{OtherProduct, Routes, UpstreamAuth},
};
use akgate_net::{
    fair_budget::FairBudget, metrics::Metrics, request_memory::DEFAULT_REQUEST_MEMORY,
};
use akgate_rules::{
    operation::{DataError, Product},
    verdict::{Policy, Profile},
};
use akgate_state::{
    clock::{Clock, SystemClock},
    directory::{StateFault, sealing::KeyRing},
    live::{
        feed::FeedSettings,
        live_node::{LiveNode, LiveNodeParts},
        nodes::NodeInfo,
    },
    randomness::{NoRandomness, Randomness},
};

/// Connections reserved for the registry and leases: they never wait for calls.
const CONTROL_CONNECTIONS: u32 = 4;

/// Why a gate cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum GateBuildError {
    /// Data that is built in is wrong.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The operating system provides no random numbers.
    #[error("the operating system gives no randomness: {0}")]
    Randomness(#[from] NoRandomness),
    /// The registry cannot be read.
    #[error(transparent)]
    Registry(#[from] StateFault),
}

/// Builds a gate.
pub struct GateBuilder {
    database: Database,
    pool: PoolSettings,
    ring: Arc<KeyRing>,
    clock: Arc<dyn Clock>,
    randomness: Option<Arc<Randomness>>,
    metrics: Arc<Metrics>,
    settings: GateSettings,
    lookup: LookupSettings,
    products: Vec<Product>,
    operations: Vec<(String, String, String)>,
}

/// What keeps a gate up to date: it follows the registry and the host of the database that takes writes, holds the node's
/// lease and writes records.
#[must_use = "a gate that nobody keeps refuses all changes"]
pub struct GateTasks {
    database: Database,
    gate: Arc<Gate>,
    node: LiveNode,
}

impl Gate {
    /// Starts to build a gate on a migrated database, with the key ring of that database.
    #[must_use]
    pub fn builder(database: Database, ring: KeyRing) -> GateBuilder {
        GateBuilder {
            database,
            pool: PoolSettings::default(),
            ring: Arc::new(ring),
            clock: Arc::new(SystemClock),
            randomness: None,
            metrics: Arc::default(),
            settings: GateSettings::default(),
            lookup: LookupSettings::default(),
            products: Product::CATALOGUED.into(),
            operations: Vec::new(),
        }
    }
}

impl GateBuilder {
    /// Uses these settings for the pool for calls. The gate has a second pool, for news and leases.
    #[must_use]
    pub fn pool(mut self, pool: PoolSettings) -> Self {
        self.pool = pool;
        self
    }

    /// Uses this clock instead of the system's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Uses this source of random numbers instead of the operating system's.
    #[must_use]
    pub fn randomness(mut self, randomness: Arc<Randomness>) -> Self {
        self.randomness = Some(randomness);
        self
    }

    /// Counts in these metrics.
    #[must_use]
    pub fn metrics(mut self, metrics: Arc<Metrics>) -> Self {
        self.metrics = metrics;
        self
    }

    /// Sets how refusals are enforced.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.settings.policy = policy;
        self
    }

    /// Sets the profile of accounts that have none of their own.
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Self {
        self.settings.profile = profile;
        self
    }

    /// Replaces all settings of the gate, including those given before.
    #[must_use]
    pub fn settings(mut self, settings: GateSettings) -> Self {
        self.settings = settings;
        self
    }

    /// Sets how access keys are looked up.
    #[must_use]
    pub fn lookup(mut self, lookup: LookupSettings) -> Self {
        self.lookup = lookup;
        self
    }

    /// Serves only these of the four catalogued products.
    #[must_use]
    pub fn products(mut self, products: impl IntoIterator<Item = Product>) -> Self {
        self.products = products.into_iter().collect();
        self
    }

    /// Also serves this operation of another product.
    #[must_use]
    pub fn operation(mut self, product: &str, version: &str, action: &str) -> Self {
        let operation = [product, version, action].map(str::to_owned);
        self.operations.push(operation.into());
        self
    }

    /// Reads the registry and takes the node's first lease. Returns the gate, and the tasks that you must spawn.
    ///
    /// # Errors
    /// [`GateBuildError`].
    pub async fn build(self) -> Result<(GateLayer, GateTasks), GateBuildError> {
        let timeout = self.settings.database_timeout;
        let pool = self.database.pool(self.pool);
        let control = self.database.pool(PoolSettings {
            connections: CONTROL_CONNECTIONS,
            ..self.pool
        });
        let now = self.clock.now();
        let node = LiveNode::new(LiveNodeParts {
            node_info: NodeInfo::new(vec!["gateway".into()], true, (*self.ring).clone(), now),
            pool: pool.clone(),
            control,
            clock: Arc::clone(&self.clock),
            feed: FeedSettings {
                timeout,
                ..FeedSettings::default()
            },
        });
        let randomness = match &self.randomness {
            Some(randomness) => Arc::clone(randomness),
            None => Arc::new(Randomness::from_system()?),
        };
        let gate = Arc::new(Gate::new(GateParts {
            routes: self.routes(),
            settings: self.settings,
            lookup: self.lookup,
            nonces_per_key: NONCES_PER_KEY,
            node: node.clone(),
            pool,
            ring: self.ring,
            randomness,
            clock: self.clock,
            metrics: self.metrics,
            memory: FairBudget::new(DEFAULT_REQUEST_MEMORY),
        })?);
        node.feed.poll().await?;
        node.membership.round().await?;
        let layer = GateLayer::new(Arc::clone(&gate));
        let tasks = GateTasks {
            database: self.database,
            gate,
            node,
        };
        Ok((layer, tasks))
    }

    fn routes(&self) -> Routes {
        let mut routes = Routes::default();
        for product in &self.products {
            routes.serve_product(product.clone(), UpstreamAuth::InProcess);
        }
        for (product, version, action) in &self.operations {
            routes.serve_product(Product::from_code(product), UpstreamAuth::InProcess);
            routes.serve_other(OtherProduct {
                product: product.clone(),
                version: version.clone(),
                actions: [action.clone()].into(),
                ..OtherProduct::default()
            });
        }
        routes
    }
}

impl GateTasks {
    /// Runs until `stop` is ready; returns when the last records are written or have failed.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (stopping, stopped) = watch::channel(false);
        let Self {
            database,
            gate,
            node,
        } = self;
        let mut tasks = JoinSet::new();
        let receiver = stopped.clone();
        tasks.spawn(async move { node.run(receiver).await });
        tasks.spawn(gate.keep_sweeping(stopped));
        let ended = async {
            stop.await;
            stopping.send_replace(true);
            while tasks.join_next().await.is_some() {}
        };
        tokio::select! {
            () = ended => {}
            () = database.follow_primary() => {}
        }
    }
}
