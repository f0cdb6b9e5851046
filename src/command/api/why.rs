//! `akgate why`: why a call was refused.

use std::io::{self, Write};

use uuid::Uuid;

use super::{CommandExit, Connection, run_over_api as over_api, shown::Column};

/// Explain why a call was refused, or not, by the RequestId that its caller received
#[derive(Debug, Clone, clap::Args)]
pub struct WhyArgs {
    /// The RequestId
    request_id: Uuid,
    /// The akgate to use
    #[command(flatten)]
    connection: Connection,
}

const ROWS: &[Column] = &[
    ("decision", "decision"),
    ("why", "rule"),
    ("to pass", "to_pass"),
    ("call", "action"),
    ("of", "product"),
    ("effect", "effect"),
    ("about", "names"),
    ("signed by", "access_key_id"),
    ("descends from", "lineage"),
    ("account", "account_id"),
    ("from", "source_ip"),
    ("by", "user_agent"),
    ("at", "received_at"),
    ("profile", "profile"),
    ("revision", "revision"),
    ("outcome", "outcome"),
    ("status", "status"),
    ("code", "code"),
    ("restriction", "restriction_id"),
];

/// Runs the command.
///
/// # Errors
/// That of the outputs.
pub fn run_why(
    args: &WhyArgs,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<CommandExit> {
    let connection = &args.connection;
    over_api(connection, out, err, async |client, shown, _| {
        let path = format!("decisions/{}", args.request_id);
        let why = client.get(&path, &[]).await?;
        shown.one(&why, ROWS)?;
        Ok(CommandExit::Ok)
    })
}
