//! `akgate approvals`: what takes two people.

use std::io::{self, Write};

use clap::Subcommand;
use serde_json::json;
use uuid::Uuid;

use super::{
    CommandExit, Connection, ListSpec, print_enforced, print_list, run_over_api as over_api,
    shown::Column,
};

/// Approve or reject changes that need a second operator
#[derive(Debug, Clone, Subcommand)]
pub enum ApprovalsCommand {
    /// List pending approvals
    List {
        /// Include approvals that are no longer pending
        #[arg(long)]
        all: bool,
        /// Maximum number of rows
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
        limit: u16,
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
    /// Show one approval
    Show {
        /// The approval
        id: Uuid,
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
    /// Approve another operator's request; the change is made at once
    Approve {
        /// The approval
        id: Uuid,
        /// A remark for the audit log
        #[arg(long)]
        remark: Option<String>,
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
    /// Reject another operator's request
    Reject {
        /// The approval
        id: Uuid,
        /// The reason, for the requester
        #[arg(long)]
        remark: String,
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
    /// Withdraw your own request
    Withdraw {
        /// The approval
        id: Uuid,
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
}

const COLUMNS: &[Column] = &[
    ("approval", "approval_id"),
    ("what", "kind"),
    ("AccessKey", "access_key_id"),
    ("requester", "requested_by"),
    ("reason", "reason"),
    ("until", "expires_at"),
    ("state", "state"),
];

pub(super) const APPROVAL_ROWS: &[Column] = &[
    ("approval", "approval_id"),
    ("what", "kind"),
    ("of", "subject_id"),
    ("AccessKey", "access_key_id"),
    ("how", "request"),
    ("reason", "reason"),
    ("requester", "requested_by"),
    ("requested", "requested_at"),
    ("until", "expires_at"),
    ("state", "state"),
    ("decided by", "decided_by"),
    ("decided", "decided_at"),
    ("remark", "remark"),
];

impl ApprovalsCommand {
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
pub fn run_approvals(
    command: &ApprovalsCommand,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<CommandExit> {
    let connection = command.connection();
    over_api(connection, out, err, async |client, shown, err| {
        let view = match command {
            ApprovalsCommand::List { all, limit, .. } => {
                let given = [("state", (!all).then(|| "Pending".to_owned()))];
                let what = ListSpec {
                    path: "approvals",
                    member: "approvals",
                    columns: COLUMNS,
                    none: "No pending approvals.",
                };
                return print_list(client, shown, &what, given, *limit).await;
            }
            ApprovalsCommand::Show { id, .. } => {
                client.get(&format!("approvals/{id}"), &[]).await?
            }
            ApprovalsCommand::Approve { id, remark, .. } => {
                let body = json!({ "remark": remark });
                client
                    .post(&format!("approvals/{id}:approve"), &body)
                    .await?
            }
            ApprovalsCommand::Reject { id, remark, .. } => {
                let body = json!({ "remark": remark });
                client
                    .post(&format!("approvals/{id}:reject"), &body)
                    .await?
            }
            ApprovalsCommand::Withdraw { id, .. } => {
                client
                    .post(&format!("approvals/{id}:withdraw"), &json!({}))
                    .await?
            }
        };
        print_enforced(&view, "of restricted keys", err)?;
        shown.one(&view, APPROVAL_ROWS)?;
        Ok(CommandExit::Ok)
    })
}
