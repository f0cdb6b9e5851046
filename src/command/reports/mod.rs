//! `akgate reports`: imports findings of scanners; the other commands use the admin API.

mod impact;
mod import;

use std::io::{self, Write};

use clap::Subcommand;

use super::{CommandExit, api, node::run_on_node};

/// Import findings of scanners, list reports, undo a delivery
#[derive(Debug, Clone, Subcommand)]
pub enum ReportsCommand {
    /// Import a report file: proven findings restrict keys, the others are kept as suspicions
    ///
    /// Formats: gitleaks JSON, SARIF, TruffleHog NDJSON, CSV with a header line, or NDJSON. The format is detected;
    /// override it with `--format`. Fields of CSV and NDJSON: access_key_id, access_key_secret (at least one of the two),
    /// url, commit, path, first_seen (RFC 3339). An AccessKeyId alone restricts nothing. Importing a file twice changes
    /// nothing. To resume an interrupted import, import the whole file again with --delivery. Exit status: 3 if some of the
    /// file could not be read.
    Import(import::ImportArgs),
    /// Commands that use the admin API
    #[command(flatten)]
    OverApi(api::WithConnection<api::reports::ReportsApiCommand>),
}

/// Runs the command. Exit status 0 if everything was read, 3 if some of it was not, 1 if it ended early.
///
/// # Errors
/// An output cannot be written to.
pub fn run_reports(
    command: &ReportsCommand,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<CommandExit> {
    match command {
        ReportsCommand::Import(args) => {
            run_on_node(&args.settings, &[], err, async |config, err| {
                import::run_import(config, args, out, err).await
            })
        }
        ReportsCommand::OverApi(command) => command.run(out, err),
    }
}
