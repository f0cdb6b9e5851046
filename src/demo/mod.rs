//! `akgate demo`: the whole product on one machine, with nothing to configure.
//!
//! It starts a private PostgreSQL, the sandbox as upstream, the three listeners and the worker, creates two accounts,
//! and runs a scenario with two leaked keys. Every run creates new accounts, so it works with a kept state too.

mod attack;
mod letters;
mod paste;
mod report;
mod scenario;
mod seed;
mod sources;
mod state;

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use rand::rngs::StdRng;
use time::OffsetDateTime;
use tokio::{sync::watch, task::JoinSet};

use self::{
    report::{DemoReport, Endpoints},
    scenario::{Scenario, ScenarioFault},
    sources::DemoSource,
    state::{DemoState, DemoStateError},
};
use crate::{
    app::{
        AppError, GatewaySettings, LetterWorkerSettings, Node, NodeDependencies, NodeRoles,
        PublicSettings,
    },
    upstreams::{NodeUpstream, connect_products},
};
use akgate_api::operators::{Role, TOKEN_DAYS};
use akgate_gateway::{
    GateService, GateSettings, gate::RecommendLink, lookup::LookupSettings, nonce::NONCES_PER_KEY,
    routes::UpstreamAuth, upstream::by_product::ProductUpstreams,
};
use akgate_intake::public_report;
use akgate_net::{
    fair_budget::FairBudget,
    metrics::Metrics,
    request_memory::DEFAULT_REQUEST_MEMORY,
    server::{ConnectionLimits, Listener, ShutdownSignals, Tls, TlsError},
};
use akgate_owners::letters::{facts::LetterSettings, mailer::FolderMailer};
use akgate_rules::{
    ladder::EscalationLadder,
    lineage::DescendantPolicy,
    mac_key::MacKey,
    operation::Product,
    restriction::LiftRule,
    verdict::{Mode, Profile},
};
use akgate_sandbox::Sandbox;
use akgate_state::database::{self, DatabaseError, NodePools, Pool, PoolSettings};
use akgate_state::{
    audit::Actor,
    clock::{Clock, SystemClock},
    directory::StateFault,
    live::feed,
    operators::store::{self, OperatorFault},
    randomness::Randomness,
};

/// The arguments of `akgate demo`.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoArgs {
    /// Exit after the scenario, with status 0 if every step went as expected, else 1
    #[arg(long)]
    pub once: bool,
    /// Instead of the scenario, let an attacker with the leaked key race against the report. Exit status 1 if any call
    /// sent after the report was answered got through
    #[arg(long, conflicts_with = "once")]
    pub attack: bool,
    /// Number of nodes on one database, each with its own gateway; the attacker tries all of them
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=9))]
    pub nodes: u8,
    /// Print one JSON object per line: first the endpoints and accounts, then every step
    #[arg(long)]
    pub json: bool,
    /// Keep database, key ring and letters in this folder
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Address of the gateway; port 0 chooses a free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Another address of the gateway, with TLS
    #[arg(
        long,
        value_name = "ADDRESS",
        requires = "tls_cert",
        requires = "tls_key"
    )]
    pub tls_listen: Option<SocketAddr>,
    /// Certificate chain for it, a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_listen")]
    pub tls_cert: Option<PathBuf>,
    /// Private key for it, a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_listen")]
    pub tls_key: Option<PathBuf>,
    /// Address of the owners' pages
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    pub public_listen: SocketAddr,
    /// Address of the admin API
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8082")]
    pub admin_listen: SocketAddr,
}

