//! `akgate reports list`, `batches`, `undo`: what was found, and taking a delivery back.

use std::io::{self, Write};

use clap::Subcommand;
use serde_json::json;
use uuid::Uuid;

use super::{
    Connection, Exit, List, agreed, answer_or_waiting, list, run as over_api, shown::Column,
};

/// List leak reports and deliveries, undo a delivery
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// List leak reports, newest first
    List {
        /// Suspected, Secret, Pair or Decided
        #[arg(long)]
        proof: Option<String>,
        /// Only those from this source
        #[arg(long, value_name = "NAME")]
        source: Option<String>,
        /// Only those of this AccessKey, or of a session that descends from it
        #[arg(long, value_name = "ID")]
        key: Option<String>,
        /// Only those of this delivery
        #[arg(long, value_name = "ID")]
        batch: Option<Uuid>,
        /// Maximum number of rows
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
        limit: u16,
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
    /// List deliveries: leak reports that arrived together, by webhook or import
    Batches {
        /// Maximum number of rows
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
        limit: u16,
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
    /// Undo a delivery that was a mistake; for many restrictions, a second operator must approve
    Undo {
        /// The delivery
        id: Uuid,
        /// The reason, for the audit log and the letters
        #[arg(long)]
        reason: String,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
        /// The akgate to use
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
    ("delivery", "delivery_id"),
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
                    none: "No matching reports.",
                };
                list(client, shown, &what, given, *limit).await
            }
            Command::Batches { limit, .. } => {
                let what = List {
                    path: "deliveries",
                    member: "deliveries",
                    columns: BATCHES,
                    none: "No deliveries.",
                };
                list(client, shown, &what, [], *limit).await
            }
            Command::Undo {
                id, reason, yes, ..
            } => {
                let question = format!("Lift all restrictions that only delivery {id} led to?");
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
