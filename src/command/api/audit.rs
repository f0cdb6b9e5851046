//! `akgate audit`: who did what.

use std::io::{self, Write};

use uuid::Uuid;

use super::{
    CommandExit, Connection, ListSpec, print_list, run_over_api as over_api, shown::Column,
};

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
    /// The akgate to use
    #[command(flatten)]
    connection: Connection,
}

pub(super) const AUDIT_COLUMNS: &[Column] = &[
    ("when", "at"),
    ("what", "action"),
    ("who", "actor"),
    ("AccessKey", "access_key_id"),
    ("", "detail"),
];

/// Runs the command.
///
/// # Errors
/// That of the outputs.
pub fn run_audit(
    args: &AuditArgs,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<CommandExit> {
    let connection = &args.connection;
    over_api(connection, out, err, async |client, shown, _| {
        let given = [
            ("actor", args.by.clone()),
            ("action", args.action.clone()),
            ("access_key_id", args.key.clone()),
            ("restriction_id", args.restriction.map(|id| id.to_string())),
        ];
        let what = ListSpec {
            path: "audit",
            member: "records",
            columns: AUDIT_COLUMNS,
            none: "No matching records.",
        };
        print_list(client, shown, &what, given, args.limit).await
    })
}