/// Why the demo fails.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// PostgreSQL, the key ring or the folder cannot be used.
    #[error(transparent)]
    State(#[from] DemoStateError),
    /// An address cannot be listened on.
    #[error(
        "cannot listen on {address}: {fault}. Choose another address with {flag}; port 0 chooses a free port"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The error of the operating system.
        fault: io::Error,
        /// The flag that chooses it.
        flag: &'static str,
    },
    /// A certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The database cannot be prepared.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The registry cannot be read.
    #[error(transparent)]
    Registry(#[from] StateFault),
    /// A part of the node cannot be built.
    #[error(transparent)]
    App(#[from] AppError),
    /// The accounts and keys cannot be created.
    #[error(transparent)]
    Seed(#[from] seed::SeedFault),
    /// An operator cannot be created.
    #[error(transparent)]
    Operator(#[from] OperatorFault),
    /// The scenario ends early.
    #[error(transparent)]
    Walk(#[from] ScenarioFault),
    /// The sender's address is not valid.
    #[error(transparent)]
    Address(#[from] lettre::address::AddressError),
    /// The operating system provides no random numbers.
    #[error("the operating system provides no randomness: {0}")]
    Randomness(#[from] rand::rngs::SysError),
    /// The output cannot be written to.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

/// The timeout of a database call.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(5);

/// The contact for owners' questions.
const SUPPORT_ADDRESS: &str = "security@example.com";

/// The sender of the letters.
const SENDER: &str = "akgate demo <akgate@example.com>";

/// Runs the demo; returns whether every step went as expected.
///
/// # Errors
/// [`DemoError`].
pub async fn run_demo(
    args: &DemoArgs,
    out: impl io::Write,
    color: bool,
) -> Result<bool, DemoError> {
    let randomness = Arc::new(Randomness::from_system()?);
    let mut report = DemoReport::new(out, args.json, color);
    report.say("Starting a private PostgreSQL …")?;
    let (data, mut rng) = (args.data.clone(), randomness.rng());
    let state = tokio::task::spawn_blocking(move || DemoState::open(data.as_deref(), &mut rng))
        .await
        .map_err(|fault| io::Error::other(fault.to_string()))??;
    let pool = open_pool(&state).await?;
    let result = run_demo_steps(args, &mut report, &state, &pool, &randomness).await;
    pool.close().await;
    tokio::task::spawn_blocking(move || drop(state)).await.ok();
    result
}

fn bind_listener(
    address: SocketAddr,
    tls: Option<Tls>,
    flag: &'static str,
) -> Result<Listener, DemoError> {
    Listener::bind(address, tls, ConnectionLimits::default()).map_err(|fault| DemoError::Listen {
        address,
        fault,
        flag,
    })
}

fn gateway_settings(
    sandbox: &Sandbox,
    identity_key: &MacKey,
    recommend: String,
) -> (GatewaySettings, ProductUpstreams<NodeUpstream>) {
    let products = [Product::Ram, Product::Ims, Product::Sts]
        .into_iter()
        .map(|product| {
            let auth = UpstreamAuth::IdentityHeader(identity_key.clone());
            (product, NodeUpstream::Sandbox(sandbox.clone()), auth)
        });
    let (routes, upstreams) = connect_products(products);
    let settings = GatewaySettings {
        gate: GateSettings {
            recommend: RecommendLink::Explained(recommend),
            anonymous: ["AssumeRoleWithSAML", "AssumeRoleWithOIDC"]
                .map(str::to_owned)
                .into(),
            ..GateSettings::default()
        },
        lookup: LookupSettings::default(),
        nonces_per_key: NONCES_PER_KEY,
        routes,
    };
    (settings, upstreams)
}

async fn open_pool(state: &DemoState) -> Result<Pool, DemoError> {
    database::create_database(&state.postgres.url("postgres"), "akgate").await?;
    let pool = connect_node_pool(state).await?;
    database::run_migrations(&pool).await?;
    Ok(pool)
}

/// A pool of one node.
async fn connect_node_pool(state: &DemoState) -> Result<Pool, DemoError> {
    let settings = PoolSettings {
        connections: 16,
        acquire_timeout: DATABASE_TIMEOUT,
        statement_timeout: DATABASE_TIMEOUT,
        ..PoolSettings::default()
    };
    let url = state.postgres.url("akgate");
    Ok(database::connect_pool(&url, "akgate demo", settings).await?)
}

async fn run_demo_steps<W: io::Write>(
    args: &DemoArgs,
    report: &mut DemoReport<W>,
    state: &DemoState,
    pool: &Pool,
    randomness: &Arc<Randomness>,
) -> Result<bool, DemoError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let ring = Arc::new(state.ring.clone());
    let gateway = bind_listener(args.listen, None, "--listen")?;
    let with_tls = match (args.tls_listen, &args.tls_cert, &args.tls_key) {
        (Some(address), Some(certificate), Some(key)) => {
            let tls = Tls::load(certificate, key, None)?;
            Some(bind_listener(address, Some(tls), "--tls-listen")?)
        }
        _ => None,
    };
    let public = bind_listener(args.public_listen, None, "--public-listen")?;
    let admin = bind_listener(args.admin_listen, None, "--admin-listen")?;
    let url = |listener: &Listener| format!("http://{}", listener.local_addr());
    let (gateway_url, public_url, admin_url) = (url(&gateway), url(&public), url(&admin));
    let gateway_tls_url = with_tls
        .as_ref()
        .map(|listener| format!("https://{}", listener.local_addr()));

    let dependencies = NodeDependencies {
        pools: NodePools::shared(pool),
        ring: Arc::clone(&ring),
        clock: Arc::clone(&clock),
        randomness: Arc::clone(randomness),
        metrics: Arc::new(Metrics::default()),
        database_timeout: DATABASE_TIMEOUT,
        request_memory: FairBudget::new(DEFAULT_REQUEST_MEMORY),
    };
    let node = Arc::new(Node::new(
        dependencies.clone(),
        feed::FeedSettings::default(),
        NodeRoles::all(),
    ));
    let identity_key = randomness.mac_key();
    let sandbox = Sandbox::new(
        pool.clone(),
        identity_key.clone(),
        Arc::clone(&clock),
        Arc::clone(randomness),
    );
    let recommend = format!("{public_url}/leaked-access-key");
    let settings = || gateway_settings(&sandbox, &identity_key, recommend.clone());
    let (settings_here, upstreams) = settings();
    let gate = node.gate(settings_here)?;

    let fixtures = seed::seed_accounts(pool, &ring, randomness, clock.now()).await?;
    let operator = |role| add_operator(pool, role, clock.now(), randomness.rng());
    let operator_token = operator(Role::Operator).await?;
    let approver_token = operator(Role::Admin).await?;
    node.membership().round().await?;

    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    tasks.spawn({
        let (node, gate, stopped) = (Arc::clone(&node), Arc::clone(&gate), stopped.clone());
        async move { node.run(Some(gate), stopped).await }
    });
    tasks.spawn({
        let (node, stopped) = (Arc::clone(&node), stopped.clone());
        async move {
            node.upkeep(
                time::Duration::days(90),
                time::Duration::days(1096),
                stopped,
            )
            .await;
        }
    });
    let worker = node.worker(LetterWorkerSettings {
        mailer: Arc::new(FolderMailer::new(state.letters.clone())),
        from: SENDER.parse()?,
        dkim: None,
        templates: None,
        letter_settings: LetterSettings {
            public_url: public_url.clone(),
            support: SUPPORT_ADDRESS.to_owned(),
            hotline: None,
            ticket_url: None,
            profile: Profile::default(),
            mode: Mode::Enforce,
            enforce_from: None,
            ladder: EscalationLadder::default(),
            descendants: DescendantPolicy::default(),
        },
        lift: LiftRule::default(),
    })?;
    tasks.spawn({
        let stopped = stopped.clone();
        async move { worker.run(stopped).await }
    });
    let source = DemoSource::new(state.folder())?;
    let intake = node.intake(source.settings(&public_url)?, true);
    tasks.spawn(public_report::process_claims(
        intake.clone(),
        stopped.clone(),
    ));
    let pages = node
        .public(PublicSettings::default(), intake)?
        .merge(source.router());
    let mut gateway_urls = vec![gateway_url.clone()];
    let mut listeners = Vec::new();
    for _ in 1..args.nodes {
        let dependencies = NodeDependencies {
            pools: NodePools::shared(&connect_node_pool(state).await?),
            ..dependencies.clone()
        };
        let other = Node::new(
            dependencies,
            feed::FeedSettings::default(),
            NodeRoles::all(),
        );
        let (settings, upstreams) = settings();
        let gate = other.gate(settings)?;
        other.membership().round().await?;
        let listener = bind_listener(SocketAddr::from(([127, 0, 0, 1], 0)), None, "--nodes")?;
        gateway_urls.push(url(&listener));
        listeners.push(listener.serving(GateService::new(Arc::clone(&gate), upstreams)));
        let stopped = stopped.clone();
        tasks.spawn(async move { other.run(Some(gate), stopped).await });
    }
    let road = GateService::new(gate, upstreams);
    listeners.extend([
        gateway.serving(road.clone()),
        public.serving(pages),
        admin.serving(node.admin(true, akgate_admin::AdminSettings::default())?),
    ]);
    listeners.extend(with_tls.map(|listener| listener.serving(road)));
    for serving in listeners {
        let stopped = stopped.clone();
        tasks.spawn(async move {
            if let Err(fault) = serving(stopped).await {
                tracing::error!(%fault, "a listener stopped");
            }
        });
    }

    let endpoints = Endpoints {
        gateway_url,
        gateway_urls,
        gateway_tls_url,
        public_url,
        admin_url,
        operator_token,
        approver_token,
        letters_dir: state.letters.display().to_string(),
        accounts: fixtures.accounts(),
    };
    let variables = source.write_variables(state.folder(), &endpoints, &fixtures)?;
    report.print_endpoints(&endpoints)?;
    let failed = if args.attack {
        attack::run_attack(&endpoints, &fixtures, report, Arc::clone(&clock)).await?
    } else {
        let scenario = Scenario::new(&endpoints, &fixtures, report, clock.as_ref());
        scenario.run().await?
    };
    if !args.once && !args.attack {
        report.ready()?;
        report.say(&paste::render_snippets(&endpoints, &fixtures, &variables))?;
        ShutdownSignals::listen()?.next().await;
    }
    stop.send_replace(true);
    while tasks.join_next().await.is_some() {}
    Ok(failed == 0)
}

/// Adds an operator of the admin API; returns the token.
async fn add_operator(
    pool: &Pool,
    role: Role,
    now: OffsetDateTime,
    mut rng: StdRng,
) -> Result<String, OperatorFault> {
    let name = format!("demo-{role}-{}", uuid::Uuid::new_v4().simple());
    let lasts = Some(time::Duration::days(TOKEN_DAYS.into()));
    let made = store::add_operator(pool, &name, role, lasts, &Actor::Akgate, now, &mut rng).await?;
    Ok(made.map_or_else(String::new, |made| made.token.expose().to_owned()))
}
