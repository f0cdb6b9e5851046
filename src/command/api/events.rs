//! `akgate events`: the events for other programs.

use std::io::Write;

use clap::Subcommand;
use serde_json::json;

use super::{
    answers::{ListSpec, print_list},
    client::{AdminClient, ApiFault, path_segment},
    command::ApiCommand,
    output::{Column, OutputPrinter},
};
use crate::command::CommandExit;

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
    },
    /// Retry the failed events of a hook now
    Retry {
        /// The name of the hook in the configuration
        hook: String,
    },
}

const COLUMNS: &[Column] = &[
    ("event", "audit_id"),
    ("kind", "kind"),
    ("AccessKey", "access_key_id"),
    ("hook", "hook"),
    ("state", "state"),
    ("attempts", "attempts"),
    ("time", "at"),
    ("last error", "last_error"),
];

impl ApiCommand for EventsCommand {
    async fn execute<W: Write>(
        &self,
        client: &AdminClient,
        shown: &mut OutputPrinter<'_, W>,
        _: &mut impl Write,
    ) -> Result<CommandExit, ApiFault> {
        match self {
            Self::List { state, hook, limit } => {
                let given = [("state", state.clone()), ("hook", hook.clone())];
                let what = ListSpec {
                    path: "events",
                    member: "events",
                    columns: COLUMNS,
                    none: "No matching events.",
                };
                print_list(client, shown, &what, given, *limit).await
            }
            Self::Retry { hook } => {
                let path = format!("hooks/{}:retry", path_segment(hook));
                let retried = client.post(&path, &json!({})).await?;
                shown.one(&retried, &[("retried events", "events")])?;
                Ok(CommandExit::Ok)
            }
        }
    }
}
