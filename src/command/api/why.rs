//! `akgate why`: why a call was refused.

use std::io::Write;

use uuid::Uuid;

use super::{
    client::{AdminClient, ApiFault},
    command::ApiCommand,
    output::{Column, OutputPrinter},
};
use crate::command::CommandExit;

/// Explain why a call was refused, or not, by the RequestId that its caller received
#[derive(Debug, Clone, clap::Args)]
pub struct WhyArgs {
    /// The RequestId
    request_id: Uuid,
}

const ROWS: &[Column] = &[
    ("decision", "decision"),
    ("reason", "rule"),
    ("what to do", "to_pass"),
    ("action", "action"),
    ("product", "product"),
    ("effect", "effect"),
    ("objects", "names"),
    ("signed by", "access_key_id"),
    ("descends from", "lineage"),
    ("account", "account_id"),
    ("source IP", "source_ip"),
    ("user agent", "user_agent"),
    ("received", "received_at"),
    ("profile", "profile"),
    ("revision", "revision"),
    ("outcome", "outcome"),
    ("status", "status"),
    ("code", "code"),
    ("restriction", "restriction_id"),
];

impl ApiCommand for WhyArgs {
    async fn execute<W: Write>(
        &self,
        client: &AdminClient,
        shown: &mut OutputPrinter<'_, W>,
        _: &mut impl Write,
    ) -> Result<CommandExit, ApiFault> {
        let path = format!("decisions/{}", self.request_id);
        let why = client.get(&path, &[]).await?;
        shown.one(&why, ROWS)?;
        Ok(CommandExit::Ok)
    }
}
