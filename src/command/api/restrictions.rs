//! `akgate restrictions`: from the queue to the lift.

use std::io::{self, Write};

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    ApiFault, Client, Connection, Exit, List, agreed, answer_or_waiting, list, member,
    run as over_api, say_enforced,
    shown::{Column, Output, Shown},
    watch,
};
use akgate_rules::restriction::Closing;

/// Look at restrictions, impose, confirm and lift them
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// List restrictions, the newest first
    List {
        /// Of which something begins with this: the AccessKey, its account or user, the ticket, the source's number, the
        /// address where it was found
        search: Option<String>,
        /// Imposed, Remediated or Lifted
        #[arg(long)]
        state: Option<String>,
        /// Of this AccessKey
        #[arg(long, value_name = "ID")]
        key: Option<String>,
        /// Of this account
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
        limit: u16,
        /// Which akgate
        #[command(flatten)]
        connection: Connection,
    },
    /// Show one restriction and the reports that led to it
    Show {
        /// The restriction, or its AccessKey
        id: String,
        /// Which akgate
        #[command(flatten)]
        connection: Connection,
    },
    /// Show what happened to a restriction, in order
    Timeline {
        /// The restriction, or its AccessKey
        id: String,
        /// At most so many events, the newest ones
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
        /// Which akgate
        #[command(flatten)]
        connection: Connection,
    },
    /// Follow what happens to restrictions, a line for each change; Ctrl-C ends
    Watch {
        /// Of this AccessKey
        #[arg(long, value_name = "ID")]
        key: Option<String>,
        /// End after so many
        #[arg(long)]
        count: Option<u32>,
        /// Which akgate
        #[command(flatten)]
        connection: Connection,
    },
    /// Restrict an AccessKey: your decision, proven or not
    Impose {
        /// The AccessKey
        key: String,
        /// Who found it
        #[arg(long)]
        source: String,
        /// The finder's own number: the same one counts once
        #[arg(long)]
        reference: String,
        /// Where it was found
        #[arg(long)]
        url: Option<String>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Which akgate
        #[command(flatten)]
        connection: Connection,
    },
    /// Record the owner's word that came another way than by the letter's link
    Confirm {
        /// The restriction, or its AccessKey
        id: String,
        /// The number under which the owner's word is kept
        #[arg(long)]
        ticket: String,
        /// Which akgate
        #[command(flatten)]
        connection: Connection,
    },
    /// Lift a restriction; without confirmation, or of a pair that still works, a second operator has to approve
    Lift {
        /// The restriction, or its AccessKey
        id: String,
        /// Why, in a word: Rotated, Disabled, Deleted, FalsePositive, UsedInTests or AcceptedRisk
        #[arg(long, value_parser = closing)]
        closing: Closing,
        /// Why, in your words, for the audit
        #[arg(long)]
        reason: String,
        /// The pair may still work: takes a second operator
        #[arg(long)]
        accept_active_key: bool,
        /// The owner may not have confirmed: takes a second operator
        #[arg(long)]
        accept_no_confirmation: bool,
        /// Only say what would be lifted
        #[arg(long)]
        dry_run: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Which akgate
        #[command(flatten)]
        connection: Connection,
    },
}

fn closing(text: &str) -> Result<Closing, String> {
    let named = |closing: &Closing| closing.as_str().eq_ignore_ascii_case(text);
    Closing::ALL.into_iter().find(named).ok_or_else(|| {
        let names = Closing::ALL.map(Closing::as_str).join(", ");
        format!("it is one of {names}")
    })
}

const COLUMNS: &[Column] = &[
    ("restriction", "restriction_id"),
    ("AccessKey", "access_key_id"),
    ("account", "account_id"),
    ("user", "user_name"),
    ("pair", "key_status"),
    ("state", "state"),
    ("since", "imposed_at"),
];

const ROWS: &[Column] = &[
    ("restriction", "restriction_id"),
    ("AccessKey", "access_key_id"),
    ("account", "account_id"),
    ("user", "user_name"),
    ("pair", "key_status"),
    ("state", "state"),
    ("cause", "cause"),
    ("imposed", "imposed_at"),
    ("owner told", "told_at"),
    ("widened", "widened_at"),
    ("confirmed", "remediated_at"),
    ("confirmed by", "confirmed_by"),
    ("ticket", "ticket"),
    ("lifted", "lifted_at"),
    ("lifted by", "lifted_by"),
    ("approved by", "approved_by"),
    ("closed as", "closing"),
    ("reason", "lift_reason"),
];

const REPORTS: &[Column] = &[
    ("reported", "reported_at"),
    ("source", "source"),
    ("proof", "proof"),
    ("where", "url"),
    ("first seen", "first_seen"),
];

const EVENTS: &[Column] = &[
    ("when", "at"),
    ("what", "event"),
    ("who", "by"),
    ("", "detail"),
];

