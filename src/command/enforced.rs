//! Formats where a change is enforced, for commands that commit it themselves and for those that use the admin API.

use std::{sync::Arc, time::Duration};

use akgate_state::database::Pool;

use crate::config::Config;
use akgate_api::receipts::{Receipt, Wait};
use akgate_rules::position::Position;
use akgate_state::{
    clock::SystemClock,
    live::barrier::{AffectedKeys, Barrier, LostChange},
};

/// Waits for the nodes as a node itself does.
pub struct EnforcementWait(Barrier);

impl EnforcementWait {
    /// With the configured database timeout.
    #[must_use]
    pub fn new(pool: &Pool, config: &Config) -> Self {
        let timeout = Duration::from_secs(config.sections.database.timeout_seconds);
        let clock = Arc::new(SystemClock);
        Self(Barrier::new(pool.clone(), pool.clone(), clock, timeout))
    }

    /// Waits until a committed change is enforced, and returns a line that says where.
    ///
    /// # Errors
    /// [`LostChange`]: it has to be imported again.
    pub async fn wait(&self, committed: Position) -> Result<String, LostChange> {
        let receipt = self
            .0
            .wait(committed, &AffectedKeys::All, Wait::Enforced)
            .await?;
        Ok(format_receipt(&receipt, "of restricted keys"))
    }
}

/// "enforced at 3 nodes in 12 ms; 1 call of this key still in progress".
#[must_use]
pub fn format_receipt(receipt: &Receipt, whose: &str) -> String {
    let plural = |count: u64, what: &str| match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    };
    let Some(nodes) = receipt.nodes else {
        return "committed; it is unknown which nodes enforce it: see akgate nodes list".to_owned();
    };
    if nodes == 0 && receipt.fenced.is_empty() {
        return "committed; no node is running".to_owned();
    }
    let mut line = format!(
        "enforced at {} in {} ms",
        plural(nodes.into(), "node"),
        receipt.waited_ms
    );
    if !receipt.fenced.is_empty() {
        let fenced = u64::try_from(receipt.fenced.len()).unwrap_or(u64::MAX);
        line.push_str(&format!(
            "; {} without a lease ({})",
            plural(fenced, "node"),
            receipt.fenced.join(", ")
        ));
    }
    match receipt.calls_in_flight {
        Some(0) => {}
        Some(calls) => line.push_str(&format!(
            "; {} {whose} still in progress",
            plural(calls, "call")
        )),
        None => line.push_str("; it is unknown which calls are still in progress"),
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use akgate_rules::position::History;

    #[test]
    fn enforcement_line_names_nodes_and_what_is_unknown() {
        let receipt = Receipt {
            history: History(uuid::Uuid::nil()),
            revision: 7,
            nodes: Some(3),
            fenced: Vec::new(),
            may_still_let_reads_pass: Vec::new(),
            waited_ms: 12,
            calls_in_flight: Some(1),
        };
        let say = |receipt: &Receipt| format_receipt(receipt, "of this key");
        assert_eq!(
            say(&receipt),
            "enforced at 3 nodes in 12 ms; 1 call of this key still in progress"
        );
        let fenced = Receipt {
            nodes: Some(1),
            fenced: vec!["gw-2:77:0a1b2c3d".into()],
            waited_ms: 2201,
            calls_in_flight: None,
            ..receipt.clone()
        };
        assert_eq!(
            say(&fenced),
            "enforced at 1 node in 2201 ms; 1 node without a lease (gw-2:77:0a1b2c3d); \
             it is unknown which calls are still in progress"
        );
        let nobody = Receipt {
            nodes: Some(0),
            ..receipt.clone()
        };
        assert_eq!(say(&nobody), "committed; no node is running");
        let none = Receipt {
            nodes: None,
            ..receipt
        };
        assert!(say(&none).starts_with("committed; it is unknown which nodes"));
    }
}
