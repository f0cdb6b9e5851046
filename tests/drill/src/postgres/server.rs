//! One server: its data, its socket, its process.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use sqlx::{
    Connection, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};
use tokio::time::Instant;

use super::programs::Programs;
use crate::{Result, process::Process};

/// Names the socket file; nothing listens on TCP.
const PORT: u16 = 5432;

/// How long `initdb`, a copy or a start may take, crash recovery included.
const PATIENCE: Duration = Duration::from_secs(60);

/// No commit waits for a disk, but none is answered before it is written: what a killed server had answered is there
/// again, and only a failover loses commits.
const SETTINGS: &[&str] = &[
    "listen_addresses=",
    "timezone=UTC",
    "jit=off",
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=on",
    "wal_level=replica",
    "wal_keep_size=1GB",
    "wal_retrieve_retry_interval=100ms",
    "max_wal_senders=4",
    "max_connections=300",
    "shared_buffers=64MB",
];

/// One server. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Server {
    programs: Programs,
    data: PathBuf,
    sockets: PathBuf,
    log: PathBuf,
    process: Option<Process>,
}

impl Server {
    fn lay_out(programs: &Programs, root: &Path, name: &str) -> io::Result<Self> {
        let home = root.join(name);
        programs.make_folder(&home)?;
        let sockets = home.join("run");
        programs.make_folder(&sockets)?;
        Ok(Self {
            programs: programs.clone(),
            data: home.join("data"),
            sockets,
            log: home.join("server.log"),
            process: None,
        })
    }

    /// A server with data of its own, not started yet.
    pub(super) async fn init(programs: &Programs, root: &Path, name: &str) -> Result<Self> {
        let server = Self::lay_out(programs, root, name)?;
        let mut command = programs.command("initdb");
        command
            .args(["-U", "postgres", "-A", "trust", "--locale=C", "-E", "UTF8"])
            .args(["--no-sync", "-D"])
            .arg(&server.data);
        server.run_to_end(command).await?;
        Ok(server)
    }

    /// A copy of this server that follows it at `follows`, not started yet.
    pub(super) async fn copy(&self, root: &Path, name: &str, follows: SocketAddr) -> Result<Self> {
        let copy = Self::lay_out(&self.programs, root, name)?;
        let mut command = self.programs.command("pg_basebackup");
        command
            .args(["-U", "postgres", "-X", "stream", "-c", "fast", "--no-sync"])
            .args(["-p", &PORT.to_string(), "-h"])
            .arg(&self.sockets)
            .arg("-D")
            .arg(&copy.data);
        copy.run_to_end(command).await?;
        copy.become_standby()?;
        let line = format!(
            "\nprimary_conninfo = 'host={} port={} user=postgres sslmode=disable'\n",
            follows.ip(),
            follows.port()
        );
        let settings = copy.data.join("postgresql.auto.conf");
        let text = fs::read_to_string(&settings).unwrap_or_default();
        fs::write(settings, text + &line)?;
        Ok(copy)
    }

    /// Makes it a standby from its next start on.
    pub(super) fn become_standby(&self) -> io::Result<()> {
        fs::write(self.data.join("standby.signal"), "")
    }

    async fn run_to_end(&self, mut command: Command) -> Result<()> {
        let log = fs::File::create(&self.log)?;
        command.stdout(log.try_clone()?).stderr(log);
        let process = Process::spawn(&mut command, None)?;
        let ended = process.succeed(PATIENCE).await;
        Ok(ended.map_err(|fault| self.with_log(&fault.to_string()))?)
    }

    /// Starts it, and waits until it takes connections.
    pub(super) async fn start(&mut self) -> Result<()> {
        // PostgreSQL trusts the process id in a stale file, whoever has that id now.
        drop(fs::remove_file(self.pid_file()));
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(&self.log)?;
        let mut command = self.programs.command("postgres");
        command
            .arg("-D")
            .arg(&self.data)
            .arg("-k")
            .arg(&self.sockets);
        command.args(["-p", &PORT.to_string()]);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command.stdout(log.try_clone()?).stderr(log);
        let scrap = self.data.parent();
        self.process = Some(Process::spawn(&mut command, scrap)?);
        let until = Instant::now() + PATIENCE;
        while !self.is_ready() {
            let ended = self.process.as_mut().and_then(Process::ended);
            if let Some(status) = ended {
                return Err(self.with_log(&status.to_string()).into());
            }
            if Instant::now() > until {
                return Err(self.with_log("not ready in time").into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    fn pid_file(&self) -> PathBuf {
        self.data.join("postmaster.pid")
    }

    fn is_ready(&self) -> bool {
        let text = fs::read_to_string(self.pid_file()).unwrap_or_default();
        let state = text.lines().nth(7).unwrap_or_default().trim();
        state == "ready" || state == "standby"
    }

    fn with_log(&self, what: &str) -> io::Error {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let last = text.lines().rev().take(5).collect::<Vec<_>>().join(" | ");
        io::Error::other(format!("PostgreSQL: {what}: {last}"))
    }

    /// Stops it and its children by SIGSTOP.
    pub(super) fn stop(&mut self) {
        self.process.iter_mut().for_each(Process::stop);
    }

    /// Lets it go on.
    pub(super) fn cont(&mut self) {
        self.process.iter_mut().for_each(Process::cont);
    }

    /// Kills it and its children by SIGKILL.
    pub(super) fn kill(&mut self) {
        self.process = None;
    }

    /// The socket that it listens on.
    pub(super) fn socket(&self) -> PathBuf {
        self.sockets.join(format!(".s.PGSQL.{PORT}"))
    }

    /// How the drill itself reaches a database of it, past every proxy.
    pub(super) fn options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.sockets)
            .port(PORT)
            .username("postgres")
            .database(database)
            .ssl_mode(PgSslMode::Disable)
    }

    /// A connection of the drill's own.
    pub(super) async fn connect(&self, database: &str) -> Result<PgConnection> {
        let options = self.options(database);
        let connecting = PgConnection::connect_with(&options);
        Ok(tokio::time::timeout(PATIENCE, connecting).await??)
    }

    /// Removes what it had on disk.
    pub(super) fn discard(mut self) {
        self.kill();
        if let Some(home) = self.data.parent() {
            drop(fs::remove_dir_all(home));
        }
    }
}
