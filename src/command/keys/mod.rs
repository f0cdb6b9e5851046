//! `akgate keys`: fills the directory from a file, shows what is in it, seals it again.

mod import;
mod list;
mod reseal;
mod show;

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::Subcommand;

use super::{Exit, settings::Settings};
use crate::{
    access_key::AccessKeyId,
    config::Config,
    directory::{KeyStatus, StateFault, import::Form, sealing::KeyRingFault},
    serve::ServeError,
};

/// Fill the directory, look into it, seal it again
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Take AccessKeys from a file: doing it twice changes nothing
    ///
    /// CSV with a header line, or NDJSON. Members: account_id, user_name (empty for the account itself), user_id (as the
    /// IAM has that user; optional), access_key_id, access_key_secret, status (Active, Inactive, Deleted), owner_email,
    /// owner_language (en, zh-CN), owner_rank (1, or a higher number for who is told where the first cannot be reached or do
    /// nothing).
    Import {
        /// The file, or - for standard input
        file: PathBuf,
        /// Its form, where its name does not tell
        #[arg(long, value_enum)]
        format: Option<Form>,
        /// Where the configuration is
        #[command(flatten)]
        settings: Settings,
    },
    /// List AccessKeys
    List {
        /// Which
        #[command(flatten)]
        filter: list::Filter,
        /// Print one JSON object per line
        #[arg(long)]
        json: bool,
        /// Where the configuration is
        #[command(flatten)]
        settings: Settings,
    },
    /// Show an AccessKey: whose it is, whether it works, what restricts it, what it made
    Show {
        /// The AccessKeyId
        #[arg(value_parser = AccessKeyId::parse)]
        access_key_id: AccessKeyId,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Where the configuration is
        #[command(flatten)]
        settings: Settings,
    },
    /// Seal every secret again under the newest key of the key ring, while nodes serve
    ///
    /// To change the sealing key: add a `seal` line of a higher id to the key ring of every node and restart them, run
    /// this, then take the old line out. It may be stopped and run again.
    Reseal {
        /// Where the configuration is
        #[command(flatten)]
        settings: Settings,
    },
}

/// Why a command does not end well.
#[derive(Debug, thiserror::Error)]
enum KeysError {
    #[error("{path}: {fault}")]
    File { path: String, fault: io::Error },
    #[error("say what the file is: --format csv or --format ndjson")]
    Form,
    #[error("there is no AccessKey {0} in the directory")]
    NotFound(String),
    #[error("the file's reader has ended early")]
    Reader,
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("the key ring: {0}")]
    KeyRing(#[from] KeyRingFault),
    #[error(transparent)]
    State(#[from] StateFault),
    #[error(transparent)]
    Randomness(#[from] rand::rngs::SysError),
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// Does what is asked. 0 where all of it was done, 3 where some lines were not taken, 1 where it broke off.
///
/// # Errors
/// That of the outputs.
pub fn run(command: &Command, out: &mut impl Write, err: &mut impl Write) -> io::Result<Exit> {
    let (Command::Import { settings, .. }
    | Command::List { settings, .. }
    | Command::Show { settings, .. }
    | Command::Reseal { settings }) = command;
    let config = match settings.load_or_say(&[], err)? {
        Ok(config) => config,
        Err(exit) => return Ok(exit),
    };
    let runtime = tokio::runtime::Runtime::new()?;
    match runtime.block_on(act(command, &config, out, err)) {
        Ok(exit) => Ok(exit),
        Err(KeysError::Output(fault)) => Err(fault),
        Err(fault @ KeysError::Form) => {
            writeln!(err, "error: {fault}")?;
            Ok(Exit::Usage)
        }
        Err(fault) => {
            let advice = match &fault {
                KeysError::State(_) => ". What was done before stays; run it again",
                _ => "",
            };
            writeln!(err, "error: {fault}{advice}")?;
            Ok(Exit::Failed)
        }
    }
}

async fn act(
    command: &Command,
    config: &Config,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<Exit, KeysError> {
    match command {
        Command::Import { file, format, .. } => import::run(config, file, *format, out, err).await,
        Command::List { filter, json, .. } => list::run(config, filter, *json, out).await,
        Command::Show {
            access_key_id,
            json,
            ..
        } => show::run(config, access_key_id, *json, out).await,
        Command::Reseal { .. } => reseal::run(config, out).await,
    }
}

fn status(text: &str) -> Result<KeyStatus, String> {
    KeyStatus::parse(text).ok_or_else(|| "Active, Inactive or Deleted".to_owned())
}
