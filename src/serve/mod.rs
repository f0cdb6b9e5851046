//! `akgate serve`: builds a node from the configuration and runs it.

pub(crate) mod capacity;
mod descriptors;
mod error;
pub(crate) mod gateway;
mod hooks;
mod key_ring;
pub(crate) mod letters;
pub(crate) mod listeners;
mod shutdown;
pub(crate) mod sign_in;
pub(crate) mod sources;

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinSet};

use self::{
    capacity::ConnectionNeed,
    shutdown::{ProcessTasks, ShutdownStages},
};
pub use self::{error::ServeError, key_ring::open_key_ring};
use crate::{
    app::{Node, NodeDependencies, NodeRoles},
    config::{Config, ConfigSections, ProcessRole},
    health::{self, HealthState},
};
use akgate_intake::public_report;
use akgate_net::{
    fair_budget::FairBudget,
    metrics::Metrics,
    server::{ConnectionLimits, CoreRuntimes, ShutdownSignals},
};
use akgate_rules::verdict::Mode;
use akgate_state::{
    clock::{Clock, SystemClock},
    database::{
        self, Database, DatabaseError, DatabaseUrl, NodePools, Pool, PoolSettings, SchemaDifference,
    },
    directory::sealing::KeyRing,
    live::feed,
    randomness::Randomness,
};

/// A pool of connections to the configured database; migrations are applied where the configuration says so.
///
/// # Errors
/// [`ServeError`].
pub async fn open_database(config: &Config) -> Result<Pool, ServeError> {
    // In a command, no caller waits for an answer.
    let timeout = Duration::from_secs(config.sections.database.timeout_seconds);
    let timeout = timeout.max(Duration::from_secs(60));
    let database = connect_database(config).await?;
    let pool = database.pool(pool_settings(config, timeout));
    apply_migrations(config, &pool).await?;
    Ok(pool)
}

async fn connect_database(config: &Config) -> Result<Database, ServeError> {
    let url = DatabaseUrl::parse(config.database_url.expose()).map_err(DatabaseError::from)?;
    // Session settings must not be shared. If that cannot be checked, a later step reports the reason.
    if database::shares_sessions(&url).await == Some(true) {
        return Err(DatabaseError::SharedSessions.into());
    }
    Ok(Database::connect(&url, "akgate").await?)
}

/// Applies migrations if the configuration allows it; otherwise the schema must already be that of this build.
async fn apply_migrations(config: &Config, pool: &Pool) -> Result<(), ServeError> {
    if config.sections.database.migrate {
        database::run_migrations(pool).await?;
        return Ok(());
    }
    let SchemaDifference { missing, newer } = database::compare_schema(pool).await?;
    if missing > 0 {
        return Err(DatabaseError::SchemaShort(missing).into());
    }
    if newer > 0 {
        tracing::warn!(
            newer,
            "a newer akgate has migrated the database: upgrade this node"
        );
    }
    Ok(())
}

fn pool_settings(config: &Config, statement_timeout: Duration) -> PoolSettings {
    let section = &config.sections.database;
    PoolSettings {
        connections: section.max_connections,
        acquire_timeout: Duration::from_secs(section.timeout_seconds),
        statement_timeout,
        durability: section.synchronous_commit,
    }
}

