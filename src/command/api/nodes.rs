//! `akgate nodes`: the processes that serve.

use std::io::{self, Write};

use clap::Subcommand;

use super::{
    CommandExit, Connection, ListSpec, print_list, run_over_api as over_api, shown::Column,
};

/// List the running processes: what each enforces, its lease, its keys and its clock
#[derive(Debug, Clone, Subcommand)]
pub enum NodesCommand {
    /// List nodes: the revision that each enforces and how far it is behind, the age of its last announcement, how far its
    /// clock is ahead of the database's, and the keys of its key ring. `-o json` also shows roles, version and more
    List {
        /// The akgate to use
        #[command(flatten)]
        connection: Connection,
    },
}

/// What fits a terminal of 80 columns; `-o json` has all of it.
const COLUMNS: &[Column] = &[
    ("node", "name"),
    ("state", "state"),
    ("revision", "revision"),
    ("behind", "behind"),
    ("ms ago", "age_ms"),
    ("clock ms", "clock_offset_ms"),
    ("keys", "seal_key_ids"),
];

/// Runs the command.
///
/// # Errors
/// That of the outputs.
pub fn run_nodes(
    command: &NodesCommand,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<CommandExit> {
    let NodesCommand::List { connection } = command;
    over_api(connection, out, err, async |client, shown, _| {
        let what = ListSpec {
            path: "nodes",
            member: "nodes",
            columns: COLUMNS,
            none: "No nodes are running.",
        };
        print_list(client, shown, &what, [], u16::MAX).await
    })
}
