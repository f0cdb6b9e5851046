//! `akgate restrictions`: from the queue to the lift.

use std::io::{self, Write};

use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    ApiFault, Client, Connection, Exit, List, agreed, answer_or_waiting, list, run as over_api,
    say_enforced,
    shown::{Column, Output, Shown},
    watch,
};
use akgate_api::{leak_reports::LeakReportReceipt, restrictions::RestrictionView};
use akgate_rules::restriction::Closing;

/// List, impose, confirm and lift restrictions
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// List restrictions, newest first
    List {
        /// Only those where one of these begins with this text: the AccessKey, its account or user, the ticket, the source's
        /// reference, the URL where it was found
        search: Option<String>,
        /// Imposed, Remediated or Lifted
        #[arg(long)]
        state: Option<String>,
        /// Only those of this AccessKey
        #[arg(long, value_name = "ID")]
        key: Option<String>,
        /// Only those of this account
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// Maximum number of rows
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
        limit: u16,
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
    /// Show one restriction with its leak reports
    Show {
        /// The restriction, or its AccessKey
        id: String,
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
    /// Show the events of a restriction, in order
    Timeline {
        /// The restriction, or its AccessKey
        id: String,
        /// Maximum number of events; the newest are shown
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
    /// Follow changes of restrictions, one line each; Ctrl-C to stop
    Watch {
        /// Only those of this AccessKey
        #[arg(long, value_name = "ID")]
        key: Option<String>,
        /// Stop after this number of changes
        #[arg(long)]
        count: Option<u32>,
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
    /// Restrict an AccessKey, proven leaked or not
    Impose {
        /// The AccessKey
        key: String,
        /// Who found it
        #[arg(long)]
        source: String,
        /// The source's own id of the finding; the same id counts once
        #[arg(long)]
        reference: String,
        /// Where it was found
        #[arg(long)]
        url: Option<String>,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
    /// Record an owner's confirmation that did not come through the link in the letter
    Confirm {
        /// The restriction, or its AccessKey
        id: String,
        /// The number of the ticket in which the owner confirmed
        #[arg(long)]
        ticket: String,
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
    /// Lift a restriction; without confirmation, or if the key is still active, a second operator must approve
    Lift {
        /// The restriction, or its AccessKey
        id: String,
        /// The resolution: Rotated, Disabled, Deleted, FalsePositive, UsedInTests or AcceptedRisk
        #[arg(long, value_parser = closing)]
        closing: Closing,
        /// The reason in your words, for the audit log
        #[arg(long)]
        reason: String,
        /// Lift although the key is still active: needs approval
        #[arg(long)]
        accept_active_key: bool,
        /// Lift although the owner has not confirmed: needs approval
        #[arg(long)]
        accept_no_confirmation: bool,
        /// Only show what would be lifted
        #[arg(long)]
        dry_run: bool,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
}

fn closing(text: &str) -> Result<Closing, String> {
    let named = |closing: &Closing| closing.as_str().eq_ignore_ascii_case(text);
    Closing::ALL
        .into_iter()
        .find(named)
        .ok_or_else(|| format!("must be one of {}", Closing::NAMES.join(", ")))
}

const COLUMNS: &[Column] = &[
    ("restriction", "restriction_id"),
    ("AccessKey", "access_key_id"),
    ("account", "account_id"),
    ("user", "user_name"),
    ("key status", "key_status"),
    ("state", "state"),
    ("since", "imposed_at"),
];

const ROWS: &[Column] = &[
    ("restriction", "restriction_id"),
    ("AccessKey", "access_key_id"),
    ("account", "account_id"),
    ("user", "user_name"),
    ("key status", "key_status"),
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
    ("resolution", "closing"),
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
                    none: "No matching restrictions.",
                };
                list(client, shown, &what, given, *limit).await
            }
            Command::Watch { key, count, .. } => {
                watch::run(client, shown, err, key.as_deref(), *count).await
            }
            Command::Show { id, .. } => show(shown, &find(client, id).await?.1),
            Command::Timeline { id, limit, .. } => {
                let (found, _) = find(client, id).await?;
                let path = format!("restrictions/{}/timeline", found.restriction_id);
                let asked = [("page_size", limit.to_string())];
                let history = client.get(&path, &asked).await?;
                let none = Vec::new();
                let events = history.get("events").and_then(Value::as_array);
                shown.list(events.unwrap_or(&none), EVENTS, "No events.", None)?;
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
                let receipt = LeakReportReceipt::deserialize(receipt)?;
                let path = format!("restrictions/{}", receipt.restriction_id);
                show(shown, &client.get(&path, &[]).await?)
            }
            Command::Confirm { id, ticket, .. } => {
                let (found, _) = find(client, id).await?;
                let path = format!("restrictions/{}:confirm", found.restriction_id);
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
        shown.list(reports.unwrap_or(&none), REPORTS, "No reports.", None)?;
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
    let (found, answer) = find(client, id).await?;
    if *dry_run {
        show(shown, &answer)?;
        writeln!(
            err,
            "Dry run: this would be lifted with the resolution {}.",
            closing.as_str()
        )?;
        return Ok(Exit::Ok);
    }
    let key = &found.access_key_id;
    if !agreed(&format!("Lift the restriction of {key}?"), *yes, err)? {
        return Ok(Exit::Usage);
    }
    let body = json!({
        "closing": closing,
        "reason": reason,
        "accept_active_key": accept_active_key,
        "accept_no_confirmation": accept_no_confirmation,
    });
    let path = format!("restrictions/{}:lift", found.restriction_id);
    let answer = client.post(&path, &body).await?;
    match answer.get("approval_id") {
        Some(_) => answer_or_waiting(shown, err, &answer, ROWS),
        None => show(shown, &answer),
    }
}

/// A restriction by its id, or by its key: the one in force, else the last. Given as it is read, and as it was answered.
async fn find(client: &Client, id: &str) -> Result<(RestrictionView, Value), ApiFault> {
    let answer = find_answer(client, id).await?;
    Ok((RestrictionView::deserialize(&answer)?, answer))
}

async fn find_answer(client: &Client, id: &str) -> Result<Value, ApiFault> {
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
