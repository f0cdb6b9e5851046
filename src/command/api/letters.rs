//! `akgate letters list`, `show`, `resend`, `cancel`: the letters to owners.

use std::io::Write;

use clap::Subcommand;
use serde_json::json;
use uuid::Uuid;

use super::{
    answers::{ListSpec, print_list},
    client::{AdminClient, ApiFault},
    command::ApiCommand,
    output::{Column, OutputPrinter},
};
use crate::command::CommandExit;

/// List letters, send one again, or cancel one
#[derive(Debug, Clone, Subcommand)]
pub enum LettersApiCommand {
    /// List letters, newest first
    List {
        /// Due, Sent or Failed
        #[arg(long)]
        state: Option<String>,
        /// Only those about this restriction
        #[arg(long, value_name = "ID")]
        restriction: Option<Uuid>,
        /// Maximum number of rows
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
        limit: u16,
    },
    /// Show one letter, and the result of the last attempt
    Show {
        /// The letter
        id: Uuid,
    },
    /// Send a letter again that was sent or has failed, with current facts
    Resend {
        /// The letter
        id: Uuid,
    },
    /// Cancel a letter that is due
    Cancel {
        /// The letter
        id: Uuid,
        /// The reason, for the audit log
        #[arg(long)]
        reason: String,
    },
}

const COLUMNS: &[Column] = &[
    ("letter", "letter_id"),
    ("kind", "kind"),
    ("recipient", "email"),
    ("state", "state"),
    ("attempts", "attempts"),
    ("created", "created_at"),
    ("last error", "last_error"),
];

const ROWS: &[Column] = &[
    ("letter", "letter_id"),
    ("kind", "kind"),
    ("recipient", "email"),
    ("language", "language"),
    ("restriction", "restriction_id"),
    ("AccessKey", "access_key_id"),
    ("state", "state"),
    ("attempts", "attempts"),
    ("created", "created_at"),
    ("due", "due_at"),
    ("settled", "settled_at"),
    ("last error", "last_error"),
];

impl ApiCommand for LettersApiCommand {
    async fn execute<W: Write>(
        &self,
        client: &AdminClient,
        shown: &mut OutputPrinter<'_, W>,
        _: &mut impl Write,
    ) -> Result<CommandExit, ApiFault> {
        let letter = match self {
            Self::List {
                state,
                restriction,
                limit,
            } => {
                let given = [
                    ("state", state.clone()),
                    ("restriction_id", restriction.map(|id| id.to_string())),
                ];
                let what = ListSpec {
                    path: "letters",
                    member: "letters",
                    columns: COLUMNS,
                    none: "No matching letters.",
                };
                return print_list(client, shown, &what, given, *limit).await;
            }
            Self::Show { id } => client.get(&format!("letters/{id}"), &[]).await?,
            Self::Resend { id } => {
                let path = format!("letters/{id}:resend");
                client.post(&path, &json!({})).await?
            }
            Self::Cancel { id, reason } => {
                let path = format!("letters/{id}:cancel");
                client.post(&path, &json!({ "reason": reason })).await?
            }
        };
        shown.one(&letter, ROWS)?;
        Ok(CommandExit::Ok)
    }
}
