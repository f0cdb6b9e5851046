//! `akgate audit`: who did what.

use std::io::{self, Write};

use uuid::Uuid;

use super::{Connection, Exit, List, list, run as over_api, shown::Column};

/// List who did what, the newest first
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// By this one: operator:NAME, contact:ID, source:NAME, policy or akgate
    #[arg(long)]
    by: Option<String>,
    /// Of this deed: Impose, Lift, AddOperator…
    #[arg(long)]
    action: Option<String>,
    /// About this AccessKey
    #[arg(long, value_name = "ID")]
    key: Option<String>,
    /// About this restriction
    #[arg(long, value_name = "ID")]
    restriction: Option<Uuid>,
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
    limit: u16,
    /// Which akgate
    #[command(flatten)]
    connection: Connection,
}

pub(super) const COLUMNS: &[Column] = &[
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
pub fn run(args: &Args, out: &mut impl Write, err: &mut impl Write) -> io::Result<Exit> {
    let connection = &args.connection;
    over_api(connection, out, err, async |client, shown, _| {
        let given = [
            ("actor", args.by.clone()),
            ("action", args.action.clone()),
            ("access_key_id", args.key.clone()),
            ("restriction_id", args.restriction.map(|id| id.to_string())),
        ];
        let what = List {
            path: "audit",
            member: "records",
            columns: COLUMNS,
            none: "Nothing of that is on record.",
        };
        list(client, shown, &what, given, args.limit).await
    })
}
