//! Why a private PostgreSQL did not start: one plain sentence each.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// Why a private PostgreSQL did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// No `initdb` and `postgres` on this machine.
    #[error(
        "the server programs of PostgreSQL are not installed here: install them with \
         `{install}`, or set AKGATE_POSTGRES_BIN to the folder that holds initdb and postgres, or \
         name a running database with --database-url (AKGATE_DATABASE_URL)"
    )]
    NotInstalled {
        /// The command of this platform's package manager.
        install: &'static str,
    },

    /// `AKGATE_POSTGRES_BIN` names a folder without the programs.
    #[error(
        "AKGATE_POSTGRES_BIN is set to {}, which holds no initdb and postgres that the server's \
         account may run: correct it, or unset it and install them with `{install}`, or name a \
         running database with --database-url (AKGATE_DATABASE_URL)",
        .folder.display()
    )]
    WrongOverride {
        /// What `AKGATE_POSTGRES_BIN` says.
        folder: PathBuf,
        /// The command of this platform's package manager.
        install: &'static str,
    },

    /// The data was made by a version of PostgreSQL that is not installed.
    #[error(
        "the data was made by PostgreSQL {version}, which is not installed here: install that \
         version, or set AKGATE_POSTGRES_BIN to the folder of its programs, or name a running \
         database with --database-url (AKGATE_DATABASE_URL)"
    )]
    OtherVersion {
        /// The major version that made the data.
        version: String,
    },

    /// The folder holds something else.
    #[error(
        "{} contains files that are not a database of akgate: choose an empty folder, or a running \
         database with --database-url (AKGATE_DATABASE_URL)",
        .folder.display()
    )]
    NotOurs {
        /// The folder that was named.
        folder: PathBuf,
    },

    /// A file or folder could not be made, read or changed.
    #[error("the private PostgreSQL cannot use {}: {source}", .path.display())]
    File {
        /// What could not be used.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },

    /// No process could be started.
    #[error("the private PostgreSQL cannot run {program}: {source}")]
    Spawn {
        /// What could not be run.
        program: &'static str,
        /// The error of the operating system.
        source: io::Error,
    },

    /// `initdb` or `postgres` gave up.
    #[error("{program} ended early ({status}): {reason}")]
    Ended {
        /// Which of the two.
        program: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// The last line that it wrote.
        reason: String,
    },

    /// Another server on the same data does not go away.
    #[error(
        "another PostgreSQL (process {pid}) is still running on {} and does not stop: stop it first",
        .folder.display()
    )]
    Occupied {
        /// Its process id.
        pid: u32,
        /// The folder that it holds.
        folder: PathBuf,
    },

    /// Not ready in time.
    #[error("PostgreSQL was not ready after {seconds} s: see {}", .log.display())]
    Slow {
        /// How long was waited.
        seconds: u64,
        /// Where the server writes.
        log: PathBuf,
    },
}

impl StartError {
    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }

    pub(super) fn ended(program: &'static str, status: ExitStatus, log: &Path) -> Self {
        // Lossy: messages of a server may quote bytes of any encoding.
        let text = std::fs::read(log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let last = text.lines().rev().find(|line| !line.trim().is_empty());
        let reason = last.unwrap_or("no output").trim().to_owned();
        Self::Ended {
            program,
            status,
            reason,
        }
    }
}
