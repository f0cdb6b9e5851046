//! The schema: applying migrations, and listing those that a database has.

use std::collections::BTreeSet;

use sqlx::{Connection as _, PgConnection, PgPool, migrate::MigrateError};

use super::{error::DatabaseError, session};
use crate::directory::StateFault;

/// The schema, oldest migration first. Production, tests and the demo apply the same ones.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");

/// Brings the database to the schema of this build, on a connection without limits: one migration may take longer than
/// any statement of ours.
///
/// # Errors
/// [`DatabaseError`].
pub async fn run_migrations(pool: &PgPool) -> Result<(), DatabaseError> {
    let mut connection = PgConnection::connect_with(&pool.connect_options()).await?;
    session::apply_base_settings(&mut connection).await?;
    match MIGRATOR.run(&mut connection).await {
        Err(MigrateError::VersionMissing(_)) => return Err(DatabaseError::SchemaAhead),
        migrated => migrated?,
    }
    connection.close().await?;
    Ok(())
}

/// Creates a database on a server, if it does not exist; `url` names another database of the same server.
///
/// # Errors
/// [`DatabaseError::Unreachable`].
pub async fn create_database(url: &str, name: &str) -> Result<(), DatabaseError> {
    let mut server = PgConnection::connect(url).await?;
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

/// The migrations of this build, by version.
#[must_use]
pub fn known_migrations() -> BTreeSet<i64> {
    MIGRATOR.iter().map(|migration| migration.version).collect()
}

/// The migrations that the database has, by version.
///
/// # Errors
/// [`StateFault`].
pub async fn applied_migrations(pool: &PgPool) -> Result<BTreeSet<i64>, StateFault> {
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

/// How the schema of a database differs from that of this build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchemaDifference {
    /// Migrations that the database lacks.
    pub missing: usize,
    /// Migrations that this build does not know.
    pub newer: usize,
}

/// Compares the schema of a database with that of this build.
///
/// # Errors
/// [`StateFault`].
pub async fn compare_schema(pool: &PgPool) -> Result<SchemaDifference, StateFault> {
    let (known, applied) = (known_migrations(), applied_migrations(pool).await?);
    Ok(SchemaDifference {
        missing: known.difference(&applied).count(),
        newer: applied.difference(&known).count(),
    })
}
