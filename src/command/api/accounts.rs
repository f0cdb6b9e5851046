//! `akgate accounts`: what the restricted keys of an account are refused.

use std::io::{self, Write};

use clap::Subcommand;
use serde_json::json;

use super::{
    Connection, Exit, List, client::segment, list, run as over_api, say_enforced, shown::Column,
};
use akgate_rules::verdict::Profile;

/// Show accounts, and set what their restricted keys are refused
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// List accounts
    List {
        /// Only accounts that override a configured default
        #[arg(long)]
        own: bool,
        /// Maximum number of rows
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
        limit: u16,
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
    /// Show one account
    Show {
        /// The account
        id: String,
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
    /// Set what the restricted keys of an account are refused
    Profile {
        /// The account
        id: String,
        /// mutations, strict, or default for the configured profile
        #[arg(value_name = "PROFILE", value_parser = profile)]
        wanted: Choice<Profile>,
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
    /// Set whether a restricted key of the account may disable or delete itself
    SelfRemedy {
        /// The account
        id: String,
        /// open, shut, or default for the configured setting
        #[arg(value_parser = lane)]
        lane: Choice<bool>,
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
}

/// Something of one's own, or what is configured.
#[derive(Debug, Clone, Copy)]
pub struct Choice<T>(Option<T>);

fn profile(text: &str) -> Result<Choice<Profile>, String> {
    match text {
        "default" => Ok(Choice(None)),
        text => match text.parse() {
            Ok(profile) => Ok(Choice(Some(profile))),
            Err(_) => Err("must be mutations, strict or default".to_owned()),
        },
    }
}

fn lane(text: &str) -> Result<Choice<bool>, String> {
    match text {
        "default" => Ok(Choice(None)),
        "open" => Ok(Choice(Some(true))),
        "shut" => Ok(Choice(Some(false))),
        _ => Err("must be open, shut or default".to_owned()),
    }
}

const COLUMNS: &[Column] = &[
    ("account", "account_id"),
    ("profile", "profile"),
    ("self-remedy", "self_remedy"),
    ("keys", "keys"),
    ("restrictions", "restrictions"),
    ("contacts", "contacts"),
];

impl Command {
    fn connection(&self) -> &Connection {
        match self {
            Self::List { connection, .. }
            | Self::Show { connection, .. }
            | Self::Profile { connection, .. }
            | Self::SelfRemedy { connection, .. } => connection,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// That of the outputs.
pub fn run(command: &Command, out: &mut impl Write, err: &mut impl Write) -> io::Result<Exit> {
    let connection = command.connection();
    over_api(connection, out, err, async |client, shown, err| {
        let account = match command {
            Command::List { own, limit, .. } => {
                let given = [("own", own.then(|| "true".to_owned()))];
                let what = List {
                    path: "accounts",
                    member: "accounts",
                    columns: COLUMNS,
                    none: "No matching accounts.",
                };
                return list(client, shown, &what, given, *limit).await;
            }
            Command::Show { id, .. } => client.get(&path(id, ""), &[]).await?,
            Command::Profile { id, wanted, .. } => {
                let body = json!({ "profile": wanted.0 });
                client.put(&path(id, "/profile"), &body).await?
            }
            Command::SelfRemedy { id, lane, .. } => {
                let body = json!({ "open": lane.0 });
                client.put(&path(id, "/self-remedy"), &body).await?
            }
        };
        say_enforced(&account, "of restricted keys", err)?;
        shown.one(&account, COLUMNS)?;
        Ok(Exit::Ok)
    })
}

fn path(id: &str, what: &str) -> String {
    format!("accounts/{}{what}", segment(id))
}
