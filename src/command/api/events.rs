//! `akgate events`: what other programs were told.

use std::io::{self, Write};

use clap::Subcommand;
use serde_json::json;

use super::{
    CommandExit, Connection, ListSpec, client::path_segment, print_list, run_over_api as over_api,
    shown::Column,
};

/// List the events sent to other programs, and retry failed ones
#[derive(Debug, Clone, Subcommand)]
pub enum EventsCommand {
    /// List events, newest first
    List {
        /// Due, Sent or Failed
        #[arg(long)]
        state: Option<String>,
        /// Only those for this hook
        #[arg(long, value_name = "NAME")]
        hook: Option<String>,
        /// Maximum number of rows
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
        limit: u16,
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
    /// Retry the failed events of a hook now
    Retry {
        /// The name of the hook in the configuration
        hook: String,
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
}

const COLUMNS: &[Column] = &[
    ("event", "audit_id"),
    ("tells", "kind"),
    ("AccessKey", "access_key_id"),
    ("to", "hook"),
    ("state", "state"),
    ("attempts", "attempts"),
    ("happened", "at"),
    ("last error", "last_error"),
];

impl EventsCommand {
    fn connection(&self) -> &Connection {
        match self {
            Self::List { connection, .. } | Self::Retry { connection, .. } => connection,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// That of the outputs.
pub fn run_events(
    command: &EventsCommand,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<CommandExit> {
    let connection = command.connection();
    over_api(
        connection,
        out,
        err,
        async |client, shown, _| match command {
            EventsCommand::List {
                state, hook, limit, ..
            } => {
                let given = [("state", state.clone()), ("hook", hook.clone())];
                let what = ListSpec {
                    path: "events",
                    member: "events",
                    columns: COLUMNS,
                    none: "No matching events.",
                };
                print_list(client, shown, &what, given, *limit).await
            }
            EventsCommand::Retry { hook, .. } => {
                let path = format!("hooks/{}:retry", path_segment(hook));
                let retried = client.post(&path, &json!({})).await?;
                shown.one(&retried, &[("retried events", "events")])?;
                Ok(CommandExit::Ok)
            }
        },
    )
}
