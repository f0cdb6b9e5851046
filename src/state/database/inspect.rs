//! What is asked of the server itself.

use sqlx::{Connection as _, PgPool};
use time::OffsetDateTime;

use crate::directory::StateFault;

/// Asks the database for nothing, to see that it answers.
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
