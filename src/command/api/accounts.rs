//! `akgate accounts`: what the restricted keys of an account are refused.

use std::io::{self, Write};

use clap::Subcommand;
use serde_json::json;

use super::{
    CommandExit, Connection, ListSpec, client::path_segment, print_enforced, print_list,
    run_over_api as over_api, shown::Column,
};
use akgate_rules::verdict::Profile;

/// Show accounts, and set what their restricted keys are refused
#[derive(Debug, Clone, Subcommand)]
pub enum AccountsCommand {
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
        #[arg(value_name = "PROFILE", value_parser = parse_profile)]
        wanted: AccountOverride<Profile>,
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
    /// Set whether a restricted key of the account may disable or delete itself
    SelfRemedy {
        /// The account
        id: String,
        /// open, shut, or default for the configured setting
        #[arg(value_parser = parse_self_remedy)]
        lane: AccountOverride<bool>,
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
}

/// Something of one's own, or what is configured.
#[derive(Debug, Clone, Copy)]
pub struct AccountOverride<T>(Option<T>);

fn parse_profile(text: &str) -> Result<AccountOverride<Profile>, String> {
    match text {
        "default" => Ok(AccountOverride(None)),
        text => match text.parse() {
            Ok(profile) => Ok(AccountOverride(Some(profile))),
            Err(_) => Err("must be mutations, strict or default".to_owned()),
        },
    }
}

fn parse_self_remedy(text: &str) -> Result<AccountOverride<bool>, String> {
    match text {
        "default" => Ok(AccountOverride(None)),
        "open" => Ok(AccountOverride(Some(true))),
        "shut" => Ok(AccountOverride(Some(false))),
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

impl AccountsCommand {
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
pub fn run_accounts(
    command: &AccountsCommand,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<CommandExit> {
    let connection = command.connection();
    over_api(connection, out, err, async |client, shown, err| {
        let account = match command {
            AccountsCommand::List { own, limit, .. } => {
                let given = [("own", own.then(|| "true".to_owned()))];
                let what = ListSpec {
                    path: "accounts",
                    member: "accounts",
                    columns: COLUMNS,
                    none: "No matching accounts.",
                };
                return print_list(client, shown, &what, given, *limit).await;
            }
            AccountsCommand::Show { id, .. } => client.get(&account_path(id, ""), &[]).await?,
            AccountsCommand::Profile { id, wanted, .. } => {
                let body = json!({ "profile": wanted.0 });
                client.put(&account_path(id, "/profile"), &body).await?
            }
            AccountsCommand::SelfRemedy { id, lane, .. } => {
                let body = json!({ "open": lane.0 });
                client.put(&account_path(id, "/self-remedy"), &body).await?
            }
        };
        print_enforced(&account, "of restricted keys", err)?;
        shown.one(&account, COLUMNS)?;
        Ok(CommandExit::Ok)
    })
}

fn account_path(id: &str, what: &str) -> String {
    format!("accounts/{}{what}", path_segment(id))
}
