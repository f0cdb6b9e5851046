//! A node: an `akgate serve` as a process. It keeps its addresses when it is started again.

use std::{
    fs,
    io::{Read, Seek, SeekFrom},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tokio::{sync::watch, time::Instant};

use crate::{Result, process::Process};

/// How long a node may take to listen.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a node listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// For callers.
    pub gateway: SocketAddr,
    /// For operators.
    pub admin: SocketAddr,
    /// For owners, where it has that role.
    pub public: Option<SocketAddr>,
    /// For probes.
    pub telemetry: SocketAddr,
}

/// What a node is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It serves.
    Up(Addresses),
    /// It is stopped by SIGSTOP: it takes connections, and answers when it goes on.
    Stopped(Addresses),
    /// It does not run.
    Down,
}

/// A node. Dropping it kills it.
#[derive(Debug)]
pub struct Node {
    name: String,
    program: PathBuf,
    roles: &'static str,
    config: PathBuf,
    log: PathBuf,
    /// Where it listened when it was started first.
    addresses: OnceLock<Addresses>,
    process: Mutex<Option<Process>>,
    state: watch::Sender<State>,
}

impl Node {
    /// A node with these roles and this configuration, not started yet; its log is written beside the configuration.
    #[must_use]
    pub fn new(name: &str, program: &Path, roles: &'static str, config: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            program: program.to_owned(),
            roles,
            log: config.with_extension("log"),
            config,
            addresses: OnceLock::new(),
            process: Mutex::new(None),
            state: watch::Sender::new(State::Down),
        }
    }

    /// For people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Its log, of all its starts.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// What it is doing; the drill itself decides that, so it is always known.
    #[must_use]
    pub fn state(&self) -> State {
        *self.state.borrow()
    }

    /// Whether it is stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        matches!(self.state(), State::Stopped(_))
    }

    /// Starts it, and waits until it listens.
    ///
    /// # Errors
    /// Where it does not listen in time.
    pub async fn start(&self) -> Result<()> {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(&self.log)?;
        let said = log.metadata()?.len();
        let mut command = Command::new(&self.program);
        command
            .args(["serve", "--roles", self.roles, "--config"])
            .arg(&self.config)
            .stdout(Stdio::null())
            .stderr(log);
        if let Some(kept) = self.addresses.get() {
            for (name, address) in [
                ("AKGATE_GATEWAY_LISTEN", kept.gateway),
                ("AKGATE_ADMIN_LISTEN", kept.admin),
                ("AKGATE_TELEMETRY_LISTEN", kept.telemetry),
            ] {
                command.env(name, address.to_string());
            }
        }
        *self.process() = Some(Process::spawn(&mut command, None)?);
        let until = Instant::now() + PATIENCE;
        loop {
            let text = self.log_since(said)?;
            if let (Some(gateway), Some(admin), Some(telemetry)) = (
                listens(&text, "gateway"),
                listens(&text, "admin"),
                listens(&text, "telemetry"),
            ) {
                let addresses = Addresses {
                    gateway,
                    admin,
                    public: listens(&text, "public"),
                    telemetry,
                };
                let addresses = *self.addresses.get_or_init(|| addresses);
                self.state.send_replace(State::Up(addresses));
                return Ok(());
            }
            let ended = self.process().as_mut().and_then(Process::ended);
            if ended.is_some() || Instant::now() > until {
                return Err(format!("{} does not listen ({ended:?}): {text}", self.name).into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What its log has from this byte on.
    fn log_since(&self, start: u64) -> Result<String> {
        let mut file = fs::File::open(&self.log)?;
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(1 << 20).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Stops it by SIGSTOP.
    pub fn stop(&self) {
        if let State::Up(addresses) = self.state() {
            self.process().iter_mut().for_each(Process::stop);
            self.state.send_replace(State::Stopped(addresses));
        }
    }

    /// Lets it go on by SIGCONT.
    pub fn cont(&self) {
        if let State::Stopped(addresses) = self.state() {
            self.state.send_replace(State::Up(addresses));
            self.process().iter_mut().for_each(Process::cont);
        }
    }

    /// Tells it to leave by SIGTERM, and waits for its end; it serves meanwhile.
    ///
    /// # Errors
    /// Where it does not end in time, or not well.
    pub async fn leave(&self) -> Result<()> {
        self.process().iter_mut().for_each(Process::terminate);
        let until = Instant::now() + PATIENCE;
        let ended = loop {
            let ended = self.process().as_mut().and_then(Process::ended);
            match ended {
                Some(status) => break status,
                None if Instant::now() > until => {
                    return Err(format!("{} does not leave", self.name).into());
                }
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        self.kill();
        match ended.success() {
            true => Ok(()),
            false => Err(format!("{} left with {ended}", self.name).into()),
        }
    }

    /// Kills it by SIGKILL.
    pub fn kill(&self) {
        self.state.send_replace(State::Down);
        *self.process() = None;
    }

    /// The id of its process; `None` while it does not run.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process().as_ref().map(Process::id)
    }

    /// Waits until it can be reached, stopped or not; `None` where that takes longer than `patience`.
    pub async fn reachable(&self, patience: Duration) -> Option<Addresses> {
        let mut seen = self.state.subscribe();
        let runs = seen.wait_for(|state| *state != State::Down);
        match *tokio::time::timeout(patience, runs).await.ok()?.ok()? {
            State::Up(addresses) | State::Stopped(addresses) => Some(addresses),
            State::Down => None,
        }
    }

    /// Waits until it is stopped or killed.
    pub async fn gone(&self) {
        let mut seen = self.state.subscribe();
        let gone = seen.wait_for(|state| !matches!(state, State::Up(_)));
        drop(gone.await);
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The address that a section listens on, as the log says.
fn listens(log: &str, section: &str) -> Option<SocketAddr> {
    log.lines().find_map(|line| {
        let event: Value = serde_json::from_str(line).ok()?;
        let is_it = event.get("message")? == "listening" && event.get("section")? == section;
        is_it.then(|| event.get("address")?.as_str()?.parse().ok())?
    })
}
