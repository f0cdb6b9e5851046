//! What the commands share: paging through lists, showing pending approvals, and asking for confirmation before a
//! change.

use std::io::{self, IsTerminal, Write};

use serde::Deserialize;
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    client::{AdminClient, ApiFault},
    output::{Column, OutputPrinter},
};
use crate::command::{CommandExit, enforced};
use akgate_api::{approvals::ApprovalView, receipts::Receipt};

/// The rows that show one approval.
pub(super) const APPROVAL_ROWS: &[Column] = &[
    ("approval", "approval_id"),
    ("change", "kind"),
    ("subject", "subject_id"),
    ("AccessKey", "access_key_id"),
    ("details", "request"),
    ("reason", "reason"),
    ("requester", "requested_by"),
    ("requested", "requested_at"),
    ("expires", "expires_at"),
    ("state", "state"),
    ("decided by", "decided_by"),
    ("decided", "decided_at"),
    ("remark", "remark"),
];

/// Requests confirmation; without a terminal, `--yes` is required.
pub(super) fn ask_confirmation(
    question: &str,
    yes: bool,
    err: &mut impl Write,
) -> io::Result<bool> {
    if yes {
        return Ok(true);
    }
    if !io::stdin().is_terminal() {
        writeln!(
            err,
            "error: {question} Standard input is not a terminal, so nobody can answer."
        )?;
        writeln!(err, "next: repeat the command with --yes to confirm")?;
        return Ok(false);
    }
    write!(err, "{question} [y/N] ")?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

/// A list of the admin API and how to show it.
pub(super) struct ListSpec<'a> {
    pub path: &'a str,
    /// The member of a page that holds the items.
    pub member: &'a str,
    pub columns: &'a [Column],
    /// The message for an empty list.
    pub none: &'a str,
}

/// Shows a list of at most `limit` items, and how to see more if there are more.
pub(super) async fn print_list<W: Write>(
    client: &AdminClient,
    shown: &mut OutputPrinter<'_, W>,
    what: &ListSpec<'_>,
    given: impl IntoIterator<Item = (&'static str, Option<String>)>,
    limit: u16,
) -> Result<CommandExit, ApiFault> {
    let asked = given.into_iter();
    let asked = asked.filter_map(|(name, value)| Some((name, value?)));
    let (found, more) = fetch_pages(
        client,
        what.path,
        asked.collect(),
        what.member,
        limit.into(),
    )
    .await?;
    let more = more.then(|| format!("--limit {}", u32::from(limit) * 2));
    shown.list(&found, what.columns, what.none, more.as_deref())?;
    Ok(CommandExit::Ok)
}

/// The items in a member of an answer; none if the member is missing.
pub(super) fn list_member<'v>(answer: &'v Value, member: &str) -> &'v [Value] {
    let things = answer.get(member).and_then(Value::as_array);
    things.map_or(&[], Vec::as_slice)
}

/// Shows the result, or the approval that waits for a second operator.
pub(super) fn print_result_or_approval<W: Write>(
    shown: &mut OutputPrinter<'_, W>,
    err: &mut impl Write,
    answer: &Value,
    rows: &[Column],
) -> Result<CommandExit, ApiFault> {
    let Ok(approval) = ApprovalView::deserialize(answer) else {
        shown.one(answer, rows)?;
        return Ok(CommandExit::Ok);
    };
    shown.one(answer, APPROVAL_ROWS)?;
    writeln!(
        err,
        "A second operator must approve: akgate approvals approve {}",
        approval.approval_id
    )?;
    Ok(CommandExit::Ok)
}

/// Prints where a change is enforced, and how many calls of `whose` are still in progress.
pub(super) fn print_enforced(answer: &Value, whose: &str, err: &mut impl Write) -> io::Result<()> {
    let receipt = answer.get("receipt").cloned().unwrap_or_default();
    match serde_json::from_value::<Option<Receipt>>(receipt) {
        Ok(Some(receipt)) => writeln!(err, "{}", enforced::format_receipt(&receipt, whose)),
        Ok(None) | Err(_) => Ok(()),
    }
}

/// A time as the API writes it; empty where there is none.
pub(super) fn rfc3339(at: Option<OffsetDateTime>) -> String {
    let text = at.and_then(|at| at.format(&Rfc3339).ok());
    text.unwrap_or_default()
}

/// Reads all pages of a list, at most `limit` items; the flag says whether there are more.
pub(super) async fn fetch_pages(
    client: &AdminClient,
    path: &str,
    mut query: Vec<(&str, String)>,
    member: &str,
    limit: usize,
) -> Result<(Vec<Value>, bool), ApiFault> {
    let mut all = Vec::new();
    loop {
        let size = (limit - all.len()).min(100);
        let mut asked = query.clone();
        asked.push(("page_size", size.to_string()));
        let mut page = client.get(path, &asked).await?;
        let found = page.get_mut(member).map(Value::take);
        all.extend(
            found
                .and_then(|found| match found {
                    Value::Array(found) => Some(found),
                    _ => None,
                })
                .unwrap_or_default(),
        );
        let next = match page.get("next_page_token") {
            None | Some(Value::Null) => return Ok((all, false)),
            Some(_) if all.len() >= limit => return Ok((all, true)),
            Some(Value::String(next)) => next.clone(),
            Some(next) => next.to_string(),
        };
        query.retain(|(name, _)| *name != "page_token");
        query.push(("page_token", next));
    }
}
