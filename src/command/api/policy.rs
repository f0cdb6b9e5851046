//! `akgate policy show`, `check`, `diff`, `replay`, `mode`: what is refused, what would be, and whether it is.

use std::io::{self, Write};

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    Connection, Exit, agreed, answer_or_waiting, run as over_api,
    shown::{Column, Output, Shown},
};
use akgate_rules::verdict::{Mode, Profile};

/// Look at what the policy does, and would do; switch its mode
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Show what is enforced
    Show {
        /// Which akgate
        #[command(flatten)]
        connection: Connection,
    },
    /// Say what becomes of an operation where the key has leaked
    Check {
        /// Product code: RAM, IMS, STS, ResourceManager, Ecs…
        product: String,
        /// Action, exactly as it is called
        action: String,
        /// API version, of products that the catalogue does not enumerate
        #[arg(long)]
        version: Option<String>,
        /// Which akgate
        #[command(flatten)]
        connection: Connection,
    },
    /// List what the profile strict refuses and mutations does not
    Diff {
        /// Which akgate
        #[command(flatten)]
        connection: Connection,
    },
    /// Say who would have been refused, by the calls of the last days
    Replay {
        /// Under this profile: mutations or strict
        #[arg(value_name = "PROFILE")]
        under: Profile,
        /// As if every key had leaked, not those alone that were restricted
        #[arg(long)]
        all_keys: bool,
        /// How many days back
        #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(u8).range(1..=14))]
        days: u8,
        /// At most so many rows
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
        /// Which akgate
        #[command(flatten)]
        connection: Connection,
    },
    /// Ask for the mode to be switched at every node: takes a second operator
    Mode {
        /// enforce, shadow, off, or configured for what each node is configured to
        #[arg(value_parser = mode)]
        mode: Switch,
        /// Why, for the audit
        #[arg(long)]
        reason: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Which akgate
        #[command(flatten)]
        connection: Connection,
    },
}

/// A mode, or what is configured.
#[derive(Debug, Clone, Copy)]
pub struct Switch(Option<Mode>);

fn mode(text: &str) -> Result<Switch, String> {
    match text {
        "configured" => Ok(Switch(None)),
        text => match text.parse() {
            Ok(mode) => Ok(Switch(Some(mode))),
            Err(_) => Err("it is enforce, shadow, off or configured".to_owned()),
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

const CHECK: &[Column] = &[
    ("operation", "action"),
    ("of", "product"),
    ("version", "version"),
    ("effect", "effect"),
    ("to a leaked key", "restricted"),
    ("widened", "widened"),
];

const DIFF: &[Column] = &[
    ("product", "product"),
    ("version", "version"),
    ("action", "action"),
    ("mutations", "mutations"),
    ("strict", "strict"),
];

const REPLAY: &[Column] = &[
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

impl Command {
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
pub fn run(command: &Command, out: &mut impl Write, err: &mut impl Write) -> io::Result<Exit> {
    let connection = command.connection();
    over_api(connection, out, err, async |client, shown, err| {
        match command {
            Command::Show { .. } => shown.one(&client.get("policy", &[]).await?, ROWS)?,
            Command::Check {
                product,
                action,
                version,
                ..
            } => {
                let mut asked = vec![("product", product.clone()), ("action", action.clone())];
                asked.extend(version.clone().map(|version| ("version", version)));
                shown.one(&client.get("policy/check", &asked).await?, CHECK)?;
            }
            Command::Diff { .. } => {
                let diff = client.get("policy/diff", &[]).await?;
                rows(shown, &diff, "differences", DIFF, "They refuse the same.")?;
            }
            Command::Replay {
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
                rows(
                    shown,
                    &replay,
                    "calls",
                    REPLAY,
                    "Nobody would have been refused.",
                )?;
                let is_cut = replay.get("is_cut").and_then(Value::as_bool);
                if is_cut == Some(true) && shown.output == Output::Table {
                    writeln!(err, "There are more: --limit {}", u32::from(*limit) * 2)?;
                }
            }
            Command::Mode {
                mode, reason, yes, ..
            } => {
                let to = mode.0.map_or("what is configured", Mode::as_str);
                let question = format!("Ask for the mode to be switched to {to}, at every node?");
                if !agreed(&question, *yes, err)? {
                    return Ok(Exit::Usage);
                }
                let body = json!({ "mode": mode.0, "reason": reason });
                let answer = client.post("policy:switch_mode", &body).await?;
                return answer_or_waiting(shown, err, &answer, ROWS);
            }
        }
        Ok(Exit::Ok)
    })
}

/// The rows of an answer; to a program the answer as it is.
fn rows<W: Write>(
    shown: &mut Shown<'_, W>,
    answer: &Value,
    member: &str,
    columns: &[Column],
    none: &str,
) -> Result<(), super::ApiFault> {
    if shown.output != Output::Table {
        return shown.one(answer, &[]);
    }
    let rows = answer.get(member).and_then(Value::as_array);
    shown.list(rows.map_or(&[], Vec::as_slice), columns, none, None)
}
