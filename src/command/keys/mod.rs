//! `akgate keys`: imports AccessKeys into the directory and reseals it; the other commands use the admin API.

mod import;
mod reseal;

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::Subcommand;

use super::{
    CommandExit, api,
    named_values::one_of,
    node::{NodeFault, run_on_node},
    settings::ConfigArgs,
};
use akgate_state::directory::import::FileFormat;

/// Import, list, inspect and disable AccessKeys; reseal their secrets
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
    OverApi(api::WithConnection<api::keys::KeysApiCommand>),
}

/// Runs the command. Exit status 0 if everything was imported, 3 if some lines were not, 1 if it ended early.
///
/// # Errors
/// An output cannot be written to.
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
        } => run_on_node(settings, &[], err, async |config, err| {
            let imported = import::run_import(config, file, *format, out, err).await;
            imported.map_err(NodeFault::resumable)
        }),
        KeysCommand::Reseal { settings } => run_on_node(settings, &[], err, async |config, _| {
            let resealed = reseal::reseal_secrets(config, out).await;
            resealed.map_err(NodeFault::resumable)
        }),
        KeysCommand::OverApi(command) => command.run(out, err),
    }
}
