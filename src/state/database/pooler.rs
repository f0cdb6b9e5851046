//! Detects a connection pooler that shares sessions.

use futures_util::future::join_all;
use sqlx::{Connection as _, PgConnection, Row as _, postgres::PgConnectOptions};

use super::{
    session::{PROBE_TIMEOUT, within_timeout},
    url::DatabaseUrl,
};

/// Whether a pooler gives the session to other clients between two transactions, as pgbouncer does in transaction mode:
/// settings, prepared statements, locks and notifications would then be lost. `None` if no host can be checked.
pub async fn shares_sessions(url: &DatabaseUrl) -> Option<bool> {
    let probes = url.hosts().iter().map(probe_sessions);
    let probed = join_all(probes).await;
    probed.into_iter().filter_map(Result::ok).max()
}

async fn probe_sessions(host: &PgConnectOptions) -> Result<bool, sqlx::Error> {
    within_timeout(PROBE_TIMEOUT, async {
        let mut first = PgConnection::connect_with(host).await?;
        let before = backend_pid(&mut first).await?;
        let mut second = PgConnection::connect_with(host).await?;
        // A session in a transaction cannot be shared: if both connections got the same session, a pooler has taken it
        // from the first.
        sqlx::raw_sql("BEGIN").execute(&mut second).await?;
        let is_shared =
            backend_pid(&mut second).await? == before || backend_pid(&mut first).await? != before;
        second.close().await?;
        first.close().await?;
        Ok(is_shared)
    })
    .await
}

/// Without a prepared statement, which such a session would not find again.
async fn backend_pid(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    let row = sqlx::raw_sql("SELECT pg_backend_pid()").fetch_one(connection);
    row.await?.try_get(0)
}
