//! The private PostgreSQL: the default when no database is named.
//!
//! akgate uses one SQL dialect everywhere. Without a database URL it starts the machine's own `postgres` as a child, on
//! a Unix socket only: no TCP port, no password, no clash with a system cluster. The demo, the tests and a first
//! `serve` share this one path.
//!
//! 1. The programs are looked for in `AKGATE_POSTGRES_BIN`, `PATH`, and where packages put them.
//! 2. As root the server steps down to `postgres`, else `nobody`: it refuses to run as root.
//! 3. The data folder has one owner, by a lock on the folder. A second process attaches to the
//!    owner's server. What a killed owner left behind is waited for, then cleared.
//! 4. The server is tied to its owner: when the owner ends, in whatever way, the server stops.
//!
//! Everything here blocks: call it before the runtime starts or inside `spawn_blocking`.

mod account;
mod folder;
mod launch;
mod pid_file;
mod place;
mod programs;
mod start_error;
mod tether;
mod wait;

use std::path::{Path, PathBuf};
use std::time::Instant;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

use self::folder::DataFolder;
pub use self::launch::Durability;
use self::launch::{PORT, SUPERUSER, launch_server, make_cluster};
use self::programs::{ServerPrograms, find_programs};
pub use self::start_error::StartError;
use self::tether::ChildGuard;
use self::wait::{READY_TIMEOUT, sleep_until_deadline};

/// How to start a [`PrivatePostgres`].
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// The folder that keeps the data, made if it is missing; `None` for one that is removed at
    /// the end. As root, a folder that the server's account cannot enter becomes a symbolic link
    /// to one under `/var/tmp`.
    pub data: Option<PathBuf>,
    /// What the data is worth.
    pub tuning: Durability,
}

/// A PostgreSQL server that lives no longer than the process that started it.
///
/// Dropping it stops the server (fast shutdown, at most 15 s) and removes a temporary folder.
#[derive(Debug)]
pub struct PrivatePostgres {
    sockets: PathBuf,
    postmaster_pid: u32,
    /// `None` when attached to a server that another process owns.
    owned: Option<OwnedServer>,
}

#[derive(Debug)]
struct OwnedServer {
    // Fields drop in this order: the server ends before its folder is given up.
    tether: ChildGuard,
    folder: DataFolder,
    programs: ServerPrograms,
    tuning: Durability,
}

impl PrivatePostgres {
    /// Starts the server, or attaches to the one that another process runs on the same folder.
    /// Blocks until it accepts connections, at most 60 s.
    ///
    /// # Errors
    /// [`StartError`], one sentence for a person.
    pub fn start(options: &PostgresOptions) -> Result<Self, StartError> {
        let deadline = Instant::now() + READY_TIMEOUT;
        let mut folder = DataFolder::open(options.data.as_deref())?;
        while !folder.claim()? {
            if let Some(running) = folder.running().filter(|file| file.ready) {
                return Ok(Self {
                    sockets: running.sockets,
                    postmaster_pid: running.pid,
                    owned: None,
                });
            }
            sleep_until_deadline(deadline, || folder.log())?;
        }
        folder.clear_leftovers(deadline)?;
        let programs = find_programs(folder.account(), folder.version())?;
        if !folder.has_cluster() {
            make_cluster(&programs, &folder, options.tuning)?;
        }
        let (tether, file) = launch_server(&programs, &folder, options.tuning)?;
        Ok(Self {
            sockets: file.sockets,
            postmaster_pid: file.pid,
            owned: Some(OwnedServer {
                tether,
                folder,
                programs,
                tuning: options.tuning,
            }),
        })
    }

    /// Stops the server if it still runs and starts it again on the same data and socket. Does
    /// nothing when attached to another process's server.
    ///
    /// # Errors
    /// [`StartError`], as [`PrivatePostgres::start`].
    pub fn restart(&mut self) -> Result<(), StartError> {
        let Some(owned) = &mut self.owned else {
            return Ok(());
        };
        owned.tether.stop_server();
        owned
            .folder
            .clear_leftovers(Instant::now() + READY_TIMEOUT)?;
        let (tether, file) = launch_server(&owned.programs, &owned.folder, owned.tuning)?;
        owned.tether = tether;
        self.postmaster_pid = file.pid;
        Ok(())
    }

    /// The URL of `database`, for sqlx and psql alike.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let encode = |bytes| percent_encode(bytes, NON_ALPHANUMERIC);
        format!(
            "postgresql:///{}?host={}&port={PORT}&user={SUPERUSER}&sslmode=disable",
            encode(database.as_bytes()),
            encode(self.sockets.as_os_str().as_encoded_bytes()),
        )
    }

    /// The process id of the server.
    #[must_use]
    pub fn postmaster_pid(&self) -> u32 {
        self.postmaster_pid
    }

    /// The folder that really holds the data; `None` when attached to another process's server.
    #[must_use]
    pub fn data(&self) -> Option<&Path> {
        self.owned.as_ref().map(|owned| owned.folder.path())
    }

    /// Stops the server and waits for its end, as dropping it does. When attached to another
    /// process's server, leaves it running.
    pub fn stop(self) {
        drop(self);
    }
}
