//! `akgate letters list`, `show`, `resend`, `cancel`: what owners were written.

use std::io::{self, Write};

use clap::Subcommand;
use serde_json::json;
use uuid::Uuid;

use super::{
    CommandExit, Connection, ListSpec, print_list, run_over_api as over_api, shown::Column,
};

/// List the letters, send one again, or stop one
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
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
    /// Show one letter, and the result of the last attempt
    Show {
        /// The letter
        id: Uuid,
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
    /// Send a letter again that was sent or has failed, with current facts
    Resend {
        /// The letter
        id: Uuid,
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
    /// Stop sending a letter that is due
    Cancel {
        /// The letter
        id: Uuid,
        /// The reason, for the audit log
        #[arg(long)]
        reason: String,
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
}

const COLUMNS: &[Column] = &[
    ("letter", "letter_id"),
    ("tells", "kind"),
    ("to", "email"),
    ("state", "state"),
    ("attempts", "attempts"),
    ("written", "created_at"),
    ("last error", "last_error"),
];

const ROWS: &[Column] = &[
    ("letter", "letter_id"),
    ("tells", "kind"),
    ("to", "email"),
    ("language", "language"),
    ("restriction", "restriction_id"),
    ("AccessKey", "access_key_id"),
    ("state", "state"),
    ("attempts", "attempts"),
    ("written", "created_at"),
    ("due", "due_at"),
    ("settled", "settled_at"),
    ("last error", "last_error"),
];

impl LettersApiCommand {
    fn connection(&self) -> &Connection {
        match self {
            Self::List { connection, .. }
            | Self::Show { connection, .. }
            | Self::Resend { connection, .. }
            | Self::Cancel { connection, .. } => connection,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// That of the outputs.
pub fn run_letters_api(
    command: &LettersApiCommand,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<CommandExit> {
    let connection = command.connection();
    over_api(connection, out, err, async |client, shown, _| {
        let letter = match command {
            LettersApiCommand::List {
                state,
                restriction,
                limit,
                ..
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
            LettersApiCommand::Show { id, .. } => client.get(&format!("letters/{id}"), &[]).await?,
            LettersApiCommand::Resend { id, .. } => {
                let path = format!("letters/{id}:resend");
                client.post(&path, &json!({})).await?
            }
            LettersApiCommand::Cancel { id, reason, .. } => {
                let path = format!("letters/{id}:cancel");
                client.post(&path, &json!({ "reason": reason })).await?
            }
        };
        shown.one(&letter, ROWS)?;
        Ok(CommandExit::Ok)
    })
}
