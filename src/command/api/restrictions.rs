//! `akgate restrictions`: lists, imposes, confirms and lifts restrictions.

use std::io::Write;

use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answers::{
        ListSpec, ask_confirmation, list_member, print_enforced, print_list,
        print_result_or_approval,
    },
    client::{AdminClient, ApiFault},
    command::ApiCommand,
    format::OutputFormat,
    output::{Column, OutputPrinter},
    watch,
};
use crate::command::CommandExit;
use crate::command::named_values::parse_any_case;
use akgate_api::{leak_reports::LeakReportReceipt, restrictions::RestrictionView};
use akgate_rules::restriction::Resolution;

/// List, impose, confirm and lift restrictions
#[derive(Debug, Clone, Subcommand)]
pub enum RestrictionsCommand {
    /// List restrictions, newest first
    List {
        /// Only those where one of these begins with this text: the AccessKey, its account or user, the ticket, the source's
        /// reference, the URL where it was found
        search: Option<String>,
        /// Imposed, Confirmed or Lifted
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
    },
    /// Show one restriction with its leak reports
    Show {
        /// The restriction, or its AccessKey
        id: String,
    },
    /// Show the events of a restriction, in order
    Timeline {
        /// The restriction, or its AccessKey
        id: String,
        /// Maximum number of events; the newest are shown
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
    },
    /// Follow changes of restrictions, one line each; Ctrl-C to stop
    Watch {
        /// Only those of this AccessKey
        #[arg(long, value_name = "ID")]
        key: Option<String>,
        /// Stop after this number of changes
        #[arg(long)]
        count: Option<u32>,
    },
    /// Restrict an AccessKey, with or without proof of a leak
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
    },
    /// Record an owner's confirmation that did not come through the link in the letter
    Confirm {
        /// The restriction, or its AccessKey
        id: String,
        /// The number of the ticket in which the owner confirmed
        #[arg(long)]
        ticket: String,
    },
    /// List what the leaked key made, or what came through that: AccessKeys, sessions, users, roles and everything else
    Descendants {
        /// The restriction, or its AccessKey
        id: String,
        /// Maximum number of rows
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
    },
    /// Restrict all AccessKeys and sessions that descend from the leaked key, now and from now on; a second operator must
    /// approve if they are many
    RestrictDescendants {
        /// The restriction, or its AccessKey
        id: String,
        /// The reason in your words, for the audit log
        #[arg(long)]
        reason: String,
        /// Only show what would be restricted
        #[arg(long)]
        dry_run: bool,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
    /// Lift a restriction; a second operator must approve if the owner has not confirmed or the key is still active
    Lift(LiftArgs),
}

/// What `akgate restrictions lift` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct LiftArgs {
    /// The restriction, or its AccessKey
    id: String,
    /// The resolution: Rotated, Disabled, Deleted, FalsePositive, UsedInTests or AcceptedRisk
    #[arg(long, value_parser = parse_any_case::<Resolution>)]
    resolution: Resolution,
    /// The reason in your words, for the audit log
    #[arg(long)]
    reason: String,
    /// Lift although the key is still active; needs an approval
    #[arg(long)]
    accept_active_key: bool,
    /// Lift although the owner has not confirmed; needs an approval
    #[arg(long)]
    accept_no_confirmation: bool,
    /// Also lift what is restricted because it descends from the key; needs an approval
    #[arg(long)]
    with_descendants: bool,
    /// Only show what would be lifted
    #[arg(long)]
    dry_run: bool,
    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
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
    ("descends from", "ancestor_restriction_id"),
    ("reaches descendants since", "descendants_since"),
    ("imposed", "imposed_at"),
    ("owner notified", "notified_at"),
    ("widened", "widened_at"),
    ("confirmed", "confirmed_at"),
    ("confirmed by", "confirmed_by"),
    ("ticket", "ticket"),
    ("lifted", "lifted_at"),
    ("lifted by", "lifted_by"),
    ("approved by", "approved_by"),
    ("resolution", "resolution"),
    ("reason", "lift_reason"),
];

