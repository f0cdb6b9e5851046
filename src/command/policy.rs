//! `akgate policy observed`: the report of nodes that observe before they enforce; the other commands use the admin
//! API.

use std::io::{self, Write};

use clap::{
    Subcommand,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use comfy_table::{ContentArrangement, Table, presets};
use time::Duration;

use super::{CommandExit, api, node::run_on_node, settings::ConfigArgs};
use crate::serve::open_database;
use akgate_api::observations::{ObservationPoint, ObservationReport};
use akgate_state::{
    calls::observed,
    clock::{Clock, SystemClock, format_utc_minute},
    directory::with_timeout,
};

/// Show what the policy refuses or would refuse; switch its mode
#[derive(Debug, Clone, Subcommand)]
pub enum PolicyCommand {
    /// Show the calls that failed verification, and those that would have been refused
    ///
    /// Reported by nodes that run as `akgate serve --observe` or with policy.mode = "shadow".
    Observed {
        /// How many hours to look back
        #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u16).range(1..=8784))]
        hours: u16,
        /// Only calls seen from a mirror, or in the path
        #[arg(long, value_parser = observation_point_parser())]
        observation_point: Option<ObservationPoint>,
        /// Number of rows per table
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
        rows: u16,
        /// Print JSON as the admin API returns it
        #[arg(long)]
        json: bool,
        /// Configuration
        #[command(flatten)]
        settings: ConfigArgs,
    },
    /// Commands that use the admin API
    #[command(flatten)]
    OverApi(api::WithConnection<api::policy::PolicyApiCommand>),
}

fn observation_point_parser() -> impl TypedValueParser<Value = ObservationPoint> {
    let value = |point: ObservationPoint, help| PossibleValue::new(point.as_str()).help(help);
    PossibleValuesParser::new([
        value(
            ObservationPoint::Mirror,
            "Beside the path: it gets copies of calls",
        ),
        value(
            ObservationPoint::Shadow,
            "In the path, with refusals withheld",
        ),
    ])
    .try_map(|name| name.parse::<ObservationPoint>())
}

/// Prints the report.
///
/// # Errors
/// An output cannot be written to.
pub fn run_policy(
    command: &PolicyCommand,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<CommandExit> {
    let (hours, observation_point, rows, json, settings) = match command {
        PolicyCommand::Observed {
            hours,
            observation_point,
            rows,
            json,
            settings,
        } => (*hours, *observation_point, *rows, *json, settings),
        PolicyCommand::OverApi(command) => return command.run(out, err),
    };
    run_on_node(settings, &[], err, async |config, _| {
        let until = SystemClock.now();
        let since = until - Duration::hours(hours.into());
        let pool = open_database(config).await?;
        let timeout = std::time::Duration::from_secs(config.sections.database.timeout_seconds);
        let report =
            observed::read_observation_report(&pool, observation_point, since, until, rows.into());
        let report = with_timeout(timeout, report).await?;
        pool.close().await;
        if json {
            serde_json::to_writer_pretty(&mut *out, &report).map_err(io::Error::from)?;
            writeln!(out)?;
        } else {
            print_report(&report, out)?;
        }
        Ok(CommandExit::Ok)
    })
}

fn print_report(report: &ObservationReport, out: &mut impl Write) -> io::Result<()> {
    let calls = &report.calls;
    writeln!(
        out,
        "{} to {} UTC: {} calls passed, {} would have been refused, {} failed verification, \
         {} under keys that are not in the directory, {} not judged",
        format_utc_minute(report.since),
        format_utc_minute(report.until),
        calls.passed,
        calls.would_be_refused,
        calls.failed,
        calls.not_in_directory,
        calls.not_judged,
    )?;
    if !report.would_be_refused.is_empty() {
        let mut table = new_table(["calls", "action", "AccessKey", "principal", "last"]);
        for row in &report.would_be_refused {
            table.add_row([
                row.calls.to_string(),
                format!("{} {}", row.product, row.action),
                row.access_key_id.clone(),
                row.principal.clone(),
                format_utc_minute(row.last_at),
            ]);
        }
        writeln!(
            out,
            "\nWould have been refused: the AccessKey is restricted\n{table}"
        )?;
    }
    if !report.failed.is_empty() {
        let mut table = new_table(["calls", "error", "action", "AccessKey", "last from"]);
        for row in &report.failed {
            table.add_row([
                row.calls.to_string(),
                format!("{}: {}", row.code, row.reason),
                format!("{} {}", row.product, row.action),
                value_or_several(&row.access_key_id),
                row.last_source_ip.clone(),
            ]);
        }
        writeln!(out, "\nFailed verification\n{table}")?;
    }
    if !report.not_in_directory.is_empty() {
        let mut table = new_table(["calls", "kind", "action", "AccessKey", "last from"]);
        for row in &report.not_in_directory {
            table.add_row([
                row.calls.to_string(),
                row.kind.clone(),
                format!("{} {}", row.product, row.action),
                value_or_several(&row.access_key_id),
                row.last_source_ip.clone(),
            ]);
        }
        writeln!(
            out,
            "\nNot in the directory: created after the last import, or unknown. A mirror sees no responses to learn\n\
             from: `akgate keys import` takes the new keys; sessions are known once akgate is in the path\n{table}"
        )?;
    }
    if report.is_truncated {
        writeln!(out, "\nThere are more rows: see --rows")?;
    }
    Ok(())
}

fn new_table(header: [&str; 5]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header);
    table
}

fn value_or_several(text: &str) -> String {
    match text {
        "" => "(several, or none)".to_owned(),
        text => text.to_owned(),
    }
}
