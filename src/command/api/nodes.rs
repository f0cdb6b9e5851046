//! `akgate nodes`: the processes that serve.

use std::io::Write;

use clap::Subcommand;

use super::{
    answers::{ListSpec, print_list},
    client::{AdminClient, ApiFault},
    command::ApiCommand,
    output::{Column, OutputPrinter},
};
use crate::command::CommandExit;

/// List the running processes: what each enforces, its lease, its keys and its clock
#[derive(Debug, Clone, Subcommand)]
pub enum NodesCommand {
    /// List nodes: the revision that each enforces and how far it is behind, the age of its last announcement, how far its
    /// clock is ahead of the database's, and the keys of its key ring. `-o json` also shows roles, version and more
    List,
}

/// The columns that fit a terminal of 80 columns; `-o json` shows everything.
const COLUMNS: &[Column] = &[
    ("node", "name"),
    ("state", "state"),
    ("revision", "revision"),
    ("behind", "behind"),
    ("ms ago", "age_ms"),
    ("clock ms", "clock_offset_ms"),
    ("keys", "seal_key_ids"),
];

impl ApiCommand for NodesCommand {
    async fn execute<W: Write>(
        &self,
        client: &AdminClient,
        shown: &mut OutputPrinter<'_, W>,
        _: &mut impl Write,
    ) -> Result<CommandExit, ApiFault> {
        let what = ListSpec {
            path: "nodes",
            member: "nodes",
            columns: COLUMNS,
            none: "No nodes are running.",
        };
        print_list(client, shown, &what, [], u16::MAX).await
    }
}