/// Serves until SIGTERM or SIGINT, and for the configured delay; then requests in flight are finished.
///
/// # Errors
/// [`ServeError`] where it cannot begin.
pub async fn run_process(config: &Config) -> Result<(), ServeError> {
    let sections = &config.sections;
    let randomness = Arc::new(Randomness::from_system()?);
    let metrics = Arc::new(Metrics::default());
    let timeout = Duration::from_secs(sections.database.timeout_seconds);
    let database = connect_database(config).await?;
    let pools = NodePools::open(&database, pool_settings(config, timeout));
    apply_migrations(config, &pools.control).await?;
    let ring = Arc::new(open_key_ring(config, &pools.control).await?);
    let following = tokio::spawn(follow_changes(
        config,
        database,
        &ring,
        pools.control.clone(),
    ));
    let dependencies = NodeDependencies {
        pools: pools.clone(),
        ring: Arc::clone(&ring),
        clock: Arc::new(SystemClock),
        randomness,
        metrics: Arc::clone(&metrics),
        database_timeout: timeout,
        request_memory: FairBudget::new(sections.limits.request_memory_bytes),
    };
    let feed = feed::FeedSettings {
        poll: Duration::from_millis(sections.registry.poll_milliseconds),
        notify: sections.registry.notify,
        timeout,
    };
    let roles = NodeRoles {
        roles: config
            .roles
            .iter()
            .map(|role| role.as_str().to_owned())
            .collect(),
        enforces: config.has(ProcessRole::Gateway),
    };
    let node = Arc::new(Node::new(dependencies.clone(), feed, roles));
    let judges = config.judges();
    // They outlive every call of the database: a connection of the pool lives on the core that opened it.
    let cores = CoreRuntimes::start(match config.judges() {
        true => sections.gateway.threads(),
        false => 0,
    })?;
    let bound = listeners::bind_listeners(config, &node, &dependencies, &cores)?;
    let stages = ShutdownStages::default();
    let health = HealthState {
        pool: pools.control.clone(),
        ring,
        leaving: stages.leave.subscribe(),
        feed: judges.then(|| Arc::clone(node.feed())),
        membership: Arc::clone(node.membership()),
        clock: Arc::clone(&dependencies.clock),
        recorder: Arc::clone(node.recorder()),
        metrics,
        timeout: Duration::from_secs(1).min(timeout),
    };
    let telemetry = listeners::bind_listener(
        "telemetry",
        sections.telemetry.listen,
        None,
        ConnectionLimits::default(),
    )?;
    let worker = match config.has(ProcessRole::Worker) {
        true => Some((
            node.worker(letters::letter_settings(sections)?)?,
            node.hooks(hooks::build_hooks(sections)?),
        )),
        false => None,
    };

    if judges {
        // No call is accepted before the first load: it would only get 503.
        node.feed().poll().await?;
    }
    node.membership().round().await?;
    check_connections(config, &pools.control).await;
    if config.has(ProcessRole::Observer) {
        tracing::warn!("observing from outside the path: nothing is forwarded or refused");
    } else {
        log_mode(sections);
    }
    let mut signals = ShutdownSignals::listen()?;
    // The probes keep working until the last request is answered.
    let (stop_probes, probes_stopped) = watch::channel(false);
    tracing::info!(section = "telemetry", address = %telemetry.local_addr(), "listening");
    let probes = tokio::spawn(telemetry.serve(health::health_router(health), probes_stopped));
    let mut serving = JoinSet::new();
    for (section, address, serve) in bound.serving {
        tracing::info!(section, %address, "listening");
        let stopped = stages.close.subscribe();
        serving.spawn(async move {
            if let Err(fault) = serve(stopped).await {
                tracing::error!(section, %fault, "a listener stopped");
            }
        });
    }
    let finished = stages.finish.subscribe();
    let recording = if judges {
        let (node, gate) = (Arc::clone(&node), bound.gate);
        tokio::spawn(async move { node.run(gate, finished).await })
    } else {
        tokio::spawn(Arc::clone(node.membership()).run(finished))
    };
    let mut working = JoinSet::new();
    if let Some(intake) = bound.intake {
        working.spawn(public_report::process_claims(
            intake,
            stages.close.subscribe(),
        ));
    }
    if let Some((worker, hooks)) = worker {
        let leaving = stages.leave.subscribe();
        working.spawn(async move { hooks.run(leaving).await });
        let leaving = stages.leave.subscribe();
        working.spawn(async move { worker.run(leaving).await });
        let (node, leaving) = (Arc::clone(&node), stages.leave.subscribe());
        let retention = time::Duration::days(sections.records.retention_days.into());
        let lineage = time::Duration::days(sections.records.lineage_days.into());
        working.spawn(async move { node.upkeep(retention, lineage, leaving).await });
    }

    signals.next().await;
    let tasks = ProcessTasks {
        serving,
        working,
        recording,
    };
    shutdown::shut_down(
        &mut signals,
        sections.shutdown.delay(),
        &stages,
        tasks,
        node.recorder(),
        timeout * 2,
    )
    .await;
    stop_probes.send_replace(true);
    probes.abort();
    following.abort();
    drop(cores);
    Ok(())
}

/// Follows what changes around the process: the database host that accepts writes, and the key ring's file.
fn follow_changes(
    config: &Config,
    database: Database,
    ring: &Arc<KeyRing>,
    pool: Pool,
) -> impl Future<Output = ()> + use<> {
    let file = config.sections.directory.key_ring_file.clone();
    let ring = Arc::clone(ring);
    let following_ring = async move {
        match file {
            Some(file) => key_ring::follow_key_ring(file, &ring, &pool).await,
            None => std::future::pending().await,
        }
    };
    async move {
        tokio::join!(database.follow_primary(), following_ring);
    }
}

/// Warns if the server has too few connections for the pools of all live nodes.
async fn check_connections(config: &Config, pool: &Pool) {
    if let Ok(need) = ConnectionNeed::read(config, pool).await
        && need.is_short()
    {
        let need = need.describe();
        tracing::warn!(
            need,
            "the database has too few connections for the pools of all nodes"
        );
    }
}

/// Warns if the gateway does not enforce.
fn log_mode(sections: &ConfigSections) {
    match sections.policy.mode {
        Mode::Enforce => {
            if let Some(from) = sections.policy.enforce_from {
                let from = from.0;
                if from > SystemClock.now() {
                    tracing::warn!(%from, "leaked keys are NOT restricted before this time");
                }
            }
        }
        Mode::Shadow => tracing::warn!("policy.mode is shadow: leaked keys are NOT restricted"),
        Mode::Off => {
            tracing::warn!(
                "policy.mode is off: leaked keys are NOT restricted, and calls are not judged"
            );
        }
    }
}
