//! `akgate policy show`, `check`, `diff`, `replay`, `mode`: what is refused, what would be, and whether it is.

use std::io::{self, Write};

use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    CommandExit, Connection, ask_confirmation, print_result_or_approval, run_over_api as over_api,
    shown::{Column, OutputFormat, OutputPrinter},
};
use akgate_api::policy::PolicyReplay;
use akgate_rules::verdict::{Mode, Profile};

/// Show what the policy refuses or would refuse; switch its mode
#[derive(Debug, Clone, Subcommand)]
pub enum PolicyApiCommand {
    /// Show the policy in force
    Show {
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
    /// Show how an operation of a leaked key is treated
    Check {
        /// Product code: RAM, IMS, STS, ResourceManager, Ecs…
        product: String,
        /// Action, exactly as in the call
        action: String,
        /// API version, required if the product is not catalogued
        #[arg(long)]
        version: Option<String>,
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
    /// List the operations that strict refuses and mutations does not
    Diff {
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
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
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
    /// Request to switch the mode at every node: needs approval
    Mode {
        /// enforce, shadow, off, or configured for each node's configured mode
        #[arg(value_parser = parse_mode)]
        mode: ModeOverride,
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

/// A mode, or what is configured.
#[derive(Debug, Clone, Copy)]
pub struct ModeOverride(Option<Mode>);

fn parse_mode(text: &str) -> Result<ModeOverride, String> {
    match text {
        "configured" => Ok(ModeOverride(None)),
        text => match text.parse() {
            Ok(mode) => Ok(ModeOverride(Some(mode))),
            Err(_) => Err("must be enforce, shadow, off or configured".to_owned()),
        },
    }
}

const ROWS: &[Column] = &[
    ("mode", "mode"),
    ("configured", "configured_mode"),
    ("switched", "switched"),
    ("enforced from", "enforce_from"),
    ("leaked keys are refused", "is_enforced"),
    ("profile", "profile"),
    ("self-remedy", "self_remedy"),
    ("operations", "catalogued"),
    ("refused by profile", "refused"),
];

const CHECK_ROWS: &[Column] = &[
    ("operation", "action"),
    ("of", "product"),
    ("version", "version"),
    ("effect", "effect"),
    ("to a leaked key", "restricted"),
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
    ("of", "product"),
    ("action", "action"),
    ("signed by", "access_key_id"),
    ("of the leaked key", "restricted_key"),
    ("account", "account_id"),
    ("principal", "principal"),
    ("last hour", "last_hour"),
];

impl PolicyApiCommand {
    fn connection(&self) -> &Connection {
        match self {
            Self::Show { connection, .. }
            | Self::Check { connection, .. }
            | Self::Diff { connection, .. }
            | Self::Replay { connection, .. }
            | Self::Mode { connection, .. } => connection,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// That of the outputs.
pub fn run_policy_api(
    command: &PolicyApiCommand,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<CommandExit> {
    let connection = command.connection();
    over_api(connection, out, err, async |client, shown, err| {
        match command {
            PolicyApiCommand::Show { .. } => shown.one(&client.get("policy", &[]).await?, ROWS)?,
            PolicyApiCommand::Check {
                product,
                action,
                version,
                ..
            } => {
                let mut asked = vec![("product", product.clone()), ("action", action.clone())];
                asked.extend(version.clone().map(|version| ("version", version)));
                shown.one(&client.get("policy/check", &asked).await?, CHECK_ROWS)?;
            }
            PolicyApiCommand::Diff { .. } => {
                let diff = client.get("policy/diff", &[]).await?;
                print_rows(shown, &diff, "differences", DIFF_COLUMNS, "No differences.")?;
            }
            PolicyApiCommand::Replay {
                under,
                all_keys,
                days,
                limit,
                ..
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
            PolicyApiCommand::Mode {
                mode, reason, yes, ..
            } => {
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
    })
}

/// The rows of an answer; to a program the answer as it is.
fn print_rows<W: Write>(
    shown: &mut OutputPrinter<'_, W>,
    answer: &Value,
    member: &str,
    columns: &[Column],
    none: &str,
) -> Result<(), super::ApiFault> {
    if shown.output != OutputFormat::Table {
        return shown.one(answer, &[]);
    }
    let rows = answer.get(member).and_then(Value::as_array);
    shown.list(rows.map_or(&[], Vec::as_slice), columns, none, None)
}
