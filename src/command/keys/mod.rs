//! `akgate keys`: fills the directory from a file, seals it again; looks into it over the admin API.

mod import;
mod reseal;

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::Subcommand;

use super::{CommandExit, api, settings::ConfigArgs};
use crate::command::input::one_of;
use crate::{config::Config, serve::ServeError};
use akgate_state::directory::{StateFault, import::FileFormat, sealing::KeyRingFault};
use akgate_state::live::barrier::LostChange;

/// Import AccessKeys into the directory, inspect them, reseal their secrets
#[derive(Debug, Clone, Subcommand)]
pub enum KeysCommand {
    /// Import AccessKeys from a file; importing a file twice changes nothing
    ///
    /// CSV with a header line, or NDJSON. Fields: account_id, user_name (empty for the account itself), user_id (the
    /// user's id in the IAM; optional), access_key_id, access_key_secret, status (Active, Inactive, Deleted), owner_email,
    /// owner_language (en, zh-CN), owner_rank (1 for the first contact; a higher number for a contact who is notified if
    /// the first cannot be reached or does nothing).
    Import {
        /// The file, or - for standard input
        file: PathBuf,
        /// The file's format, if its name does not tell it
        #[arg(long, value_parser = one_of::<FileFormat>(&FileFormat::NAMES))]
        format: Option<FileFormat>,
        /// Configuration
        #[command(flatten)]
        settings: ConfigArgs,
    },
    /// Reseal every secret under the newest key of the key ring, while nodes are running
    ///
    /// To change the sealing key: add a `seal` line with a higher id to the key ring of every node, restart the nodes,
    /// run this command, then remove the old line. It can be interrupted and run again.
    Reseal {
        /// Configuration
        #[command(flatten)]
        settings: ConfigArgs,
    },
    /// Commands that use the admin API
    #[command(flatten)]
    OverApi(api::keys::KeysApiCommand),
}

/// Why a command does not end well.
#[derive(Debug, thiserror::Error)]
enum KeysError {
    /// A failover has lost what was committed.
    #[error("{0}: import it again")]
    Lost(#[from] LostChange),
    #[error("{path}: {fault}")]
    File { path: String, fault: io::Error },
    #[error("unknown format: pass --format csv or --format ndjson")]
    Form,
    #[error("the thread that reads the file ended early")]
    Reader,
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("the key ring: {0}")]
    KeyRing(#[from] KeyRingFault),
    #[error(transparent)]
    State(#[from] StateFault),
    #[error(transparent)]
    Randomness(#[from] rand::rngs::SysError),
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

/// Does what is asked. 0 where all of it was done, 3 where some lines were not taken, 1 where it broke off.
///
/// # Errors
/// That of the outputs.
pub fn run_keys(
    command: &KeysCommand,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<CommandExit> {
    match command {
        KeysCommand::Import {
            file,
            format,
            settings,
        } => run_on_node(settings, err, async |config, err| {
            import::run_import(config, file, *format, out, err).await
        }),
        KeysCommand::Reseal { settings } => run_on_node(settings, err, async |config, _| {
            reseal::reseal_secrets(config, out).await
        }),
        KeysCommand::OverApi(command) => api::keys::run_keys_api(command, out, err),
    }
}

fn run_on_node<E: Write>(
    settings: &ConfigArgs,
    err: &mut E,
    act: impl AsyncFnOnce(&Config, &mut E) -> Result<CommandExit, KeysError>,
) -> io::Result<CommandExit> {
    let config = match settings.load_or_say(&[], err)? {
        Ok(config) => config,
        Err(exit) => return Ok(exit),
    };
    let runtime = tokio::runtime::Runtime::new()?;
    match runtime.block_on(act(&config, err)) {
        Ok(exit) => Ok(exit),
        Err(KeysError::Output(fault)) => Err(fault),
        Err(fault @ KeysError::Form) => {
            writeln!(err, "error: {fault}")?;
            Ok(CommandExit::Usage)
        }
        Err(fault) => {
            let advice = match &fault {
                KeysError::State(_) => ". The work done so far is kept; run the command again",
                _ => "",
            };
            writeln!(err, "error: {fault}{advice}")?;
            Ok(CommandExit::Failed)
        }
    }
}