impl Command {
    fn connection(&self) -> &Connection {
        match self {
            Self::List { connection, .. }
            | Self::Show { connection, .. }
            | Self::Timeline { connection, .. }
            | Self::Watch { connection, .. }
            | Self::Impose { connection, .. }
            | Self::Confirm { connection, .. }
            | Self::Lift { connection, .. } => connection,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// That of the outputs.
pub fn run(command: &Command, out: &mut impl Write, err: &mut impl Write) -> io::Result<Exit> {
    let connection = command.connection();
    over_api(
        connection,
        out,
        err,
        async |client, shown, err| match command {
            Command::List {
                search,
                state,
                key,
                account,
                limit,
                ..
            } => {
                let given = [
                    ("q", search.clone()),
                    ("state", state.clone()),
                    ("access_key_id", key.clone()),
                    ("account_id", account.clone()),
                ];
                let what = List {
                    path: "restrictions",
                    member: "restrictions",
                    columns: COLUMNS,
                    none: "No restriction is like that.",
                };
                list(client, shown, &what, given, *limit).await
            }
            Command::Watch { key, count, .. } => {
                watch::run(client, shown, err, key.as_deref(), *count).await
            }
            Command::Show { id, .. } => show(shown, &find(client, id).await?),
            Command::Timeline { id, limit, .. } => {
                let found = find(client, id).await?;
                let path = format!("restrictions/{}/timeline", member(&found, "restriction_id"));
                let asked = [("page_size", limit.to_string())];
                let history = client.get(&path, &asked).await?;
                let none = Vec::new();
                let events = history.get("events").and_then(Value::as_array);
                shown.list(events.unwrap_or(&none), EVENTS, "Nothing happened.", None)?;
                Ok(Exit::Ok)
            }
            Command::Impose {
                key,
                source,
                reference,
                url,
                yes,
                ..
            } => {
                if !agreed(&format!("Restrict {key}?"), *yes, err)? {
                    return Ok(Exit::Usage);
                }
                let report = json!({
                    "access_key_id": key,
                    "source": source,
                    "reference": reference,
                    "url": url,
                });
                let receipt = client.post("leak-reports", &report).await?;
                say_enforced(&receipt, "of this key", err)?;
                let id = member(&receipt, "restriction_id");
                let path = format!("restrictions/{id}");
                show(shown, &client.get(&path, &[]).await?)
            }
            Command::Confirm { id, ticket, .. } => {
                let found = find(client, id).await?;
                let path = format!("restrictions/{}:confirm", member(&found, "restriction_id"));
                show(
                    shown,
                    &client.post(&path, &json!({ "ticket": ticket })).await?,
                )
            }
            Command::Lift { .. } => lift(client, shown, command, err).await,
        },
    )
}

fn show<W: Write>(shown: &mut Shown<'_, W>, restriction: &Value) -> Result<Exit, ApiFault> {
    shown.one(restriction, ROWS)?;
    if shown.output == Output::Table {
        let none = Vec::new();
        let reports = restriction.get("reports").and_then(Value::as_array);
        shown.list(
            reports.unwrap_or(&none),
            REPORTS,
            "No report led to it.",
            None,
        )?;
    }
    Ok(Exit::Ok)
}

async fn lift<W: Write>(
    client: &Client,
    shown: &mut Shown<'_, W>,
    command: &Command,
    err: &mut impl Write,
) -> Result<Exit, ApiFault> {
    let Command::Lift {
        id,
        closing,
        reason,
        accept_active_key,
        accept_no_confirmation,
        dry_run,
        yes,
        ..
    } = command
    else {
        return Ok(Exit::Usage);
    };
    let found = find(client, id).await?;
    if *dry_run {
        show(shown, &found)?;
        writeln!(
            err,
            "This would be lifted as {}; nothing was changed.",
            closing.as_str()
        )?;
        return Ok(Exit::Ok);
    }
    let key = member(&found, "access_key_id");
    if !agreed(&format!("Lift the restriction of {key}?"), *yes, err)? {
        return Ok(Exit::Usage);
    }
    let body = json!({
        "closing": closing,
        "reason": reason,
        "accept_active_key": accept_active_key,
        "accept_no_confirmation": accept_no_confirmation,
    });
    let path = format!("restrictions/{}:lift", member(&found, "restriction_id"));
    let answer = client.post(&path, &body).await?;
    match answer.get("approval_id") {
        Some(_) => answer_or_waiting(shown, err, &answer, ROWS),
        None => show(shown, &answer),
    }
}

/// A restriction by its id, or by its key: the one in force, else the last.
async fn find(client: &Client, id: &str) -> Result<Value, ApiFault> {
    if uuid::Uuid::parse_str(id).is_ok() {
        return client.get(&format!("restrictions/{id}"), &[]).await;
    }
    let asked = [
        ("access_key_id", id.to_owned()),
        ("page_size", "1".to_owned()),
    ];
    let mut page = client.get("restrictions", &asked).await?;
    let found = page.pointer_mut("/restrictions/0").map(Value::take);
    found.ok_or_else(|| ApiFault::NotFound(format!("`{id}` has no restriction.")))
}
