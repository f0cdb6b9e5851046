//! Reaching the database: which host takes writes, sessions that the server itself limits, the schema, and what an
//! operator asks about it.

pub mod failures;
mod pools;
mod primary;
mod session;
mod url;

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use sqlx::{Connection as _, postgres::PgConnectOptions};
use time::OffsetDateTime;

use crate::directory::StateFault;

pub use pools::NodePools;
pub use session::CommitDurability;
pub use sqlx::{PgConnection as Connection, PgPool as Pool, PgTransaction as Transaction};
pub use url::{DatabaseUrl, DatabaseUrlFault};

/// The schema, oldest migration first. Production, tests and the demo apply the same ones.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// Its URL is wrong.
    #[error("the database's URL {0}")]
    Url(#[from] DatabaseUrlFault),
    /// It cannot be reached.
    #[error("the database cannot be reached: {0}")]
    Unreachable(#[from] sqlx::Error),
    /// No host takes writes; why each does not.
    #[error("no host of the database takes writes: {0}")]
    NoPrimary(String),
    /// The migrations do not run.
    #[error("the migrations do not run: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
}

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

/// The database of a process: pools of sessions with the host that takes writes.
#[derive(Debug)]
pub struct Database {
    hosts: Vec<PgConnectOptions>,
    first: usize,
    primary: Mutex<Primary>,
}

/// The host that takes writes, and the pools that lead to it.
#[derive(Debug)]
struct Primary {
    host: PgConnectOptions,
    pools: Vec<Pool>,
}

impl Database {
    /// Finds the host that takes writes. The server lists the sessions as `application_name`.
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
    pub fn pool(&self, settings: PoolSettings) -> Pool {
        let mut primary = self.primary.lock().unwrap_or_else(PoisonError::into_inner);
        let pool = open_pool(primary.host.clone(), settings);
        primary.pools.push(pool.clone());
        pool
    }

    /// Follows the host that takes writes for as long as it is polled; never ready. Of one host there is nothing to
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

/// A pool of the database that the URL leads to. It stays with the host that takes writes now.
///
/// # Errors
/// [`DatabaseError`].
pub async fn connect_pool(
    url: &str,
    application_name: &str,
    settings: PoolSettings,
) -> Result<Pool, DatabaseError> {
    let url = DatabaseUrl::parse(url)?;
    let database = Database::connect(&url, application_name).await?;
    Ok(database.pool(settings))
}

/// Another pool of the same database, opened as it is used: what waits for the first does not wait for this one.
#[must_use]
pub fn pool_beside(pool: &Pool, connections: u32, timeout: Duration) -> Pool {
    let settings = PoolSettings {
        connections,
        acquire_timeout: timeout,
        statement_timeout: timeout,
        ..PoolSettings::default()
    };
    open_pool((*pool.connect_options()).clone(), settings)
}

fn open_pool(options: PgConnectOptions, settings: PoolSettings) -> Pool {
    session::checked_pool_options(settings.statement_timeout, settings.durability)
        .max_connections(settings.connections)
        .acquire_timeout(settings.acquire_timeout)
        .connect_lazy_with(options)
}

/// Brings the database to the schema of this build, on a connection without limits: one migration may take longer than
/// any statement of ours.
///
/// # Errors
/// [`DatabaseError`].
pub async fn run_migrations(pool: &Pool) -> Result<(), DatabaseError> {
    let mut connection = Connection::connect_with(&pool.connect_options()).await?;
    MIGRATOR.run(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// Makes a database on a server, where it is not there yet; `url` names another database of the same server.
///
/// # Errors
/// [`DatabaseError::Unreachable`].
pub async fn create_database(url: &str, name: &str) -> Result<(), DatabaseError> {
    let mut server = Connection::connect(url).await?;
    let exists = sqlx::query_scalar!(
        "SELECT EXISTS (
             SELECT 1
             FROM pg_database
             WHERE datname = $1
         ) AS \"exists!\"",
        name
    )
    .fetch_one(&mut server)
    .await?;
    if !exists {
        let quoted = name.replace('"', "\"\"");
        let statement = sqlx::AssertSqlSafe(format!("CREATE DATABASE \"{quoted}\""));
        sqlx::query(statement).execute(&mut server).await?;
    }
    server.close().await?;
    Ok(())
}

/// Asks the database for nothing, to see that it answers.
///
/// # Errors
/// [`StateFault`].
pub async fn ping_database(pool: &Pool) -> Result<(), StateFault> {
    pool.acquire().await?.ping().await?;
    Ok(())
}

/// The version of the server, as it names it.
///
/// # Errors
/// [`StateFault`].
pub async fn server_version(pool: &Pool) -> Result<String, StateFault> {
    let version = sqlx::query_scalar("SHOW server_version");
    Ok(version.fetch_one(pool).await?)
}

/// What time it is at the server.
///
/// # Errors
/// [`StateFault`].
pub async fn server_time(pool: &Pool) -> Result<OffsetDateTime, StateFault> {
    let now = sqlx::query_scalar("SELECT clock_timestamp()");
    Ok(now.fetch_one(pool).await?)
}

/// The migrations of this build, by version.
#[must_use]
pub fn known_migrations() -> BTreeSet<i64> {
    MIGRATOR.iter().map(|migration| migration.version).collect()
}

/// The migrations that the database has, by version.
///
/// # Errors
/// [`StateFault`].
pub async fn applied_migrations(pool: &Pool) -> Result<BTreeSet<i64>, StateFault> {
    let is_migrated: bool =
        sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
            .fetch_one(pool)
            .await?;
    if !is_migrated {
        return Ok(BTreeSet::new());
    }
    let versions: Vec<i64> =
        sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success ORDER BY version")
            .fetch_all(pool)
            .await?;
    Ok(versions.into_iter().collect())
}
