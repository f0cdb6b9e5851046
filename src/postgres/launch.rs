//! Running `initdb` and `postgres`.

use std::ffi::OsStr;
use std::time::Instant;

use super::folder::DataFolder;
use super::pid_file::PidFile;
use super::programs::ServerPrograms;
use super::start_error::StartError;
use super::tether::ChildGuard;
use super::wait::{READY_TIMEOUT, sleep_until_deadline};

/// The only account of the server. It has no password: the socket's folder is closed to others.
pub(super) const SUPERUSER: &str = "postgres";
/// Names the socket file; nothing listens on TCP.
pub(super) const PORT: u16 = 5432;
const INITDB_ARGUMENTS: [&str; 7] = ["-U", SUPERUSER, "-A", "trust", "--locale=C", "-E", "UTF8"];

/// What the data is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Survives a power cut.
    Durable,
    /// Fast, and lost with the machine: for tests.
    Throwaway,
}

/// Builds the data of a new server. A killed `initdb` leaves nothing that looks finished.
pub(super) fn make_cluster(
    programs: &ServerPrograms,
    folder: &DataFolder,
    tuning: Durability,
) -> Result<(), StartError> {
    let making = folder.new_cluster();
    let mut arguments = vec![
        programs.initdb.as_os_str(),
        "-D".as_ref(),
        making.as_os_str(),
    ];
    arguments.extend(INITDB_ARGUMENTS.map(OsStr::new));
    if tuning == Durability::Throwaway {
        arguments.push(OsStr::new("--no-sync"));
    }
    let mut tether = ChildGuard::spawn(&arguments, folder)?;
    let deadline = Instant::now() + READY_TIMEOUT;
    let status = loop {
        match tether.ended() {
            Some(status) => break status,
            None => sleep_until_deadline(deadline, || folder.log())?,
        }
    };
    if !status.success() {
        return Err(StartError::ended("initdb", status, &folder.log()));
    }
    folder.adopt_cluster(&making)
}

/// Runs the server until it accepts connections.
pub(super) fn launch_server(
    programs: &ServerPrograms,
    folder: &DataFolder,
    tuning: Durability,
) -> Result<(ChildGuard, PidFile), StartError> {
    let cluster = folder.cluster();
    let port = PORT.to_string();
    let mut arguments = vec![
        programs.postgres.as_os_str(),
        "-D".as_ref(),
        cluster.as_os_str(),
        "-k".as_ref(),
        folder.sockets().as_os_str(),
        "-p".as_ref(),
        port.as_ref(),
    ];
    for setting in server_settings(tuning) {
        arguments.extend(["-c", setting].map(OsStr::new));
    }
    let mut tether = ChildGuard::spawn(&arguments, folder)?;
    let deadline = Instant::now() + READY_TIMEOUT;
    loop {
        if let Some(status) = tether.ended() {
            return Err(StartError::ended("postgres", status, &folder.log()));
        }
        if let Some(file) = folder.running().filter(|file| file.ready) {
            return Ok((tether, file));
        }
        sleep_until_deadline(deadline, || folder.log())?;
    }
}

fn server_settings(tuning: Durability) -> &'static [&'static str] {
    // Compiling a plan costs more than any query of akgate takes.
    const DURABLE: &[&str] = &[
        "listen_addresses=",
        "cluster_name=akgate",
        "timezone=UTC",
        "jit=off",
    ];
    const THROWAWAY: &[&str] = &[
        "listen_addresses=",
        "cluster_name=akgate",
        "timezone=UTC",
        "jit=off",
        "fsync=off",
        "synchronous_commit=off",
        "full_page_writes=off",
        "wal_level=minimal",
        "max_wal_senders=0",
        "checkpoint_timeout=1h",
        "max_connections=300",
    ];
    match tuning {
        Durability::Durable => DURABLE,
        Durability::Throwaway => THROWAWAY,
    }
}
