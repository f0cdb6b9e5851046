//! Reaching the database: pools whose sessions the server itself limits, the schema, and what an operator asks about it.

use std::{collections::BTreeSet, time::Duration};

use sqlx::{
    Connection as _, Executor,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use time::OffsetDateTime;

use crate::directory::StateFault;

pub use sqlx::{PgConnection as Connection, PgPool as Pool, PgTransaction as Transaction};

/// How long a transaction may lie idle: a process that is stopped between two statements holds the counter for this long
/// at most, and with it every other writer.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(1);

/// How long a connection may take to say that it is well when it is given back.
const RELEASE_CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// The schema, oldest migration first. Production, tests and the demo apply the same ones.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// It cannot be reached.
    #[error("the database cannot be reached: {0}")]
    Unreachable(#[from] sqlx::Error),
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
    /// As what the server lists its sessions.
    pub application_name: &'static str,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            connections: 16,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(5),
            application_name: "akgate",
        }
    }
}

/// Whether a text is a URL that [`connect_pool`] can use.
#[must_use]
pub fn is_database_url(url: &str) -> bool {
    let is_ours = url.starts_with("postgresql://") || url.starts_with("postgres://");
    is_ours && url.parse::<PgConnectOptions>().is_ok()
}

/// Opens a pool; one connection is made at once.
///
/// # Errors
/// [`DatabaseError::Unreachable`].
pub async fn connect_pool(url: &str, settings: PoolSettings) -> Result<Pool, DatabaseError> {
    let options: PgConnectOptions = url.parse()?;
    let pool = limited_pool_options(settings.statement_timeout)
        .max_connections(settings.connections)
        .acquire_timeout(settings.acquire_timeout)
        // A connection that was fine a moment ago is not asked whether it still is: every call has a timeout.
        .test_before_acquire(false)
        .connect_with(options.application_name(settings.application_name))
        .await?;
    Ok(pool)
}

/// Another pool of the same database, opened as it is used: what waits for the first does not wait for this one.
#[must_use]
pub fn pool_beside(pool: &Pool, connections: u32, timeout: Duration) -> Pool {
    limited_pool_options(timeout)
        .max_connections(connections)
        .acquire_timeout(timeout)
        .connect_lazy_with((*pool.connect_options()).clone())
}

/// A pool whose connections are limited by the server itself. A statement, waiting for a lock included, takes as long as
/// a call of the database may; who has gone away without a word is found out by the keepalives of the server.
#[must_use]
pub fn limited_pool_options(timeout: Duration) -> PgPoolOptions {
    let settings = format!(
        "SET statement_timeout = {statement};
         SET lock_timeout = {statement};
         SET idle_in_transaction_session_timeout = {idle};
         SET tcp_keepalives_idle = 5;
         SET tcp_keepalives_interval = 2;
         SET tcp_keepalives_count = 3;
         SET tcp_user_timeout = 11000",
        statement = timeout.as_millis(),
        idle = IDLE_IN_TRANSACTION.as_millis(),
    );
    // A connection whose other end has gone without a word would be asked for minutes whether it is well.
    let options = PgPoolOptions::new().after_release(|connection, _| {
        Box::pin(async move {
            let asked = tokio::time::timeout(RELEASE_CHECK_TIMEOUT, connection.ping()).await;
            asked.map_err(|_| sqlx::Error::PoolTimedOut)??;
            Ok(true)
        })
    });
    options.after_connect(move |connection, _| {
        let settings = sqlx::AssertSqlSafe(settings.clone());
        Box::pin(async move {
            connection.execute(sqlx::raw_sql(settings)).await?;
            Ok(())
        })
    })
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
