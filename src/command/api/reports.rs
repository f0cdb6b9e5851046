//! `akgate reports list`, `deliveries`, `undo`: leak reports and deliveries.

use std::io::Write;

use clap::Subcommand;
use serde_json::json;
use uuid::Uuid;

use super::{
    answers::{ListSpec, ask_confirmation, print_list, print_result_or_approval},
    client::{AdminClient, ApiFault},
    command::ApiCommand,
    output::{Column, OutputPrinter},
};
use crate::command::CommandExit;

/// List leak reports and deliveries, undo a delivery
#[derive(Debug, Clone, Subcommand)]
pub enum ReportsApiCommand {
    /// List leak reports, newest first
    List {
        /// Suspected, Secret, IdAndSecret or Decided
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
        delivery: Option<Uuid>,
        /// Maximum number of rows
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
        limit: u16,
    },
    /// List deliveries: leak reports that arrived together, by webhook or import
    Deliveries {
        /// Maximum number of rows
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
        limit: u16,
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
    },
}

const REPORT_COLUMNS: &[Column] = &[
    ("reported", "reported_at"),
    ("source", "source"),
    ("AccessKey", "access_key_id"),
    ("proof", "proof"),
    ("found at", "url+path+commit"),
    ("restriction", "restriction_id"),
];

const DELIVERY_COLUMNS: &[Column] = &[
    ("delivery", "delivery_id"),
    ("arrived", "received_at"),
    ("source", "source"),
    ("reports", "reports"),
    ("restrictions", "restrictions"),
    ("undone", "undone_at"),
];

const UNDONE_ROWS: &[Column] = &[("lifted", "lifted"), ("kept", "kept")];

impl ApiCommand for ReportsApiCommand {
    async fn execute<W: Write>(
        &self,
        client: &AdminClient,
        shown: &mut OutputPrinter<'_, W>,
        err: &mut impl Write,
    ) -> Result<CommandExit, ApiFault> {
        match self {
            Self::List {
                proof,
                source,
                key,
                delivery,
                limit,
            } => {
                let given = [
                    ("proof", proof.clone()),
                    ("source", source.clone()),
                    ("access_key_id", key.clone()),
                    ("delivery_id", delivery.map(|id| id.to_string())),
                ];
                let what = ListSpec {
                    path: "leak-reports",
                    member: "reports",
                    columns: REPORT_COLUMNS,
                    none: "No matching reports.",
                };
                print_list(client, shown, &what, given, *limit).await
            }
            Self::Deliveries { limit } => {
                let what = ListSpec {
                    path: "deliveries",
                    member: "deliveries",
                    columns: DELIVERY_COLUMNS,
                    none: "No deliveries.",
                };
                print_list(client, shown, &what, [], *limit).await
            }
            Self::Undo { id, reason, yes } => {
                let question = format!("Lift all restrictions that only delivery {id} led to?");
                if !ask_confirmation(&question, *yes, err)? {
                    return Ok(CommandExit::Usage);
                }
                let path = format!("deliveries/{id}:undo");
                let answer = client.post(&path, &json!({ "reason": reason })).await?;
                print_result_or_approval(shown, err, &answer, UNDONE_ROWS)
            }
        }
    }
}
