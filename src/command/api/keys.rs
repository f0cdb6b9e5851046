//! `akgate keys list`, `show`, `lineage`, `activity`, `disable`: AccessKeys, their lineage and their activity.

use std::io::Write;

use clap::Subcommand;
use serde_json::json;

use super::{
    answers::{ListSpec, ask_confirmation, list_member, print_list, print_result_or_approval},
    client::{AdminClient, ApiFault, path_segment},
    command::ApiCommand,
    format::OutputFormat,
    output::{Column, OutputPrinter},
};
use crate::command::CommandExit;
use akgate_api::keys::KeyStatus;
use akgate_rules::access_key::AccessKeyId;

/// Show AccessKeys and their lineage; request to disable a leaked one
#[derive(Debug, Clone, Subcommand)]
pub enum KeysApiCommand {
    /// List AccessKeys
    List {
        /// Only those of this account
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// Only those of this RAM user
        #[arg(long, value_name = "NAME", requires = "account")]
        user: Option<String>,
        /// Active, Inactive or Deleted
        #[arg(long)]
        status: Option<KeyStatus>,
        /// Only restricted ones
        #[arg(long)]
        restricted: bool,
        /// Maximum number of rows
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
        limit: u16,
    },
    /// Show an AccessKey: its owner, its status, its restrictions, and its descendants
    Show {
        /// The AccessKeyId
        #[arg(value_parser = AccessKeyId::parse)]
        key: AccessKeyId,
    },
    /// Show the ancestors and descendants of a key or session
    Lineage {
        /// The id of the AccessKey or session
        #[arg(value_parser = AccessKeyId::parse)]
        key: AccessKeyId,
        /// Maximum number of descendants
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
    },
    /// Show the activity of a key or session: changes and refusals
    Activity {
        /// The id of the AccessKey or session
        #[arg(value_parser = AccessKeyId::parse)]
        key: AccessKeyId,
        /// Maximum number of records of each kind
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
    },
    /// Request to disable a leaked AccessKey; needs an approval
    ///
    /// The gateway then refuses every call that it signs. In the IAM the key stays active, and its owner can reinstate it
    /// with UpdateAccessKey, signed by another key.
    Disable {
        /// The AccessKeyId
        #[arg(value_parser = AccessKeyId::parse)]
        key: AccessKeyId,
        /// The reason, for the audit log
        #[arg(long)]
        reason: String,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

const COLUMNS: &[Column] = &[
    ("AccessKey", "access_key_id"),
    ("account", "account_id"),
    ("user", "user_name"),
    ("status", "status"),
    ("restriction", "restriction"),
];

const ROWS: &[Column] = &[
    ("AccessKey", "access_key_id"),
    ("account", "account_id"),
    ("user", "user_name"),
    ("status", "status"),
    ("disabled", "disabled_at"),
    ("disabled by", "disabled_by"),
    ("known since", "created_at"),
    ("created by", "created_by_access_key_id"),
    ("sealed by key", "seal_key_id"),
    ("contacts", "contacts"),
    ("live sessions", "sessions"),
    ("created keys", "created_keys"),
];

const RESTRICTION_COLUMNS: &[Column] = &[
    ("restriction", "restriction_id"),
    ("state", "state"),
    ("since", "imposed_at"),
];

const RELATIVE_COLUMNS: &[Column] = &[
    ("distance", "distance"),
    ("id", "access_key_id"),
    ("kind", "kind"),
    ("status", "status"),
    ("created by", "created_by"),
    ("expires", "expires_at"),
    ("restriction", "restriction"),
];

const CHANGE_COLUMNS: &[Column] = &[
    ("time", "received_at"),
    ("change", "action"),
    ("product", "product"),
    ("objects", "names"),
    ("source IP", "source_ip"),
    ("outcome", "outcome"),
    ("RequestId", "request_id"),
];

const REFUSAL_COLUMNS: &[Column] = &[
    ("time", "refused_at"),
    ("refused call", "action"),
    ("product", "product"),
    ("objects", "names"),
    ("source IP", "source_ip"),
    ("RequestId", "request_id"),
];

impl ApiCommand for KeysApiCommand {
    async fn execute<W: Write>(
        &self,
        client: &AdminClient,
        shown: &mut OutputPrinter<'_, W>,
        err: &mut impl Write,
    ) -> Result<CommandExit, ApiFault> {
        match self {
            Self::List {
                account,
                user,
                status,
                restricted,
                limit,
            } => {
                let given = [
                    ("account_id", account.clone()),
                    ("user_name", user.clone()),
                    ("status", status.map(|status| status.as_str().to_owned())),
                    ("restricted", restricted.then(|| "true".to_owned())),
                ];
                let what = ListSpec {
                    path: "keys",
                    member: "keys",
                    columns: COLUMNS,
                    none: "No matching AccessKeys.",
                };
                print_list(client, shown, &what, given, *limit).await
            }
            Self::Show { key } => {
                let key = client.get(&key_path(key, ""), &[]).await?;
                shown.one(&key, ROWS)?;
                if shown.output == OutputFormat::Table {
                    shown.list(
                        list_member(&key, "restrictions"),
                        RESTRICTION_COLUMNS,
                        "No restrictions.",
                        None,
                    )?;
                }
                Ok(CommandExit::Ok)
            }
            Self::Lineage { key, limit } => {
                let asked = [("page_size", limit.to_string())];
                let lineage = client.get(&key_path(key, "/lineage"), &asked).await?;
                shown.list(
                    list_member(&lineage, "relatives"),
                    RELATIVE_COLUMNS,
                    "No known ancestors or descendants.",
                    None,
                )?;
                Ok(CommandExit::Ok)
            }
            Self::Activity { key, limit } => {
                let asked = [("page_size", limit.to_string())];
                let activity = client.get(&key_path(key, "/activity"), &asked).await?;
                if shown.output != OutputFormat::Table {
                    shown.one(&activity, &[])?;
                    return Ok(CommandExit::Ok);
                }
                for (member, columns, none) in [
                    ("intents", CHANGE_COLUMNS, "No changes."),
                    ("refusals", REFUSAL_COLUMNS, "No refused calls."),
                ] {
                    shown.list(list_member(&activity, member), columns, none, None)?;
                }
                Ok(CommandExit::Ok)
            }
            Self::Disable { key, reason, yes } => {
                let question = format!("Request to disable {}?", key.as_str());
                if !ask_confirmation(&question, *yes, err)? {
                    return Ok(CommandExit::Usage);
                }
                let body = json!({ "reason": reason });
                let answer = client.post(&key_path(key, ":disable"), &body).await?;
                print_result_or_approval(shown, err, &answer, ROWS)
            }
        }
    }
}

fn key_path(key: &AccessKeyId, what: &str) -> String {
    format!("keys/{}{what}", path_segment(key.as_str()))
}
