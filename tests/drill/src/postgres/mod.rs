//! PostgreSQL as the drill has it: a primary, and a standby that follows by asynchronous replication.
//!
//! Servers listen on Unix sockets alone. The standby follows through a proxy, so that it can be made to lag; a promotion
//! then loses what was committed meanwhile.

mod programs;
mod server;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::PgConnection;
use tokio::time::Instant;

use self::{programs::Programs, server::Server};
use crate::{
    Result,
    proxy::{Mode, Proxy, Target},
};

/// The database that the nodes use.
pub const DATABASE: &str = "akgate";

/// How long a standby may take to catch up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A primary and, where asked for, its standby. Both are killed when it is dropped.
#[derive(Debug)]
pub struct Postgres {
    root: PathBuf,
    primary: Server,
    standby: Option<Server>,
    /// A primary of before that still runs.
    former: Option<Server>,
    /// Between the standby and the primary.
    replication: Proxy,
    made: u32,
}

impl Postgres {
    /// Starts a primary with an empty database of the name [`DATABASE`], in a new folder under `root`.
    ///
    /// # Errors
    /// Where the programs are missing or do not start.
    pub async fn start(root: &Path) -> Result<Self> {
        let programs = Programs::find()?;
        let mut primary = Server::init(&programs, root, "pg0").await?;
        primary.start().await?;
        let mut connection = primary.connect("postgres").await?;
        sqlx::raw_sql("CREATE DATABASE akgate")
            .execute(&mut connection)
            .await?;
        Ok(Self {
            root: root.to_owned(),
            replication: Proxy::start(Target::Unix(primary.socket())).await?,
            primary,
            standby: None,
            former: None,
            made: 0,
        })
    }

    /// Builds a standby behind the primary, and waits until it follows.
    ///
    /// # Errors
    /// Where it cannot be copied or does not start.
    pub async fn build_standby(&mut self) -> Result<()> {
        self.made += 1;
        let name = format!("pg{}", self.made);
        self.replication
            .retarget(Target::Unix(self.primary.socket()));
        self.replication.set(Mode::Pass);
        let follows = self.replication.address();
        let mut standby = self.primary.copy(&self.root, &name, follows).await?;
        standby.start().await?;
        self.standby = Some(standby);
        self.catch_up().await
    }

