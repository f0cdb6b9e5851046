//! `akgate reports list`, `batches`, `undo`: what was found, and taking a delivery back.

use std::io::{self, Write};

use clap::Subcommand;
use serde_json::json;
use uuid::Uuid;

use super::{
    Connection, Exit, List, agreed, answer_or_waiting, list, run as over_api, shown::Column,
};

/// Look at what was found, and take a delivery back
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// List leak reports, the newest first
    List {
        /// Suspected, Secret, Pair or Decided
        #[arg(long)]
        proof: Option<String>,
        /// Of this source
        #[arg(long, value_name = "NAME")]
        source: Option<String>,
        /// Of this AccessKey, or of a session that descends from it
        #[arg(long, value_name = "ID")]
        key: Option<String>,
        /// Of this batch
        #[arg(long, value_name = "ID")]
        batch: Option<Uuid>,
        /// At most so many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
        limit: u16,
        /// Which akgate
        #[command(flatten)]
        connection: Connection,
    },
    /// List what arrived at once: deliveries of webhooks, and imports
    Batches {
        /// At most so many
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
        limit: u16,
        /// Which akgate
        #[command(flatten)]
        connection: Connection,
    },
    /// Take a batch back that was a mistake; of many restrictions a second operator has to approve
    Undo {
        /// The batch
        id: Uuid,
        /// Why, for the audit and the letters
        #[arg(long)]
        reason: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Which akgate
        #[command(flatten)]
        connection: Connection,
    },
}

const REPORTS: &[Column] = &[
    ("reported", "reported_at"),
    ("source", "source"),
    ("AccessKey", "access_key_id"),
    ("proof", "proof"),
    ("where", "url"),
    ("restriction", "restriction_id"),
];

const BATCHES: &[Column] = &[
    ("batch", "delivery_id"),
    ("arrived", "received_at"),
    ("source", "source"),
    ("reports", "reports"),
    ("restrictions", "restrictions"),
    ("undone", "undone_at"),
];

const UNDONE: &[Column] = &[("lifted", "lifted"), ("kept", "kept")];

impl Command {
    fn connection(&self) -> &Connection {
        match self {
            Self::List { connection, .. }
            | Self::Batches { connection, .. }
            | Self::Undo { connection, .. } => connection,
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
        async |client, shown, err| match command {
            Command::List {
                proof,
                source,
                key,
                batch,
                limit,
                ..
            } => {
                let given = [
                    ("proof", proof.clone()),
                    ("source", source.clone()),
                    ("access_key_id", key.clone()),
                    ("delivery_id", batch.map(|id| id.to_string())),
                ];
                let what = List {
                    path: "leak-reports",
                    member: "reports",
                    columns: REPORTS,
                    none: "No report is like that.",
                };
                list(client, shown, &what, given, *limit).await
            }
            Command::Batches { limit, .. } => {
                let what = List {
                    path: "deliveries",
                    member: "deliveries",
                    columns: BATCHES,
                    none: "Nothing has arrived yet.",
                };
                list(client, shown, &what, [], *limit).await
            }
            Command::Undo {
                id, reason, yes, ..
            } => {
                let question = format!("Lift what the batch {id} alone has restricted?");
                if !agreed(&question, *yes, err)? {
                    return Ok(Exit::Usage);
                }
                let path = format!("deliveries/{id}:undo");
                let answer = client.post(&path, &json!({ "reason": reason })).await?;
                answer_or_waiting(shown, err, &answer, UNDONE)
            }
        },
    )
}
