//! `akgate events`: what other programs were told.

use std::io::{self, Write};

use clap::Subcommand;
use serde_json::json;

use super::{Connection, Exit, List, client::segment, list, run as over_api, shown::Column};

/// Look at what other programs were told, and try again what a hook did not take
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// List events, the newest first
    List {
        /// Due, Sent or Buried: given up
        #[arg(long)]
        state: Option<String>,
        /// For this hook
        #[arg(long, value_name = "NAME")]
        hook: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
        limit: u16,
        /// Which akgate
        #[command(flatten)]
        connection: Connection,
    },
    /// Try again at once what was given up for a hook
    Revive {
        /// The hook, as it is configured
        hook: String,
        /// Which akgate
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

impl Command {
    fn connection(&self) -> &Connection {
        match self {
            Self::List { connection, .. } | Self::Revive { connection, .. } => connection,
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
        async |client, shown, _| match command {
            Command::List {
                state, hook, limit, ..
            } => {
                let given = [("state", state.clone()), ("hook", hook.clone())];
                let what = List {
                    path: "events",
                    member: "events",
                    columns: COLUMNS,
                    none: "No event is like that.",
                };
                list(client, shown, &what, given, *limit).await
            }
            Command::Revive { hook, .. } => {
                let path = format!("hooks/{}:revive", segment(hook));
                let revived = client.post(&path, &json!({})).await?;
                shown.one(&revived, &[("events that are tried again", "events")])?;
                Ok(Exit::Ok)
            }
        },
    )
}
