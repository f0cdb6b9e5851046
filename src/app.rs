//! The composition root: every part, wired once. A process is a node with some of the roles.

use std::{num::NonZeroU32, path::PathBuf, sync::Arc, time::Duration};

use akgate_state::database::NodePools;
use axum::{
    Router, middleware,
    response::{IntoResponse, Response},
};
use lettre::message::Mailbox;
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tower_http::catch_panic::CatchPanicLayer;

use super::request_layers::{BufferedBodies, buffer_body, finish_request};
use akgate_admin::AdminApi;
use akgate_gateway::{
    gate::{Gate, GateParts, GateSettings},
    lookup::LookupSettings,
    routes::Routes,
};
use akgate_hooks::{Hook, worker::HookWorker};
use akgate_intake::{
    DeliveryContract, Intake, PublicReporting, SigningKeyFetcher, SigningKeys, SigningSource,
    TokenSource,
};
use akgate_net::{
    fair_budget::FairBudget,
    metrics::Metrics,
    received_body::{BodyBuffer, BodyFault, BodyLimits},
    source_rate_limiter::SourceRateLimiter,
};
use akgate_owners::{
    letters::{
        dkim::Dkim,
        facts::LetterSettings,
        letter::{LetterTemplates, TemplateFault},
        mailer::Mailer,
        worker::{LetterWorker, OutagePause},
    },
    pages::{self, OwnerPages, PageTemplates, PublicRateLimit},
};
use akgate_rules::{lineage::DescendantPolicy, operation::DataError, restriction::LiftRule};
use akgate_scan::SecretLengths;
use akgate_state::{
    calls::recorder::Recorder,
    clock::Clock,
    directory::sealing::KeyRing,
    leaks::record::SuspicionPolicy,
    live::{
        barrier::Barrier,
        feed::{self, Feed},
        live_node::{LiveNode, LiveNodeParts},
        membership::Membership,
        memory::LiveRegistry,
        nodes::NodeInfo,
    },
    randomness::Randomness,
    upkeep::Upkeep,
};

/// The longest form of the owners' pages, in bytes.
const LONGEST_FORM: usize = 64 << 10;

/// What every role of a process depends on.
#[derive(Clone)]
pub struct NodeDependencies {
    /// The database.
    pub pools: NodePools,
    /// Seals secrets, finds them, and signs the links of letters.
    pub ring: Arc<KeyRing>,
    /// The source of the current time.
    pub clock: Arc<dyn Clock>,
    /// The source of random numbers.
    pub randomness: Arc<Randomness>,
    /// The metrics of this process.
    pub metrics: Arc<Metrics>,
    /// How long one call of the database may take.
    pub database_timeout: Duration,
    /// Bytes that requests may hold before their callers are known, at all listeners.
    pub request_memory: Arc<FairBudget>,
}

/// The settings of a node's gateway.
pub struct GatewaySettings {
    /// The gate itself.
    pub gate: GateSettings,
    /// The settings of key lookups.
    pub lookup: LookupSettings,
    /// How many nonces of one key are remembered.
    pub nonces_per_key: usize,
    /// Which operations are served.
    pub routes: Routes,
}

/// The settings of the intake: the endpoints for leak reports.
pub struct IntakeSettings {
    /// How long a delivery may take in the database.
    pub timeout: Duration,
    /// The longest body, in bytes.
    pub body_limit: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// Maximum total size of the bodies in progress, in bytes.
    pub body_budget: usize,
    /// How suspicions are handled.
    pub suspicions: SuspicionPolicy,
    /// What becomes of what a leaked key made.
    pub descendants: DescendantPolicy,
    /// The lengths that secrets have.
    pub secret_lengths: SecretLengths,
    /// Sources that sign, and where each publishes its keys.
    pub signing_sources: Vec<(DeliveryContract, SigningKeyFetcher)>,
    /// Sources that have a token.
    pub token_sources: Vec<TokenSource>,
    /// Reports of the public; `None` while nobody may report.
    pub public_reporting: Option<Arc<PublicReporting>>,
}

