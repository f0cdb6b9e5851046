//! `akgate audit`: who did what.

use std::io::Write;

use uuid::Uuid;

use super::{
    answers::{ListSpec, print_list},
    client::{AdminClient, ApiFault},
    command::ApiCommand,
    output::{Column, OutputPrinter},
};
use crate::command::CommandExit;

/// List audit records, newest first
#[derive(Debug, Clone, clap::Args)]
pub struct AuditArgs {
    /// Only those by this actor: operator:NAME, contact:ID, source:NAME, policy or akgate
    #[arg(long)]
    by: Option<String>,
    /// Only those of this action: Impose, Lift, AddOperator…
    #[arg(long)]
    action: Option<String>,
    /// Only those about this AccessKey
    #[arg(long, value_name = "ID")]
    key: Option<String>,
    /// Only those about this restriction
    #[arg(long, value_name = "ID")]
    restriction: Option<Uuid>,
    /// Maximum number of rows
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
    limit: u16,
}

pub(super) const AUDIT_COLUMNS: &[Column] = &[
    ("time", "at"),
    ("action", "action"),
    ("actor", "actor"),
    ("AccessKey", "access_key_id"),
    ("details", "detail"),
];

impl ApiCommand for AuditArgs {
    async fn execute<W: Write>(
        &self,
        client: &AdminClient,
        shown: &mut OutputPrinter<'_, W>,
        _: &mut impl Write,
    ) -> Result<CommandExit, ApiFault> {
        let given = [
            ("actor", self.by.clone()),
            ("action", self.action.clone()),
            ("access_key_id", self.key.clone()),
            ("restriction_id", self.restriction.map(|id| id.to_string())),
        ];
        let what = ListSpec {
            path: "audit",
            member: "records",
            columns: AUDIT_COLUMNS,
            none: "No matching records.",
        };
        print_list(client, shown, &what, given, self.limit).await
    }
}