const REPORT_COLUMNS: &[Column] = &[
    ("reported", "reported_at"),
    ("source", "source"),
    ("proof", "proof"),
    ("found at", "url+path+commit"),
    ("first seen", "first_seen"),
];

const DESCENDANT_COLUMNS: &[Column] = &[
    ("made", "made_at"),
    ("kind", "kind"),
    ("id", "id"),
    ("user", "user_name"),
    ("status", "status"),
    ("distance", "distance"),
    ("made by", "made_by"),
    ("restriction", "restriction"),
];

const EVENT_COLUMNS: &[Column] = &[
    ("time", "at"),
    ("event", "event"),
    ("actor", "by"),
    ("details", "detail"),
];

impl ApiCommand for RestrictionsCommand {
    async fn execute<W: Write>(
        &self,
        client: &AdminClient,
        shown: &mut OutputPrinter<'_, W>,
        err: &mut impl Write,
    ) -> Result<CommandExit, ApiFault> {
        match self {
            Self::List {
                search,
                state,
                key,
                account,
                limit,
            } => {
                let given = [
                    ("q", search.clone()),
                    ("state", state.clone()),
                    ("access_key_id", key.clone()),
                    ("account_id", account.clone()),
                ];
                let what = ListSpec {
                    path: "restrictions",
                    member: "restrictions",
                    columns: COLUMNS,
                    none: "No matching restrictions.",
                };
                print_list(client, shown, &what, given, *limit).await
            }
            Self::Watch { key, count } => {
                watch::watch_restrictions(client, shown, err, key.as_deref(), *count).await
            }
            Self::Show { id } => print_restriction(shown, &find_restriction(client, id).await?.1),
            Self::Timeline { id, limit } => {
                let (found, _) = find_restriction(client, id).await?;
                let path = format!("restrictions/{}/timeline", found.restriction_id);
                let asked = [("page_size", limit.to_string())];
                let history = client.get(&path, &asked).await?;
                let events = list_member(&history, "events");
                shown.list(events, EVENT_COLUMNS, "No events.", None)?;
                Ok(CommandExit::Ok)
            }
            Self::Impose {
                key,
                source,
                reference,
                url,
                yes,
            } => {
                if !ask_confirmation(&format!("Restrict {key}?"), *yes, err)? {
                    return Ok(CommandExit::Usage);
                }
                let report = json!({
                    "access_key_id": key,
                    "source": source,
                    "reference": reference,
                    "url": url,
                });
                let receipt = client.post("leak-reports", &report).await?;
                print_enforced(&receipt, "of this key", err)?;
                let receipt = LeakReportReceipt::deserialize(receipt)?;
                let path = format!("restrictions/{}", receipt.restriction_id);
                print_restriction(shown, &client.get(&path, &[]).await?)
            }
            Self::Confirm { id, ticket } => {
                let (found, _) = find_restriction(client, id).await?;
                let path = format!("restrictions/{}:confirm", found.restriction_id);
                print_restriction(
                    shown,
                    &client.post(&path, &json!({ "ticket": ticket })).await?,
                )
            }
            Self::Descendants { id, limit } => {
                let (found, _) = find_restriction(client, id).await?;
                let path = format!("restrictions/{}/descendants", found.restriction_id);
                let asked = [("page_size", limit.to_string())];
                let answer = client.get(&path, &asked).await?;
                let descendants = list_member(&answer, "descendants");
                shown.list(descendants, DESCENDANT_COLUMNS, "No descendants.", None)?;
                Ok(CommandExit::Ok)
            }
            Self::RestrictDescendants {
                id,
                reason,
                dry_run,
                yes,
            } => {
                let (found, _) = find_restriction(client, id).await?;
                restrict_descendants(client, shown, &found, reason, *dry_run, *yes, err).await
            }
            Self::Lift(args) => lift_restriction(client, shown, args, err).await,
        }
    }
}

