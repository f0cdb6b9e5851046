//! `akgate approvals`: changes that need a second operator.

use std::io::Write;

use clap::Subcommand;
use serde_json::json;
use uuid::Uuid;

use super::{
    answers::{APPROVAL_ROWS, ListSpec, print_enforced, print_list},
    client::{AdminClient, ApiFault},
    command::ApiCommand,
    output::{Column, OutputPrinter},
};
use crate::command::CommandExit;

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
    },
    /// Show one approval
    Show {
        /// The approval
        id: Uuid,
    },
    /// Approve another operator's request; the change is made at once
    Approve {
        /// The approval
        id: Uuid,
        /// A remark for the audit log
        #[arg(long)]
        remark: Option<String>,
    },
    /// Reject another operator's request
    Reject {
        /// The approval
        id: Uuid,
        /// The reason, for the requester
        #[arg(long)]
        remark: String,
    },
    /// Withdraw your own request
    Withdraw {
        /// The approval
        id: Uuid,
    },
}

const COLUMNS: &[Column] = &[
    ("approval", "approval_id"),
    ("change", "kind"),
    ("AccessKey", "access_key_id"),
    ("requester", "requested_by"),
    ("reason", "reason"),
    ("expires", "expires_at"),
    ("state", "state"),
];

impl ApiCommand for ApprovalsCommand {
    async fn execute<W: Write>(
        &self,
        client: &AdminClient,
        shown: &mut OutputPrinter<'_, W>,
        err: &mut impl Write,
    ) -> Result<CommandExit, ApiFault> {
        let view = match self {
            Self::List { all, limit } => {
                let given = [("state", (!all).then(|| "Pending".to_owned()))];
                let what = ListSpec {
                    path: "approvals",
                    member: "approvals",
                    columns: COLUMNS,
                    none: "No pending approvals.",
                };
                return print_list(client, shown, &what, given, *limit).await;
            }
            Self::Show { id } => client.get(&format!("approvals/{id}"), &[]).await?,
            Self::Approve { id, remark } => {
                let body = json!({ "remark": remark });
                client
                    .post(&format!("approvals/{id}:approve"), &body)
                    .await?
            }
            Self::Reject { id, remark } => {
                let body = json!({ "remark": remark });
                client
                    .post(&format!("approvals/{id}:reject"), &body)
                    .await?
            }
            Self::Withdraw { id } => {
                client
                    .post(&format!("approvals/{id}:withdraw"), &json!({}))
                    .await?
            }
        };
        print_enforced(&view, "of restricted keys", err)?;
        shown.one(&view, APPROVAL_ROWS)?;
        Ok(CommandExit::Ok)
    }
}