    /// Waits until the standby has all that the primary has by now.
    async fn catch_up(&self) -> Result<()> {
        let Some(standby) = &self.standby else {
            return Ok(());
        };
        let wanted = "SELECT pg_current_wal_lsn()::text";
        let mut connection = self.primary.connect("postgres").await?;
        let wanted: String = sqlx::query_scalar(wanted)
            .fetch_one(&mut connection)
            .await?;
        let has = "SELECT coalesce(pg_last_wal_replay_lsn() >= $1::pg_lsn, false)";
        let mut connection = standby.connect("postgres").await?;
        let until = Instant::now() + PATIENCE;
        loop {
            let has = sqlx::query_scalar(has).bind(&wanted);
            if has.fetch_one(&mut connection).await? {
                return Ok(());
            }
            if Instant::now() > until {
                return Err("the standby does not catch up".into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Stops the primary by SIGSTOP, its children too.
    pub fn stop(&mut self) {
        self.primary.stop();
    }

    /// Lets the primary go on.
    pub fn cont(&mut self) {
        self.primary.cont();
    }

    /// Kills the primary by SIGKILL, its children too. What it had answered is there again after [`Self::restart`].
    pub fn kill(&mut self) {
        self.primary.kill();
    }

    /// Starts a killed primary on the same data.
    ///
    /// # Errors
    /// Where it does not start.
    pub async fn restart(&mut self) -> Result<()> {
        self.primary.start().await
    }

    /// Cuts the standby off, so that it lags from now on.
    pub fn cut_replication(&self) {
        self.replication.set(Mode::Cut);
    }

    /// Lets the standby follow again.
    pub fn heal_replication(&self) {
        self.replication.set(Mode::Pass);
    }

    /// Kills the primary if it still runs, and makes the standby the primary. Nothing follows it then.
    ///
    /// # Errors
    /// Where there is no standby, or it is not promoted.
    pub async fn promote(&mut self) -> Result<()> {
        self.primary.kill();
        let standby = self.standby.take().ok_or("there is no standby")?;
        let promoted = promote(&standby).await;
        std::mem::replace(&mut self.primary, standby).discard();
        promoted
    }

    /// Makes every commit wait for the standby.
    ///
    /// # Errors
    /// Where the primary does not answer.
    pub async fn commit_with_standby(&self) -> Result<()> {
        self.alter_primary("synchronous_standby_names = '*'").await
    }

    /// Makes the standby the primary. The former one lives on, keeps its sessions, and takes no writes.
    ///
    /// # Errors
    /// Where there is no standby, or it is not promoted.
    pub async fn hand_over(&mut self) -> Result<()> {
        self.alter_primary("default_transaction_read_only = on")
            .await?;
        self.catch_up().await?;
        let standby = self.standby.take().ok_or("there is no standby")?;
        promote(&standby).await?;
        self.former = Some(std::mem::replace(&mut self.primary, standby));
        Ok(())
    }

    /// Restarts the primary as a standby, which takes no writes, and makes the other standby the primary.
    ///
    /// # Errors
    /// Where there is no standby, or one of both does not start or is not promoted.
    pub async fn demote(&mut self) -> Result<()> {
        self.catch_up().await?;
        self.primary.kill();
        self.primary.become_standby()?;
        self.primary.start().await?;
        let standby = self.standby.take().ok_or("there is no standby")?;
        promote(&standby).await?;
        self.former = Some(std::mem::replace(&mut self.primary, standby));
        Ok(())
    }

    /// Lets nobody open a session with the nodes' database, and ends those that there are.
    ///
    /// # Errors
    /// Where the primary does not answer.
    pub async fn forbid_connections(&self) -> Result<()> {
        self.set_connections(false).await
    }

    /// Lets everybody connect again.
    ///
    /// # Errors
    /// Where the primary does not answer.
    pub async fn allow_connections(&self) -> Result<()> {
        self.set_connections(true).await
    }

    async fn set_connections(&self, allowed: bool) -> Result<()> {
        let mut connection = self.primary.connect("postgres").await?;
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
            "ALTER DATABASE {DATABASE} ALLOW_CONNECTIONS {allowed};
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{DATABASE}' AND NOT {allowed}"
        )))
        .execute(&mut connection)
        .await?;
        Ok(())
    }

    async fn alter_primary(&self, setting: &'static str) -> Result<()> {
        let mut connection = self.primary.connect("postgres").await?;
        for statement in [
            format!("ALTER SYSTEM SET {setting}"),
            "SELECT pg_reload_conf()".to_owned(),
        ] {
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
                .execute(&mut connection)
                .await?;
        }
        Ok(())
    }

    /// Where proxies reach the standby.
    #[must_use]
    pub fn standby_target(&self) -> Option<Target> {
        Some(Target::Unix(self.standby.as_ref()?.socket()))
    }

    /// Where proxies reach the primary.
    #[must_use]
    pub fn target(&self) -> Target {
        Target::Unix(self.primary.socket())
    }

    /// A connection to the nodes' database, past every proxy.
    ///
    /// # Errors
    /// Where the primary does not answer.
    pub async fn connect(&self) -> Result<PgConnection> {
        self.primary.connect(DATABASE).await
    }
}

async fn promote(standby: &Server) -> Result<()> {
    let mut connection = standby.connect("postgres").await?;
    let promoted: bool = sqlx::query_scalar("SELECT pg_promote(true, 30)")
        .fetch_one(&mut connection)
        .await?;
    match promoted {
        true => Ok(()),
        false => Err("the standby is not promoted".into()),
    }
}
