//! `akgate serve`: the production role. What the configuration says is made into parts here, and only here.

mod error;
pub(crate) mod gateway;
mod hooks;
mod key_ring;
pub(crate) mod letters;
pub(crate) mod listeners;
pub(crate) mod sign_in;
pub(crate) mod sources;

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinSet};

pub use self::{error::ServeError, key_ring::open_key_ring};
use crate::{
    app::{Node, NodeDependencies, NodeRoles},
    config::{Config, ConfigSections, ProcessRole},
    health::{self, HealthState},
};
use akgate_intake::possession;
use akgate_net::{
    metrics::Metrics,
    server::{ConnectionLimits, CoreRuntimes, ShutdownSignal},
};
use akgate_rules::verdict::Mode;
use akgate_state::{
    clock::{Clock, SystemClock},
    database::{self, Database, DatabaseError, DatabaseUrl, NodePools, Pool, PoolSettings},
    directory::sealing::KeyRing,
    live::feed,
    randomness::Randomness,
};

/// A pool of connections to the configured database; migrations are applied where the configuration says so.
///
/// # Errors
/// [`ServeError`].
pub async fn open_database(config: &Config) -> Result<Pool, ServeError> {
    // A command has nobody who waits for an answer.
    let timeout = Duration::from_secs(config.sections.database.timeout_seconds);
    let timeout = timeout.max(Duration::from_secs(60));
    let database = connect_database(config).await?;
    let pool = database.pool(pool_settings(config, timeout));
    apply_migrations(config, &pool).await?;
    Ok(pool)
}

async fn connect_database(config: &Config) -> Result<Database, ServeError> {
    let url = DatabaseUrl::parse(config.database_url.expose()).map_err(DatabaseError::from)?;
    Ok(Database::connect(&url, "akgate").await?)
}

/// Applies migrations where the configuration says so.
async fn apply_migrations(config: &Config, pool: &Pool) -> Result<(), ServeError> {
    if config.sections.database.migrate {
        database::run_migrations(pool).await?;
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

/// Serves until SIGTERM or SIGINT; then requests in flight are finished.
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
        ring,
        clock: Arc::new(SystemClock),
        randomness,
        metrics: Arc::clone(&metrics),
        database_timeout: timeout,
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
    let health = HealthState {
        pool: pools.control.clone(),
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
        // Nobody is let in before the first load: it would only be told to come back.
        node.feed().poll().await?;
    }
    node.membership().round().await?;
    if config.has(ProcessRole::Observer) {
        tracing::warn!("observing from outside the path: nothing is forwarded or refused");
    } else {
        log_mode(sections);
    }
    let (stop, stopped) = watch::channel(false);
    // The probes go on until the last request is answered.
    let (stop_probes, probes_stopped) = watch::channel(false);
    tracing::info!(section = "telemetry", address = %telemetry.local_addr(), "listening");
    let probes = tokio::spawn(telemetry.serve(health::health_router(health), probes_stopped));
    let mut serving = JoinSet::new();
    for (section, address, serve) in bound.serving {
        tracing::info!(section, %address, "listening");
        let stopped = stopped.clone();
        serving.spawn(async move {
            if let Err(fault) = serve(stopped).await {
                tracing::error!(section, %fault, "a listener stopped");
            }
        });
    }
    let (stop_records, records_stopped) = watch::channel(false);
    let mut working = JoinSet::new();
    if judges {
        let (node, gate, stopped) = (Arc::clone(&node), bound.gate, records_stopped.clone());
        working.spawn(async move { node.run(gate, stopped).await });
    } else {
        let (membership, stopped) = (Arc::clone(node.membership()), records_stopped.clone());
        working.spawn(async move { membership.run(stopped).await });
    }
    if let Some(intake) = bound.intake {
        working.spawn(possession::process_claims(intake, stopped.clone()));
    }
    if let Some((worker, hooks)) = worker {
        let hooks_stopped = stopped.clone();
        working.spawn(async move { hooks.run(hooks_stopped).await });
        let stopped = stopped.clone();
        working.spawn(async move { worker.run(stopped).await });
        let (node, stopped) = (Arc::clone(&node), stop.subscribe());
        let retention = time::Duration::days(sections.records.retention_days.into());
        working.spawn(async move { node.upkeep(retention, stopped).await });
    }

    ShutdownSignal::requested().await;
    tracing::info!("stopping: waiting for requests in progress");
    stop.send_replace(true);
    while serving.join_next().await.is_some() {}
    // What the last requests left behind is written before the end.
    stop_records.send_replace(true);
    let written = async { while working.join_next().await.is_some() {} };
    if tokio::time::timeout(timeout * 2, written).await.is_err() {
        tracing::error!("some records could not be written before exit");
    }
    stop_probes.send_replace(true);
    probes.abort();
    following.abort();
    drop(cores);
    Ok(())
}

/// Follows what changes around the process: the host of the database that takes writes, the key ring's file.
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

/// A gateway that does not enforce says so loudly.
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
