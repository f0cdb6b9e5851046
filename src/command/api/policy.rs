//! `akgate policy show`, `check`, `diff`, `replay`, `mode`: what the policy refuses, what another profile would refuse,
//! and the mode.

use std::io::Write;

use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answers::{ask_confirmation, list_member, print_result_or_approval},
    client::{AdminClient, ApiFault},
    command::ApiCommand,
    format::OutputFormat,
    output::{Column, OutputPrinter},
};
use crate::command::CommandExit;
use crate::command::named_values::Override;
use akgate_api::policy::PolicyReplay;
use akgate_rules::verdict::{Mode, Profile};

/// Show what the policy refuses or would refuse; switch its mode
#[derive(Debug, Clone, Subcommand)]
pub enum PolicyApiCommand {
    /// Show the policy in force
    Show,
    /// Show how an operation of a leaked key is treated
    Check {
        /// Product code: RAM, IMS, STS, ResourceManager, Ecs…
        product: String,
        /// Action, exactly as in the call
        action: String,
        /// API version, required if the product is not catalogued
        #[arg(long)]
        version: Option<String>,
    },
    /// List the operations that strict refuses and mutations does not
    Diff,
    /// Show which calls of the last days would have been refused
    Replay {
        /// The profile: mutations or strict
        #[arg(value_name = "PROFILE")]
        under: Profile,
        /// Treat every key as leaked, not only the restricted ones
        #[arg(long)]
        all_keys: bool,
        /// Number of days to look back
        #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(u8).range(1..=14))]
        days: u8,
        /// Maximum number of rows
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
    },
    /// Request to switch the mode at every node; needs an approval
    Mode {
        /// enforce, shadow, off, or configured for each node's configured mode
        #[arg(value_parser = |text: &str| Override::<Mode>::parse(text, "configured"))]
        mode: Override<Mode>,
        /// The reason, for the audit log
        #[arg(long)]
        reason: String,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

const ROWS: &[Column] = &[
    ("mode", "mode"),
    ("configured", "configured_mode"),
    ("switched", "switched"),
    ("enforced from", "enforce_from"),
    ("enforced", "is_enforced"),
    ("profile", "profile"),
    ("self-remedy", "self_remedy"),
    ("operations", "catalogued"),
    ("refused by profile", "refused"),
];

const CHECK_ROWS: &[Column] = &[
    ("operation", "action"),
    ("product", "product"),
    ("version", "version"),
    ("effect", "effect"),
    ("leaked key", "restricted"),
    ("widened", "widened"),
];

const DIFF_COLUMNS: &[Column] = &[
    ("product", "product"),
    ("version", "version"),
    ("action", "action"),
    ("mutations", "mutations"),
    ("strict", "strict"),
];

const REPLAY_COLUMNS: &[Column] = &[
    ("calls", "calls"),
    ("refused", "refused"),
    ("product", "product"),
    ("action", "action"),
    ("signed by", "access_key_id"),
    ("leaked key", "restricted_key"),
    ("account", "account_id"),
    ("principal", "principal"),
    ("last hour", "last_hour"),
];

impl ApiCommand for PolicyApiCommand {
    async fn execute<W: Write>(
        &self,
        client: &AdminClient,
        shown: &mut OutputPrinter<'_, W>,
        err: &mut impl Write,
    ) -> Result<CommandExit, ApiFault> {
        match self {
            Self::Show => shown.one(&client.get("policy", &[]).await?, ROWS)?,
            Self::Check {
                product,
                action,
                version,
            } => {
                let mut asked = vec![("product", product.clone()), ("action", action.clone())];
                asked.extend(version.clone().map(|version| ("version", version)));
                shown.one(&client.get("policy/check", &asked).await?, CHECK_ROWS)?;
            }
            Self::Diff => {
                let diff = client.get("policy/diff", &[]).await?;
                print_rows(shown, &diff, "differences", DIFF_COLUMNS, "No differences.")?;
            }
            Self::Replay {
                under,
                all_keys,
                days,
                limit,
            } => {
                let keys = if *all_keys { "all" } else { "restricted" };
                let asked = [
                    ("profile", under.to_string()),
                    ("keys", keys.to_owned()),
                    ("days", days.to_string()),
                    ("page_size", limit.to_string()),
                ];
                let replay = client.get("policy/replay", &asked).await?;
                print_rows(
                    shown,
                    &replay,
                    "calls",
                    REPLAY_COLUMNS,
                    "No calls would have been refused.",
                )?;
                let replay = PolicyReplay::deserialize(replay)?;
                if replay.is_truncated && shown.output == OutputFormat::Table {
                    writeln!(
                        err,
                        "There are more rows: --limit {}",
                        u32::from(*limit) * 2
                    )?;
                }
            }
            Self::Mode { mode, reason, yes } => {
                let to = mode.0.map_or("the configured mode", Mode::as_str);
                let question = format!("Request to switch every node to {to}?");
                if !ask_confirmation(&question, *yes, err)? {
                    return Ok(CommandExit::Usage);
                }
                let body = json!({ "mode": mode.0, "reason": reason });
                let answer = client.post("policy:switch_mode", &body).await?;
                return print_result_or_approval(shown, err, &answer, ROWS);
            }
        }
        Ok(CommandExit::Ok)
    }
}

/// Prints the rows of an answer as a table, or the whole answer as JSON or YAML.
fn print_rows<W: Write>(
    shown: &mut OutputPrinter<'_, W>,
    answer: &Value,
    member: &str,
    columns: &[Column],
    none: &str,
) -> Result<(), ApiFault> {
    if shown.output != OutputFormat::Table {
        return shown.one(answer, &[]);
    }
    shown.list(list_member(answer, member), columns, none, None)
}
