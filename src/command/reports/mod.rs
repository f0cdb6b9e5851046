//! `akgate reports`: takes what scanners have found.

mod impact;
mod import;

use std::io::{self, Write};

use clap::Subcommand;
use uuid::Uuid;

use super::{Exit, api};
use crate::serve::ServeError;
use akgate_rules::operation::DataError;
use akgate_state::directory::{StateFault, sealing::KeyRingFault};
use akgate_state::live::barrier::Lost;

/// Take what scanners have found, look at it, take a batch back
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Take a report file: what is proven restricts, the rest is kept as suspicion
    ///
    /// gitleaks JSON, SARIF, TruffleHog NDJSON, CSV with a header line, or NDJSON; which of them, the file itself tells.
    /// Members of CSV and NDJSON: access_key_id, access_key_secret (one of the two at least), url, commit, path, first_seen
    /// (RFC 3339). An AccessKeyId alone restricts nothing. Taking a file twice changes nothing; one that was broken off is
    /// taken again whole, with --batch so that it stays one batch. Ends with 3 where some of it could not be
    /// read.
    Import(import::Args),
    /// Over the admin API
    #[command(flatten)]
    OverApi(api::reports::Command),
}

/// Why a command does not end well.
#[derive(Debug, thiserror::Error)]
enum ReportsError {
    /// A failover has lost what was committed.
    #[error("{0}: import it again")]
    Lost(#[from] Lost),
    #[error("{path}: {fault}")]
    File { path: String, fault: io::Error },
    #[error(
        "the file does not tell what it is: say --format gitleaks, sarif, trufflehog, csv or ndjson"
    )]
    Format,
    #[error("there is no batch {0} that an import has begun and nobody has undone")]
    NoBatch(Uuid),
    #[error("batch {0} is of the source \"{1}\": say --source {1}, or nothing")]
    OtherSource(Uuid, String),
    #[error("the file's reader has ended early")]
    Reader,
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("the key ring: {0}")]
    KeyRing(#[from] KeyRingFault),
    #[error(transparent)]
    State(#[from] StateFault),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// Does what is asked. 0 where all of it was taken, 3 where some of it could not be read, 1 where it broke off.
///
/// # Errors
/// That of the outputs.
pub fn run(command: &Command, out: &mut impl Write, err: &mut impl Write) -> io::Result<Exit> {
    let args = match command {
        Command::Import(args) => args,
        Command::OverApi(command) => return api::reports::run(command, out, err),
    };
    let config = match args.settings.load_or_say(&[], err)? {
        Ok(config) => config,
        Err(exit) => return Ok(exit),
    };
    let runtime = tokio::runtime::Runtime::new()?;
    match runtime.block_on(import::run(&config, args, out, err)) {
        Ok(exit) => Ok(exit),
        Err(ReportsError::Output(fault)) => Err(fault),
        Err(fault) => {
            writeln!(err, "error: {fault}")?;
            Ok(match fault {
                ReportsError::Format | ReportsError::NoBatch(_) | ReportsError::OtherSource(..) => {
                    Exit::Usage
                }
                _ => Exit::Failed,
            })
        }
    }
}
