//! `akgate restrictions watch`: follows changes of restrictions.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    time::Duration,
};

use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::{
    client::{AdminClient, ApiFault},
    format::OutputFormat,
    output::{OutputPrinter, format_cell},
};
use crate::command::CommandExit;
use akgate_api::audit::AuditRecord;

/// How often the audit log is polled.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How many of the newest records are read each time: enough to include one that commits late.
const RECORD_WINDOW: usize = 200;

/// Prints new audit records, one line each, until `count` of them or until interrupted. Reports once that the server
/// does not answer, and keeps trying.
pub(super) async fn watch_restrictions<W: Write>(
    client: &AdminClient,
    shown: &mut OutputPrinter<'_, W>,
    err: &mut impl Write,
    key: Option<&str>,
    count: Option<u32>,
) -> Result<CommandExit, ApiFault> {
    let mut seen: BTreeSet<i64> = fetch_records(client, key).await?.into_keys().collect();
    let mut printed = 0;
    let mut is_silent = false;
    writeln!(err, "Watching; press Ctrl-C to stop.")?;
    loop {
        tokio::time::sleep(POLL_INTERVAL).await;
        let newest = match fetch_records(client, key).await {
            Ok(newest) => newest,
            Err(fault @ ApiFault::NoAnswer { .. }) => {
                if !std::mem::replace(&mut is_silent, true) {
                    writeln!(err, "{fault}: retrying")?;
                }
                continue;
            }
            Err(fault) => return Err(fault),
        };
        if std::mem::replace(&mut is_silent, false) {
            writeln!(err, "The server responds again.")?;
        }
        for (id, record) in &newest {
            if !seen.insert(*id) {
                continue;
            }
            let read = AuditRecord::deserialize(record)?;
            let Some(restriction_id) = read.restriction_id else {
                continue;
            };
            print_record(shown, record, &read, restriction_id)?;
            printed += 1;
            if count.is_some_and(|count| printed >= count) {
                return Ok(CommandExit::Ok);
            }
        }
        while seen.len() > RECORD_WINDOW * 2 {
            seen.pop_first();
        }
    }
}

/// The newest records, the oldest of them first.
async fn fetch_records(
    client: &AdminClient,
    key: Option<&str>,
) -> Result<BTreeMap<i64, Value>, ApiFault> {
    let mut asked = vec![("page_size", RECORD_WINDOW.to_string())];
    asked.extend(key.map(|key| ("access_key_id", key.to_owned())));
    let mut page = client.get("audit", &asked).await?;
    let records = page.get_mut("records").map(Value::take);
    let records = match records {
        Some(Value::Array(records)) => records,
        _ => Vec::new(),
    };
    let numbered = records.into_iter().filter_map(|record| {
        let id = record.get("audit_id").and_then(Value::as_i64)?;
        Some((id, record))
    });
    Ok(numbered.collect())
}

fn print_record<W: Write>(
    shown: &mut OutputPrinter<'_, W>,
    record: &Value,
    read: &AuditRecord,
    restriction_id: Uuid,
) -> Result<(), ApiFault> {
    match shown.output {
        OutputFormat::Json => writeln!(shown.out, "{record}")?,
        OutputFormat::Yaml => {
            writeln!(shown.out, "---")?;
            shown.one(record, &[])?;
        }
        OutputFormat::Table => {
            let at = format_cell(record.get("at"));
            writeln!(
                shown.out,
                "{at}  {:<16} {:<24} {:<24} {restriction_id}",
                read.action,
                read.access_key_id.as_deref().unwrap_or_default(),
                read.actor,
            )?;
        }
    }
    shown.out.flush()?;
    Ok(())
}
