//! `akgate approvals`: what takes two people.

use std::io::{self, Write};

use clap::Subcommand;
use serde_json::json;
use uuid::Uuid;

use super::{Connection, Exit, List, list, run as over_api, say_enforced, shown::Column};

/// Decide what takes two people: one asks, another approves
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// List what waits for a second operator
    List {
        /// What is over as well
        #[arg(long)]
        all: bool,
        /// At most so many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
        limit: u16,
        /// Which akgate
        #[command(flatten)]
        connection: Connection,
    },
    /// Show one request
    Show {
        /// The request
        id: Uuid,
        /// Which akgate
        #[command(flatten)]
        connection: Connection,
    },
    /// Approve of another operator's request: it is done at once
    Approve {
        /// The request
        id: Uuid,
        /// For the record
        #[arg(long)]
        remark: Option<String>,
        /// Which akgate
        #[command(flatten)]
        connection: Connection,
    },
    /// Reject another operator's request
    Reject {
        /// The request
        id: Uuid,
        /// Why, for who asked
        #[arg(long)]
        remark: String,
        /// Which akgate
        #[command(flatten)]
        connection: Connection,
    },
    /// Take your own request back
    Withdraw {
        /// The request
        id: Uuid,
        /// Which akgate
        #[command(flatten)]
        connection: Connection,
    },
}

const COLUMNS: &[Column] = &[
    ("request", "approval_id"),
    ("what", "kind"),
    ("AccessKey", "access_key_id"),
    ("asked by", "asked_by"),
    ("reason", "reason"),
    ("until", "expires_at"),
    ("state", "state"),
];

pub(super) const ROWS: &[Column] = &[
    ("request", "approval_id"),
    ("what", "kind"),
    ("of", "subject_id"),
    ("AccessKey", "access_key_id"),
    ("how", "request"),
    ("reason", "reason"),
    ("asked by", "asked_by"),
    ("asked", "asked_at"),
    ("until", "expires_at"),
    ("state", "state"),
    ("decided by", "decided_by"),
    ("decided", "decided_at"),
    ("remark", "remark"),
];

impl Command {
    fn connection(&self) -> &Connection {
        match self {
            Self::List { connection, .. }
            | Self::Show { connection, .. }
            | Self::Approve { connection, .. }
            | Self::Reject { connection, .. }
            | Self::Withdraw { connection, .. } => connection,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// That of the outputs.
pub fn run(command: &Command, out: &mut impl Write, err: &mut impl Write) -> io::Result<Exit> {
    let connection = command.connection();
    over_api(connection, out, err, async |client, shown, err| {
        let view = match command {
            Command::List { all, limit, .. } => {
                let given = [("state", (!all).then(|| "Waiting".to_owned()))];
                let what = List {
                    path: "approvals",
                    member: "approvals",
                    columns: COLUMNS,
                    none: "Nothing waits for a second operator.",
                };
                return list(client, shown, &what, given, *limit).await;
            }
            Command::Show { id, .. } => client.get(&format!("approvals/{id}"), &[]).await?,
            Command::Approve { id, remark, .. } => {
                let body = json!({ "remark": remark });
                client
                    .post(&format!("approvals/{id}:approve"), &body)
                    .await?
            }
            Command::Reject { id, remark, .. } => {
                let body = json!({ "remark": remark });
                client
                    .post(&format!("approvals/{id}:reject"), &body)
                    .await?
            }
            Command::Withdraw { id, .. } => {
                client
                    .post(&format!("approvals/{id}:withdraw"), &json!({}))
                    .await?
            }
        };
        say_enforced(&view, "of restricted keys", err)?;
        shown.one(&view, ROWS)?;
        Ok(Exit::Ok)
    })
}
