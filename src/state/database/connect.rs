//! Pools of sessions with the host that accepts writes.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use sqlx::{PgPool, postgres::PgConnectOptions};

use super::{
    error::DatabaseError,
    primary,
    session::{self, CommitDurability},
    url::DatabaseUrl,
};

/// How a pool is set.
#[derive(Debug, Clone, Copy)]
pub struct PoolSettings {
    /// The most connections.
    pub connections: u32,
    /// How long a call may wait for a connection.
    pub acquire_timeout: Duration,
    /// How long a statement may take at the server, waiting for a lock included.
    pub statement_timeout: Duration,
    /// What a commit waits for.
    pub durability: CommitDurability,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            connections: 16,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(5),
            durability: CommitDurability::default(),
        }
    }
}

/// The database of a process: pools of sessions with the host that accepts writes.
#[derive(Debug)]
pub struct Database {
    hosts: Vec<PgConnectOptions>,
    first: usize,
    primary: Mutex<Primary>,
}

/// The host that accepts writes, and the pools that connect to it.
#[derive(Debug)]
struct Primary {
    host: PgConnectOptions,
    pools: Vec<PgPool>,
}

impl Database {
    /// Finds the host that accepts writes. The server lists the sessions as `application_name`.
    ///
    /// # Errors
    /// [`DatabaseError::Unreachable`] of one host, [`DatabaseError::NoPrimary`] of several.
    pub async fn connect(url: &DatabaseUrl, application_name: &str) -> Result<Self, DatabaseError> {
        let named = |host: &PgConnectOptions| host.clone().application_name(application_name);
        let hosts: Vec<PgConnectOptions> = url.hosts().iter().map(named).collect();
        let first = primary::find_primary(&hosts).await?;
        let host = hosts.get(first).cloned().unwrap_or_default();
        Ok(Self {
            hosts,
            first,
            primary: Mutex::new(Primary {
                host,
                pools: Vec::new(),
            }),
        })
    }

    /// A pool of its own, opened as it is used: what waits for another pool does not wait for this one.
    #[must_use]
    pub fn pool(&self, settings: PoolSettings) -> PgPool {
        let mut primary = self.primary.lock().unwrap_or_else(PoisonError::into_inner);
        let pool = open_pool(primary.host.clone(), settings);
        primary.pools.push(pool.clone());
        pool
    }

    /// Follows the host that accepts writes for as long as it is polled; never ready. Of one host there is nothing to
    /// follow: its address leads to the primary.
    pub async fn follow_primary(&self) {
        if self.hosts.len() < 2 {
            return std::future::pending().await;
        }
        primary::follow_primary(&self.hosts, self.first, |host| {
            let mut primary = self.primary.lock().unwrap_or_else(PoisonError::into_inner);
            primary.host = host.clone();
            for pool in &primary.pools {
                pool.set_connect_options(host.clone());
            }
        })
        .await;
    }
}

/// A pool of the database that the URL leads to. It stays with the host that accepts writes now.
///
/// # Errors
/// [`DatabaseError`].
pub async fn connect_pool(
    url: &str,
    application_name: &str,
    settings: PoolSettings,
) -> Result<PgPool, DatabaseError> {
    let url = DatabaseUrl::parse(url)?;
    let database = Database::connect(&url, application_name).await?;
    Ok(database.pool(settings))
}

/// Another pool of the same database, opened as it is used: what waits for the first does not wait for this one.
#[must_use]
pub fn pool_beside(pool: &PgPool, connections: u32, timeout: Duration) -> PgPool {
    let settings = PoolSettings {
        connections,
        acquire_timeout: timeout,
        statement_timeout: timeout,
        ..PoolSettings::default()
    };
    open_pool((*pool.connect_options()).clone(), settings)
}

fn open_pool(options: PgConnectOptions, settings: PoolSettings) -> PgPool {
    session::checked_pool_options(settings.statement_timeout, settings.durability)
        .max_connections(settings.connections)
        .acquire_timeout(settings.acquire_timeout)
        .connect_lazy_with(options)
}
