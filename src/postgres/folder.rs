//! The folder of a private PostgreSQL.
//!
//! `cluster/` the server's data, `run/` its socket, `server.log` what it last wrote. The folder
//! itself carries the owner's lock, which the kernel releases when the owner ends.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::account::ServerAccount;
use super::pid_file::PidFile;
use super::place::{
    MAX_SOCKET_FOLDER_BYTES, claim_folder, make_private, make_scratch, resolve_data_folder,
    temporary_parent,
};
use super::start_error::StartError;
use super::wait::POLL_INTERVAL;

/// How long the tether of a killed owner may need to stop its server before we ask it ourselves.
const ORPHAN_GRACE: Duration = Duration::from_secs(5);

/// The folder of a private PostgreSQL.
#[derive(Debug)]
pub(super) struct DataFolder {
    path: PathBuf,
    account: ServerAccount,
    sockets: PathBuf,
    /// What is removed at the end: all of a temporary folder, or a socket folder apart.
    scratch: Option<PathBuf>,
    lock: File,
}

impl DataFolder {
    /// Opens `data`, making it where it is missing; a temporary folder for `None`.
    pub(super) fn open(data: Option<&Path>) -> Result<Self, StartError> {
        let account = ServerAccount::choose()?;
        match data {
            Some(data) => Self::kept(data, account),
            None => Self::temporary(account),
        }
    }

    fn temporary(account: ServerAccount) -> Result<Self, StartError> {
        let path = make_scratch(&temporary_parent(account), account)?;
        Self::with(path.clone(), account, Some(path))
    }

    fn kept(data: &Path, account: ServerAccount) -> Result<Self, StartError> {
        let path = resolve_data_folder(data, account)?;
        let account = match fs::metadata(path.join("cluster")) {
            Ok(meta) => account.of_owner(&meta),
            Err(_) => claim_folder(&path, account)?,
        };
        Self::with(path, account, None)
    }

    fn with(
        path: PathBuf,
        account: ServerAccount,
        scratch: Option<PathBuf>,
    ) -> Result<Self, StartError> {
        let lock = File::open(&path).map_err(StartError::file(&path))?;
        Ok(Self {
            sockets: path.join("run"),
            path,
            account,
            scratch,
            lock,
        })
    }

    /// Becomes the owner; `false` while another process is.
    pub(super) fn claim(&self) -> Result<bool, StartError> {
        match self.lock.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(source)) => Err(StartError::file(&self.path)(source)),
        }
    }

    /// The server that runs on this folder, if one does.
    pub(super) fn running(&self) -> Option<PidFile> {
        PidFile::read(&self.cluster()).filter(|file| file.is_live(&self.cluster()))
    }

    /// Makes room for a new server, as the owner: waits for one whose owner was killed, and removes
    /// what it left.
    pub(super) fn clear_leftovers(&mut self, deadline: Instant) -> Result<(), StartError> {
        self.outlast(deadline)?;
        // PostgreSQL itself trusts the process id in a stale file, whoever has that id now.
        let stale = PidFile::path(&self.cluster());
        if PidFile::read(&self.cluster()).is_some() {
            fs::remove_file(&stale).map_err(StartError::file(&stale))?;
        }
        for entry in fs::read_dir(&self.path).map_err(StartError::file(&self.path))? {
            let entry = entry.map_err(StartError::file(&self.path))?;
            if entry.file_name().as_encoded_bytes().starts_with(b"making-") {
                remove_folder(&entry.path())?;
            }
        }
        self.make_sockets()
    }

    fn outlast(&self, deadline: Instant) -> Result<(), StartError> {
        let patience = Instant::now() + ORPHAN_GRACE;
        let mut asked = false;
        while let Some(file) = self.running() {
            if Instant::now() >= deadline {
                return Err(StartError::Occupied {
                    pid: file.pid,
                    folder: self.path.clone(),
                });
            }
            if !asked && Instant::now() >= patience {
                asked = true;
                self.account.send_signal("-INT", file.pid);
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    fn make_sockets(&mut self) -> Result<(), StartError> {
        remove_folder(&self.sockets)?;
        let short = self.path.join("run");
        if short.as_os_str().len() <= MAX_SOCKET_FOLDER_BYTES {
            self.sockets = short;
            return make_private(&self.sockets, self.account);
        }
        if self.scratch.is_none() {
            self.scratch = Some(make_scratch(&temporary_parent(self.account), self.account)?);
        }
        if let Some(scratch) = &self.scratch {
            self.sockets = scratch.join("run");
        }
        make_private(&self.sockets, self.account)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn account(&self) -> ServerAccount {
        self.account
    }

    pub(super) fn cluster(&self) -> PathBuf {
        self.path.join("cluster")
    }

    pub(super) fn sockets(&self) -> &Path {
        &self.sockets
    }

    pub(super) fn log(&self) -> PathBuf {
        self.path.join("server.log")
    }

    pub(super) fn scratch(&self) -> Option<&Path> {
        self.scratch.as_deref()
    }

    pub(super) fn has_cluster(&self) -> bool {
        self.cluster().exists()
    }

    /// The major version that made the data.
    pub(super) fn version(&self) -> Option<String> {
        let text = fs::read_to_string(self.cluster().join("PG_VERSION")).ok()?;
        Some(text.trim().to_owned())
    }

    /// Where to build a cluster: a killed `initdb` must not leave half of one in its place.
    pub(super) fn new_cluster(&self) -> PathBuf {
        self.path
            .join(format!("making-{:016x}", rand::random::<u64>()))
    }

    /// Puts a finished cluster in its place.
    pub(super) fn adopt_cluster(&self, made: &Path) -> Result<(), StartError> {
        fs::rename(made, self.cluster()).map_err(StartError::file(made))
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        if let Some(scratch) = &self.scratch {
            // The tether has usually removed it; nobody is left to tell if this fails.
            let _ = fs::remove_dir_all(scratch);
        }
    }
}

fn remove_folder(path: &Path) -> Result<(), StartError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(StartError::file(path)(error)),
        _ => Ok(()),
    }
}