impl Default for IntakeSettings {
    /// No source.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(20),
            body_limit: 16 << 20,
            body_timeout: Duration::from_secs(30),
            body_budget: 128 << 20,
            secret_lengths: SecretLengths::default(),
            suspicions: SuspicionPolicy {
                most_per_hour: Some(10_000),
                tell_owners: false,
            },
            descendants: DescendantPolicy::default(),
            signing_sources: Vec::new(),
            token_sources: Vec::new(),
            public_reporting: None,
        }
    }
}

/// The settings of the public listener's pages.
#[derive(Debug, Clone, Copy)]
pub struct PublicSettings {
    /// Who may lift after a confirmation.
    pub lift: LiftRule,
    /// Requests per second allowed from one address, with bursts of ten times as many.
    pub requests_per_second: NonZeroU32,
}

impl Default for PublicSettings {
    fn default() -> Self {
        Self {
            lift: LiftRule::default(),
            requests_per_second: NonZeroU32::MIN.saturating_add(99),
        }
    }
}

/// The settings of the worker that sends letters.
pub struct LetterWorkerSettings {
    /// Sends the messages.
    pub mailer: Arc<dyn Mailer>,
    /// The sender of the letters.
    pub from: Mailbox,
    /// Signs the messages (DKIM).
    pub dkim: Option<Dkim>,
    /// A folder of templates that replace built-in ones.
    pub templates: Option<PathBuf>,
    /// What the configuration says about letters.
    pub letter_settings: LetterSettings,
    /// Who may lift a restriction.
    pub lift: LiftRule,
}

