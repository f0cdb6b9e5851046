//! `akgate keys list`, `show`, `lineage`, `activity`, `disable`: AccessKeys and what came of them.

use std::io::{self, Write};

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    CommandExit, Connection, ListSpec, ask_confirmation,
    client::path_segment,
    print_list, print_result_or_approval, run_over_api as over_api,
    shown::{Column, OutputFormat},
};
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
        #[arg(long, value_parser = parse_status)]
        status: Option<KeyStatus>,
        /// Only restricted ones
        #[arg(long)]
        restricted: bool,
        /// Maximum number of rows
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
        limit: u16,
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
    /// Show an AccessKey: its owner, its status, its restrictions, and its descendants
    Show {
        /// The AccessKeyId
        #[arg(value_parser = AccessKeyId::parse)]
        key: AccessKeyId,
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
    /// Show the ancestors and descendants of a key or session
    Lineage {
        /// The id of the AccessKey or session
        #[arg(value_parser = AccessKeyId::parse)]
        key: AccessKeyId,
        /// Maximum number of descendants
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
    /// Show the activity of a key or session: changes and refusals
    Activity {
        /// The id of the AccessKey or session
        #[arg(value_parser = AccessKeyId::parse)]
        key: AccessKeyId,
        /// Maximum number of records of each kind
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
    /// Request to disable a leaked AccessKey: needs approval
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
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
}

fn parse_status(text: &str) -> Result<KeyStatus, String> {
    text.parse()
        .map_err(|_| "must be Active, Inactive or Deleted".to_owned())
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
    ("made by", "created_by_access_key_id"),
    ("sealed by key", "seal_key_id"),
    ("owners", "contacts"),
    ("live sessions", "sessions"),
    ("created keys", "created_keys"),
];

const RESTRICTION_COLUMNS: &[Column] = &[
    ("restriction", "restriction_id"),
    ("state", "state"),
    ("since", "imposed_at"),
];

const RELATIVE_COLUMNS: &[Column] = &[
    ("", "distance"),
    ("id", "access_key_id"),
    ("is", "kind"),
    ("status", "status"),
    ("made by", "created_by"),
    ("ends", "expires_at"),
    ("restriction", "restriction"),
];

const CHANGE_COLUMNS: &[Column] = &[
    ("when", "received_at"),
    ("changed", "action"),
    ("of", "product"),
    ("about", "names"),
    ("from", "source_ip"),
    ("outcome", "outcome"),
    ("RequestId", "request_id"),
];

const REFUSAL_COLUMNS: &[Column] = &[
    ("when", "refused_at"),
    ("refused", "action"),
    ("of", "product"),
    ("about", "names"),
    ("from", "source_ip"),
    ("RequestId", "request_id"),
];

impl KeysApiCommand {
    fn connection(&self) -> &Connection {
        match self {
            Self::List { connection, .. }
            | Self::Show { connection, .. }
            | Self::Lineage { connection, .. }
            | Self::Activity { connection, .. }
            | Self::Disable { connection, .. } => connection,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// That of the outputs.
pub fn run_keys_api(
    command: &KeysApiCommand,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<CommandExit> {
    let connection = command.connection();
    over_api(
        connection,
        out,
        err,
        async |client, shown, err| match command {
            KeysApiCommand::List {
                account,
                user,
                status,
                restricted,
                limit,
                ..
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
            KeysApiCommand::Show { key, .. } => {
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
            KeysApiCommand::Lineage { key, limit, .. } => {
                let asked = [("page_size", limit.to_string())];
                let lineage = client.get(&key_path(key, "/lineage"), &asked).await?;
                shown.list(
                    list_member(&lineage, "relatives"),
                    RELATIVE_COLUMNS,
                    "No known relatives.",
                    None,
                )?;
                Ok(CommandExit::Ok)
            }
            KeysApiCommand::Activity { key, limit, .. } => {
                let asked = [("page_size", limit.to_string())];
                let activity = client.get(&key_path(key, "/activity"), &asked).await?;
                if shown.output != OutputFormat::Table {
                    shown.one(&activity, &[])?;
                    return Ok(CommandExit::Ok);
                }
                for (member, columns, none) in [
                    ("intents", CHANGE_COLUMNS, "No changes."),
                    ("refusals", REFUSAL_COLUMNS, "No refusals."),
                ] {
                    shown.list(list_member(&activity, member), columns, none, None)?;
                }
                Ok(CommandExit::Ok)
            }
            KeysApiCommand::Disable {
                key, reason, yes, ..
            } => {
                let question = format!("Request to disable {}?", key.as_str());
                if !ask_confirmation(&question, *yes, err)? {
                    return Ok(CommandExit::Usage);
                }
                let body = json!({ "reason": reason });
                let answer = client.post(&key_path(key, ":disable"), &body).await?;
                print_result_or_approval(shown, err, &answer, ROWS)
            }
        },
    )
}

fn key_path(key: &AccessKeyId, what: &str) -> String {
    format!("keys/{}{what}", path_segment(key.as_str()))
}

fn list_member<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}
