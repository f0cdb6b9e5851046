//! Queries about the server itself.

use sqlx::{Connection as _, PgPool};
use time::OffsetDateTime;

use crate::directory::StateFault;

/// Runs an empty query, to check that the database answers.
///
/// # Errors
/// [`StateFault`].
pub async fn ping_database(pool: &PgPool) -> Result<(), StateFault> {
    pool.acquire().await?.ping().await?;
    Ok(())
}

/// The version of the server, as it names it.
///
/// # Errors
/// [`StateFault`].
pub async fn server_version(pool: &PgPool) -> Result<String, StateFault> {
    let version = sqlx::query_scalar("SHOW server_version");
    Ok(version.fetch_one(pool).await?)
}

/// What time it is at the server.
///
/// # Errors
/// [`StateFault`].
pub async fn server_time(pool: &PgPool) -> Result<OffsetDateTime, StateFault> {
    let now = sqlx::query_scalar("SELECT clock_timestamp()");
    Ok(now.fetch_one(pool).await?)
}

/// A setting of the server, as this session has it.
///
/// # Errors
/// [`StateFault`].
pub async fn server_setting(pool: &PgPool, name: &str) -> Result<String, StateFault> {
    let setting = sqlx::query_scalar("SELECT current_setting($1)").bind(name);
    Ok(setting.fetch_one(pool).await?)
}

/// How many connections the server has for a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimit {
    /// That number.
    pub connections: i64,
    /// What sets it: `max_connections`, or the role's or the database's limit.
    pub set_by: &'static str,
}

/// How many connections the server has for this role, in this database.
///
/// # Errors
/// [`StateFault`].
pub async fn connection_limit(pool: &PgPool) -> Result<ConnectionLimit, StateFault> {
    let limits = sqlx::query_as(
        "SELECT current_setting('max_connections')::bigint
                - current_setting('superuser_reserved_connections')::bigint
                - coalesce(current_setting('reserved_connections', true)::bigint, 0),
            (SELECT rolconnlimit::bigint FROM pg_roles WHERE rolname = current_user),
            (SELECT datconnlimit::bigint FROM pg_database WHERE datname = current_database())",
    );
    let (server, role, database): (i64, Option<i64>, Option<i64>) = limits.fetch_one(pool).await?;
    let mut limit = ConnectionLimit {
        connections: server,
        set_by: "max_connections",
    };
    // -1 is no limit.
    for (own, set_by) in [
        (role, "the role's limit"),
        (database, "the database's limit"),
    ] {
        if let Some(connections) = own.filter(|own| (0..limit.connections).contains(own)) {
            limit = ConnectionLimit {
                connections,
                set_by,
            };
        }
    }
    Ok(limit)
}