fn print_restriction<W: Write>(
    shown: &mut OutputPrinter<'_, W>,
    restriction: &Value,
) -> Result<CommandExit, ApiFault> {
    shown.one(restriction, ROWS)?;
    if shown.output == OutputFormat::Table {
        let reports = list_member(restriction, "reports");
        shown.list(reports, REPORT_COLUMNS, "No reports.", None)?;
    }
    Ok(CommandExit::Ok)
}

async fn restrict_descendants<W: Write>(
    client: &AdminClient,
    shown: &mut OutputPrinter<'_, W>,
    found: &RestrictionView,
    reason: &str,
    dry_run: bool,
    yes: bool,
    err: &mut impl Write,
) -> Result<CommandExit, ApiFault> {
    let path = format!("restrictions/{}:restrict_descendants", found.restriction_id);
    let rehearsal = json!({ "reason": reason, "dry_run": true });
    let rehearsal = client.post(&path, &rehearsal).await?;
    let ids = list_member(&rehearsal, "restricted");
    let rows: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
    let columns: &[Column] = &[("AccessKey or session", "id")];
    let key = &found.access_key_id;
    if dry_run {
        shown.list(&rows, columns, "Nothing free descends from this key.", None)?;
        let needs = rehearsal.get("needs_approval") == Some(&Value::Bool(true));
        let approval = if needs {
            "; a second operator must approve"
        } else {
            ""
        };
        let count = rows.len();
        writeln!(
            err,
            "Dry run: {count} descendants would be restricted{approval}."
        )?;
        return Ok(CommandExit::Ok);
    }
    let question = format!(
        "Restrict {} descendants of {key}, and all that become known?",
        rows.len()
    );
    if !ask_confirmation(&question, yes, err)? {
        return Ok(CommandExit::Usage);
    }
    let answer = client.post(&path, &json!({ "reason": reason })).await?;
    if answer.get("approval_id").is_some() {
        return print_result_or_approval(shown, err, &answer, ROWS);
    }
    print_enforced(&answer, "of restricted keys", err)?;
    let restricted = list_member(&answer, "restricted");
    let rows: Vec<Value> = restricted.iter().map(|id| json!({ "id": id })).collect();
    shown.list(&rows, columns, "Nothing free descends from this key.", None)?;
    Ok(CommandExit::Ok)
}

async fn lift_restriction<W: Write>(
    client: &AdminClient,
    shown: &mut OutputPrinter<'_, W>,
    args: &LiftArgs,
    err: &mut impl Write,
) -> Result<CommandExit, ApiFault> {
    let LiftArgs {
        id,
        resolution,
        reason,
        accept_active_key,
        accept_no_confirmation,
        with_descendants,
        dry_run,
        yes,
    } = args;
    let (found, answer) = find_restriction(client, id).await?;
    if *dry_run {
        print_restriction(shown, &answer)?;
        writeln!(
            err,
            "Dry run: this would be lifted with the resolution {}.",
            resolution.as_str()
        )?;
        return Ok(CommandExit::Ok);
    }
    let key = &found.access_key_id;
    if !ask_confirmation(&format!("Lift the restriction of {key}?"), *yes, err)? {
        return Ok(CommandExit::Usage);
    }
    let body = json!({
        "resolution": resolution,
        "reason": reason,
        "accept_active_key": accept_active_key,
        "accept_no_confirmation": accept_no_confirmation,
        "with_descendants": with_descendants,
    });
    let path = format!("restrictions/{}:lift", found.restriction_id);
    let answer = client.post(&path, &body).await?;
    match answer.get("approval_id") {
        Some(_) => print_result_or_approval(shown, err, &answer, ROWS),
        None => print_restriction(shown, &answer),
    }
}

/// Finds a restriction by its id or its AccessKey: the one in force, or else the latest. Returns it parsed and as the
/// server sent it.
async fn find_restriction(
    client: &AdminClient,
    id: &str,
) -> Result<(RestrictionView, Value), ApiFault> {
    let answer = find_answer(client, id).await?;
    Ok((RestrictionView::deserialize(&answer)?, answer))
}

async fn find_answer(client: &AdminClient, id: &str) -> Result<Value, ApiFault> {
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
