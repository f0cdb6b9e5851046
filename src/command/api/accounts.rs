//! `akgate accounts`: the profile and the self-remediation setting of accounts.

use std::io::Write;

use clap::Subcommand;
use serde_json::json;

use super::{
    answers::{ListSpec, print_enforced, print_list},
    client::{AdminClient, ApiFault, path_segment},
    command::ApiCommand,
    output::{Column, OutputPrinter},
};
use crate::command::CommandExit;
use crate::command::named_values::Override;
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
    },
    /// Show one account
    Show {
        /// The account
        id: String,
    },
    /// Set what the restricted keys of an account are refused
    Profile {
        /// The account
        id: String,
        /// mutations, strict, or default for the configured profile
        #[arg(value_name = "PROFILE", value_parser = |text: &str| Override::<Profile>::parse(text, "default"))]
        wanted: Override<Profile>,
    },
    /// Set whether a restricted key of the account may disable or delete itself
    SelfRemedy {
        /// The account
        id: String,
        /// allow, deny, or default for the configured setting
        #[arg(value_parser = parse_self_remedy)]
        allowed: Override<bool>,
    },
}

fn parse_self_remedy(text: &str) -> Result<Override<bool>, String> {
    match text {
        "default" => Ok(Override(None)),
        "allow" => Ok(Override(Some(true))),
        "deny" => Ok(Override(Some(false))),
        _ => Err("must be one of allow, deny, default".to_owned()),
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

impl ApiCommand for AccountsCommand {
    async fn execute<W: Write>(
        &self,
        client: &AdminClient,
        shown: &mut OutputPrinter<'_, W>,
        err: &mut impl Write,
    ) -> Result<CommandExit, ApiFault> {
        let account = match self {
            Self::List { own, limit } => {
                let given = [("own", own.then(|| "true".to_owned()))];
                let what = ListSpec {
                    path: "accounts",
                    member: "accounts",
                    columns: COLUMNS,
                    none: "No matching accounts.",
                };
                return print_list(client, shown, &what, given, *limit).await;
            }
            Self::Show { id } => client.get(&account_path(id, ""), &[]).await?,
            Self::Profile { id, wanted } => {
                let body = json!({ "profile": wanted.0 });
                client.put(&account_path(id, "/profile"), &body).await?
            }
            Self::SelfRemedy { id, allowed } => {
                let body = json!({ "allowed": allowed.0 });
                client.put(&account_path(id, "/self-remedy"), &body).await?
            }
        };
        print_enforced(&account, "of restricted keys", err)?;
        shown.one(&account, COLUMNS)?;
        Ok(CommandExit::Ok)
    }
}

fn account_path(id: &str, what: &str) -> String {
    format!("accounts/{}{what}", path_segment(id))
}
