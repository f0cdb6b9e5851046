//! `akgate reports`: takes what scanners have found.

mod impact;
mod import;

use std::io::{self, Write};

use clap::Subcommand;
use uuid::Uuid;

use super::{CommandExit, api};
use crate::serve::ServeError;
use akgate_rules::operation::DataError;
use akgate_state::directory::{StateFault, sealing::KeyRingFault};
use akgate_state::live::barrier::LostChange;

/// Import findings of scanners, list reports, undo a delivery
#[derive(Debug, Clone, Subcommand)]
pub enum ReportsCommand {
    /// Import a report file: proven findings restrict keys, the others are kept as suspicions
    ///
    /// Formats: gitleaks JSON, SARIF, TruffleHog NDJSON, CSV with a header line, or NDJSON. The format is detected;
    /// override it with `--format`. Fields of CSV and NDJSON: access_key_id, access_key_secret (at least one of the two),
    /// url, commit, path, first_seen (RFC 3339). An AccessKeyId alone restricts nothing. Importing a file twice changes
    /// nothing. To resume an interrupted import, import the whole file again with --delivery. Exit status: 3 if some of the
    /// file could not be read.
    Import(import::ImportArgs),
    /// Commands that use the admin API
    #[command(flatten)]
    OverApi(api::reports::ReportsApiCommand),
}

/// Why a command does not end well.
#[derive(Debug, thiserror::Error)]
enum ReportsError {
    /// A failover has lost what was committed.
    #[error("{0}: import it again")]
    Lost(#[from] LostChange),
    #[error("{path}: {fault}")]
    File { path: String, fault: io::Error },
    #[error("cannot detect the format: pass --format gitleaks, sarif, trufflehog, csv or ndjson")]
    Format,
    #[error("delivery {0} does not exist, was not begun by an import, or was undone")]
    NoDelivery(Uuid),
    #[error("delivery {0} is from the source \"{1}\": pass --source {1}, or omit --source")]
    OtherSource(Uuid, String),
    #[error("the thread that reads the file ended early")]
    Reader,
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("the key ring: {0}")]
    KeyRing(#[from] KeyRingFault),
    #[error(transparent)]
    State(#[from] StateFault),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

/// Does what is asked. 0 where all of it was taken, 3 where some of it could not be read, 1 where it broke off.
///
/// # Errors
/// That of the outputs.
pub fn run_reports(
    command: &ReportsCommand,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<CommandExit> {
    let args = match command {
        ReportsCommand::Import(args) => args,
        ReportsCommand::OverApi(command) => {
            return api::reports::run_reports_api(command, out, err);
        }
    };
    let config = match args.settings.load_or_say(&[], err)? {
        Ok(config) => config,
        Err(exit) => return Ok(exit),
    };
    let runtime = tokio::runtime::Runtime::new()?;
    match runtime.block_on(import::run_import(&config, args, out, err)) {
        Ok(exit) => Ok(exit),
        Err(ReportsError::Output(fault)) => Err(fault),
        Err(fault) => {
            writeln!(err, "error: {fault}")?;
            Ok(match fault {
                ReportsError::Format
                | ReportsError::NoDelivery(_)
                | ReportsError::OtherSource(..) => CommandExit::Usage,
                _ => CommandExit::Failed,
            })
        }
    }
}
