//! Connections that hold nothing up: whatever becomes of a process, the server ends what it had begun.

use std::time::Duration;

use sqlx::{Connection, Executor, postgres::PgPoolOptions};

/// How long a transaction may lie idle: a process that is stopped between two statements holds the counter for this long
/// at most, and with it every other writer.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(1);

/// How long a connection may take to say that it is well when it is given back.
const RELEASE: Duration = Duration::from_secs(1);

/// A pool whose connections are limited by the server itself. A statement, waiting for a lock included, takes as long as
/// a call of the database may; who has gone away without a word is found out by the keepalives of the server.
#[must_use]
pub fn limits(timeout: Duration) -> PgPoolOptions {
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
            let asked = tokio::time::timeout(RELEASE, connection.ping()).await;
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
