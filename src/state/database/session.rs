//! The settings of every session, which override those of the role and the database, and the check whether a session is
//! still usable.

use std::time::Duration;

use sqlx::{Connection as _, Executor, PgConnection, postgres::PgPoolOptions};

use super::failures;

/// How long a transaction may lie idle: a process that is stopped between two statements holds the counter for this long
/// at most, and with it every other writer.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(1);

/// How long a session may take to show that it can serve, at most: a call that finds a dead one must have the time to
/// open another.
const MAX_CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// The settings of every session, without limits. Settings that only later servers know are set if they exist. Compiling a
/// plan (JIT) costs more than any query of akgate takes.
const BASE_SETTINGS: &str = "SET lock_timeout = 0;
    SET idle_in_transaction_session_timeout = 0;
    SET idle_session_timeout = 0;
    SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'transaction_timeout';
    SET search_path = public;
    SET default_transaction_isolation = 'read committed';
    SET default_transaction_deferrable = off;
    SET jit = off;
    SET tcp_keepalives_idle = 5;
    SET tcp_keepalives_interval = 2;
    SET tcp_keepalives_count = 3;
    SET tcp_user_timeout = 11000";

akgate_rules::text_enum! {
    /// What a commit waits for: `synchronous_commit` of PostgreSQL's manual.
    #[derive(Default)]
    pub enum CommitDurability {
        /// The primary's disk, and the disk of its synchronous standbys.
        #[default]
        On = "on",
        /// The same, and that the synchronous standbys show it.
        RemoteApply = "remote_apply",
        /// The primary's disk, and the memory of its synchronous standbys.
        RemoteWrite = "remote_write",
        /// The primary's disk alone: a failover may lose what was acknowledged.
        Local = "local",
        /// Nothing: a crash may lose what was acknowledged.
        Off = "off",
    }
}

/// How often the role's own time-out of statements is lifted, should it cancel that very statement.
const LIFT_ATTEMPTS: usize = 200;

/// The limits of a session whose statements may take `timeout`, waiting for locks included.
fn session_limits(timeout: Duration, durability: CommitDurability) -> String {
    format!(
        "SET synchronous_commit = {durability};
         SET lock_timeout = {statement};
         SET idle_in_transaction_session_timeout = {idle};
         SET statement_timeout = {statement}",
        durability = durability.as_str(),
        statement = timeout.as_millis(),
        idle = IDLE_IN_TRANSACTION.as_millis(),
    )
}

/// Sets up a session without limits, for work that no caller waits for.
///
/// # Errors
/// What the session met.
pub(super) async fn apply_base_settings(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    lift_statement_timeout(connection).await?;
    connection.execute(sqlx::raw_sql(BASE_SETTINGS)).await?;
    Ok(())
}

/// Removes the statement timeout of the role, which would limit everything that follows.
async fn lift_statement_timeout(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let lifted = connection.execute(sqlx::raw_sql("SET statement_timeout = 0"));
        match lifted.await {
            Err(sqlx::Error::Database(fault))
                if attempts < LIFT_ATTEMPTS && fault.code().as_deref() == Some("57014") => {}
            lifted => return lifted.map(drop),
        }
    }
}

/// A pool whose sessions are set, can write, and are closed as soon as they cannot serve: a session that was not used
/// since a failure is checked before it is used, and each is checked when it is given back.
pub(super) fn checked_pool_options(
    timeout: Duration,
    durability: CommitDurability,
) -> PgPoolOptions {
    let limits = session_limits(timeout, durability);
    let check_timeout = MAX_CHECK_TIMEOUT.min(timeout / 4);
    PgPoolOptions::new()
        // Where nothing has failed, nothing is asked: every call has a timeout.
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            let limits = sqlx::AssertSqlSafe(limits.clone());
            Box::pin(async move {
                apply_base_settings(connection).await?;
                connection.execute(sqlx::raw_sql(limits)).await?;
                require_writable(connection).await
            })
        })
        .before_acquire(move |connection, meta| {
            Box::pin(async move {
                if failures::is_suspect(meta.idle_for) {
                    within_timeout(check_timeout, require_writable(connection)).await?;
                }
                Ok(true)
            })
        })
        .after_release(move |connection, meta| {
            Box::pin(async move {
                let is_suspect = failures::is_suspect_in_use(meta.age);
                // sqlx asks as well, but would wait for ever.
                let check = async {
                    match is_suspect {
                        true => require_writable(connection).await,
                        false => connection.ping().await,
                    }
                };
                within_timeout(check_timeout, check).await?;
                Ok(true)
            })
        })
}

/// Fails where the server takes no writes: it is a standby, or read-only.
///
/// # Errors
/// [`sqlx::Error::Configuration`], or what the session met.
pub(super) async fn require_writable(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let read_only: String = sqlx::query_scalar("SHOW transaction_read_only")
        .fetch_one(connection)
        .await?;
    match read_only == "on" {
        true => Err(sqlx::Error::Configuration(
            "the server takes no writes: it is a standby, or read-only".into(),
        )),
        false => Ok(()),
    }
}

/// How long a host may take to open a session and answer.
pub(super) const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Waits for work on a session, but not for long. In a pool's hook an error, and not an orderly good-bye, makes the pool
/// close the connection at once.
///
/// # Errors
/// [`sqlx::Error::PoolTimedOut`], or the work's own.
pub(super) async fn within_timeout<T>(
    timeout: Duration,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    let done = tokio::time::timeout(timeout, work).await;
    done.map_err(|_| sqlx::Error::PoolTimedOut)?
}
