//! Whether the database server has connections for the pools of all nodes.

use crate::config::Config;
use akgate_state::{
    database::{self, ConnectionLimit, NodePools, Pool},
    directory::StateFault,
    live::nodes,
};

/// The connections that nodes may open, and those that the server has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectionNeed {
    /// Running nodes, this one included.
    pub nodes: usize,
    /// Connections that each may open.
    pub each: u32,
    /// Connections that the server allows.
    pub limit: ConnectionLimit,
}

impl ConnectionNeed {
    /// Reads it. All nodes are taken to be configured as this one.
    ///
    /// # Errors
    /// [`StateFault`].
    pub async fn read(config: &Config, pool: &Pool) -> Result<Self, StateFault> {
        let running = nodes::list_running_nodes(pool).await?;
        Ok(Self {
            nodes: running.len().max(1),
            each: NodePools::RESERVED + config.sections.database.max_connections,
            limit: database::connection_limit(pool).await?,
        })
    }

    /// What all may open.
    pub fn total(&self) -> i64 {
        let nodes = i64::try_from(self.nodes).unwrap_or(i64::MAX);
        nodes.saturating_mul(self.each.into())
    }

    /// Whether the server has too few.
    pub fn is_short(&self) -> bool {
        self.total() > self.limit.connections
    }

    /// Both figures in words.
    pub fn describe(&self) -> String {
        format!(
            "{} nodes may open {} each, and the server has {} ({})",
            self.nodes, self.each, self.limit.connections, self.limit.set_by
        )
    }
}
