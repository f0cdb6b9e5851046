//! `akgate exceptions`: operations that a restricted key may call nevertheless.

use std::io::Write;

use clap::Subcommand;
use serde_json::json;
use uuid::Uuid;

use super::{
    answers::{ListSpec, ask_confirmation, print_enforced, print_list, print_result_or_approval},
    client::{AdminClient, ApiFault},
    command::ApiCommand,
    output::{Column, OutputPrinter},
};
use crate::command::CommandExit;

/// Let a restricted AccessKey call single operations from given networks for some hours; needs an approval
#[derive(Debug, Clone, Subcommand)]
pub enum ExceptionsCommand {
    /// List exceptions that are in force
    List {
        /// Include ended ones
        #[arg(long)]
        all: bool,
        /// Only those of this AccessKey
        #[arg(long, value_name = "ID")]
        key: Option<String>,
        /// Maximum number of rows
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
        limit: u16,
    },
    /// Show one exception
    Show {
        /// The exception
        id: Uuid,
    },
    /// Request an exception
    ///
    /// It applies to the AccessKey itself, never to its sessions, and ends with its restriction at the latest.
    Add {
        /// The restricted AccessKey
        key: String,
        /// An operation to allow: RAM:CreateAccessKey. Separate several with commas, or repeat the option
        #[arg(
            long = "operation",
            value_name = "PRODUCT:ACTION",
            value_delimiter = ',',
            required = true
        )]
        operations: Vec<String>,
        /// A network to allow: CIDR, at most a /16 (IPv6: /32), or an address. Separate several with commas, or repeat the option
        #[arg(
            long = "network",
            value_name = "CIDR",
            value_delimiter = ',',
            required = true
        )]
        networks: Vec<String>,
        /// How many hours it lasts after the approval
        #[arg(long, value_parser = clap::value_parser!(u8).range(1..=72))]
        hours: u8,
        /// The reason, for the audit log
        #[arg(long)]
        reason: String,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
    /// End an exception early
    Revoke {
        /// The exception
        id: Uuid,
    },
}

const COLUMNS: &[Column] = &[
    ("exception", "exception_id"),
    ("AccessKey", "access_key_id"),
    ("operations", "operations"),
    ("networks", "networks"),
    ("expires", "expires_at"),
    ("state", "state"),
];

const ROWS: &[Column] = &[
    ("exception", "exception_id"),
    ("AccessKey", "access_key_id"),
    ("restriction", "restriction_id"),
    ("operations", "operations"),
    ("networks", "networks"),
    ("approved", "approved_at"),
    ("expires", "expires_at"),
    ("state", "state"),
    ("reason", "reason"),
    ("requester", "requested_by"),
    ("approved by", "approved_by"),
    ("revoked", "revoked_at"),
    ("revoked by", "revoked_by"),
];

impl ApiCommand for ExceptionsCommand {
    async fn execute<W: Write>(
        &self,
        client: &AdminClient,
        shown: &mut OutputPrinter<'_, W>,
        err: &mut impl Write,
    ) -> Result<CommandExit, ApiFault> {
        let exception = match self {
            Self::List { all, key, limit } => {
                let given = [
                    ("state", (!all).then(|| "Active".to_owned())),
                    ("access_key_id", key.clone()),
                ];
                let what = ListSpec {
                    path: "exceptions",
                    member: "exceptions",
                    columns: COLUMNS,
                    none: "No matching exceptions.",
                };
                return print_list(client, shown, &what, given, *limit).await;
            }
            Self::Show { id } => client.get(&format!("exceptions/{id}"), &[]).await?,
            Self::Add {
                key,
                operations,
                networks,
                hours,
                reason,
                yes,
            } => {
                let what = operations.join(", ");
                let question = format!("Allow the leaked key {key} to call {what} for {hours} h?");
                if !ask_confirmation(&question, *yes, err)? {
                    return Ok(CommandExit::Usage);
                }
                let body = json!({
                    "access_key_id": key,
                    "operations": operations,
                    "networks": networks,
                    "hours": hours,
                    "reason": reason,
                });
                let answer = client.post("exceptions", &body).await?;
                return print_result_or_approval(shown, err, &answer, ROWS);
            }
            Self::Revoke { id } => {
                let path = format!("exceptions/{id}:revoke");
                client.post(&path, &json!({})).await?
            }
        };
        print_enforced(&exception, "of this key", err)?;
        shown.one(&exception, ROWS)?;
        Ok(CommandExit::Ok)
    }
}