/// A part of the node that cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Data that is built in is wrong.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A template of a letter is wrong.
    #[error(transparent)]
    Template(#[from] TemplateFault),
    /// A page that comes with the build is wrong.
    #[error(transparent)]
    Page(#[from] minijinja::Error),
}

/// A node.
pub struct Node {
    dependencies: NodeDependencies,
    live: LiveNode,
}

/// How a process presents itself to the other nodes.
#[derive(Debug, Clone)]
pub struct NodeRoles {
    /// Its roles.
    pub roles: Vec<String>,
    /// Whether it judges calls that it forwards: changes that restrict then wait for it.
    pub enforces: bool,
}

impl NodeRoles {
    /// One that does everything.
    #[must_use]
    pub fn all() -> Self {
        Self {
            roles: ["gateway", "public", "admin", "worker"]
                .map(str::to_owned)
                .into(),
            enforces: true,
        }
    }
}

impl Node {
    /// A node that has read nothing yet.
    #[must_use]
    pub fn new(dependencies: NodeDependencies, feed: feed::FeedSettings, roles: NodeRoles) -> Self {
        let node_info = NodeInfo::new(
            roles.roles,
            roles.enforces,
            (*dependencies.ring).clone(),
            dependencies.clock.now(),
        );
        let live = LiveNode::new(LiveNodeParts {
            node_info,
            pool: dependencies.pools.calls.clone(),
            control: dependencies.pools.control.clone(),
            clock: Arc::clone(&dependencies.clock),
            feed,
        });
        Self { dependencies, live }
    }

    /// The node's membership: its announcements and its lease.
    #[must_use]
    pub fn membership(&self) -> &Arc<Membership> {
        &self.live.membership
    }

    /// The barrier at which changes that restrict wait for the nodes.
    #[must_use]
    pub fn barrier(&self) -> &Arc<Barrier> {
        &self.live.barrier
    }

    /// What this node knows in memory.
    #[must_use]
    pub fn live(&self) -> &Arc<LiveRegistry> {
        self.live.feed.live()
    }

    /// The feed that keeps the memory up to date.
    #[must_use]
    pub fn feed(&self) -> &Arc<Feed> {
        &self.live.feed
    }

    /// The recorder of calls.
    #[must_use]
    pub fn recorder(&self) -> &Arc<Recorder> {
        &self.live.recorder
    }

    /// The gate of this node.
    ///
    /// # Errors
    /// [`AppError::Data`].
    pub fn gate(&self, settings: GatewaySettings) -> Result<Arc<Gate>, AppError> {
        let NodeDependencies {
            pools: NodePools { calls: pool, .. },
            ring,
            clock,
            randomness,
            metrics,
            request_memory,
            ..
        } = self.dependencies.clone();
        let gate = Gate::new(GateParts {
            settings: settings.gate,
            lookup: settings.lookup,
            nonces_per_key: settings.nonces_per_key,
            routes: settings.routes,
            node: self.live.clone(),
            pool,
            ring,
            randomness,
            clock,
            metrics,
            memory: request_memory,
        })?;
        Ok(Arc::new(gate))
    }

    /// The admin API. With `enforce`, this node enforces a change before it answers.
    ///
    /// # Errors
    /// [`AppError::Data`].
    pub fn admin(
        &self,
        enforce: bool,
        settings: akgate_admin::AdminSettings,
    ) -> Result<Router, AppError> {
        let NodeDependencies {
            pools: NodePools { admin: pool, .. },
            ring,
            randomness,
            clock,
            database_timeout,
            request_memory,
            ..
        } = self.dependencies.clone();
        let admin = AdminApi {
            pool,
            ring,
            randomness,
            feed: enforce.then(|| Arc::clone(&self.live.feed)),
            barrier: Arc::clone(&self.live.barrier),
            node_id: self.live.membership.node_info().node_id,
            latest: Arc::clone(&self.live.latest),
            clock,
            rules: Arc::new(akgate_admin::PolicyRules::with_effects(
                settings.effects.clone(),
            )?),
            settings,
            timeout: database_timeout,
        };
        let failed = |_| akgate_admin::Problem::internal().into_response();
        let refuse: fn(BodyFault) -> Response =
            |fault| akgate_admin::Problem::body(fault).into_response();
        let buffer = BodyBuffer {
            limits: BodyLimits::default(),
            memory: request_memory,
        };
        Ok(akgate_admin::router(admin)
            .layer(middleware::from_fn(finish_request))
            .layer(middleware::from_fn_with_state(
                BufferedBodies { buffer, refuse },
                buffer_body,
            ))
            .layer(CatchPanicLayer::custom(failed)))
    }

    /// The owner's pages and the endpoints for leak reports.
    ///
    /// # Errors
    /// [`AppError::Page`].
    pub fn public(&self, settings: PublicSettings, intake: Intake) -> Result<Router, AppError> {
        let NodeDependencies {
            pools: NodePools { public: pool, .. },
            clock,
            database_timeout,
            request_memory,
            ..
        } = self.dependencies.clone();
        let templates = Arc::new(PageTemplates::built_in()?);
        let rate_limit = PublicRateLimit {
            limiter: Arc::new(SourceRateLimiter::new(settings.requests_per_second)),
            pages: Arc::clone(&templates),
        };
        let console = OwnerPages {
            pool,
            pages: templates,
            lift: settings.lift,
            descendants: intake.descendants,
            clock,
            timeout: database_timeout,
        };
        let refuse: fn(BodyFault) -> Response = |fault| fault.status().into_response();
        let buffer = BodyBuffer {
            limits: BodyLimits {
                bytes: LONGEST_FORM,
                ..BodyLimits::default()
            },
            memory: request_memory,
        };
        let pages = pages::public_router(console).layer(middleware::from_fn_with_state(
            BufferedBodies { buffer, refuse },
            buffer_body,
        ));
        Ok(pages
            .merge(akgate_intake::router(intake))
            .layer(middleware::from_fn_with_state(
                rate_limit,
                pages::limit_rate,
            ))
            .layer(middleware::from_fn(finish_request))
            .layer(CatchPanicLayer::new()))
    }

    /// The endpoints for leak reports. With `enforce`, this node enforces what is proven before it answers.
    #[must_use]
    pub fn intake(&self, settings: IntakeSettings, enforce: bool) -> Intake {
        let NodeDependencies {
            pools: NodePools { public: pool, .. },
            ring,
            clock,
            metrics,
            database_timeout,
            ..
        } = self.dependencies.clone();
        let signing_sources = settings
            .signing_sources
            .into_iter()
            .map(|(contract, fetch)| {
                let name = contract.name.clone();
                let keys = SigningKeys::new(
                    name.clone(),
                    contract.id_check,
                    fetch,
                    pool.clone(),
                    Arc::clone(&clock),
                    Arc::clone(&metrics),
                    database_timeout,
                );
                let signed = SigningSource {
                    contract: Arc::new(contract),
                    keys: Arc::new(keys),
                };
                (name, signed)
            });
        Intake {
            signing_sources: Arc::new(signing_sources.collect()),
            token_sources: settings.token_sources.into(),
            public_reporting: settings.public_reporting,
            pool,
            ring,
            feed: enforce.then(|| Arc::clone(&self.live.feed)),
            barrier: Arc::clone(&self.live.barrier),
            clock,
            metrics,
            timeout: settings.timeout,
            body_limit: settings.body_limit,
            body_timeout: settings.body_timeout,
            suspicions: settings.suspicions,
            descendants: settings.descendants,
            secret_lengths: settings.secret_lengths,
            // A permit per KiB.
            body_budget: Arc::new(Semaphore::new(settings.body_budget >> 10)),
        }
    }

    /// The worker that sends letters.
    ///
    /// # Errors
    /// [`AppError::Template`].
    pub fn worker(&self, settings: LetterWorkerSettings) -> Result<LetterWorker, AppError> {
        let NodeDependencies {
            pools: NodePools { worker: pool, .. },
            ring,
            clock,
            randomness,
            metrics,
            database_timeout,
            ..
        } = self.dependencies.clone();
        Ok(LetterWorker {
            pool,
            ring,
            templates: LetterTemplates::load(settings.templates.as_deref())?,
            mailer: settings.mailer,
            from: settings.from,
            dkim: settings.dkim,
            letter_settings: settings.letter_settings,
            lift: settings.lift,
            clock,
            randomness,
            metrics,
            outage_pause: OutagePause::default(),
            barrier: Arc::clone(&self.live.barrier),
            timeout: database_timeout,
        })
    }

    /// The worker that sends events.
    #[must_use]
    pub fn hooks(&self, hooks: Vec<Arc<Hook>>) -> HookWorker {
        let NodeDependencies {
            pools: NodePools { worker: pool, .. },
            clock,
            randomness,
            metrics,
            database_timeout,
            ..
        } = self.dependencies.clone();
        HookWorker {
            hooks,
            pool,
            clock,
            randomness,
            metrics,
            timeout: database_timeout,
        }
    }

    /// Follows the registry, writes records and forgets what has ended, until told to stop. Returns when
    /// everything that was gathered is written, or could not be.
    pub async fn run(&self, gate: Option<Arc<Gate>>, stop: watch::Receiver<bool>) {
        let mut tasks = JoinSet::new();
        if let Some(gate) = gate {
            tasks.spawn(gate.keep_sweeping(stop.clone()));
        }
        self.live.run(stop).await;
        while tasks.join_next().await.is_some() {}
    }

    /// Does the upkeep of the database until told to stop; records of calls are kept for `retention`, and what made what for
    /// `lineage_retention`.
    pub async fn upkeep(
        &self,
        retention: time::Duration,
        lineage_retention: time::Duration,
        stop: watch::Receiver<bool>,
    ) {
        let upkeep = Upkeep {
            pool: &self.dependencies.pools.worker,
            clock: &*self.dependencies.clock,
            timeout: self.dependencies.database_timeout,
            retention,
            lineage_retention,
        };
        let metrics = &self.dependencies.metrics;
        let report_unknown = |count| metrics.unknown_outcomes(count);
        upkeep.run(stop, report_unknown).await;
    }
}
