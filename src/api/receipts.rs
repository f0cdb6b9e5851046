//! Where a change is enforced, and when the answer comes.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use akgate_rules::position::History;

akgate_rules::text_enum! {
    /// What to wait for.
    #[derive(Default, ToSchema)]
    pub enum Wait {
        /// For nothing: the change is committed.
        None = "none",
        /// Until every node enforces the change or has lost its lease.
        #[default]
        Enforced = "enforced",
        /// The same, and until all calls that began before have ended, for at most 30 seconds.
        Drained = "drained",
    }
}

/// Where a restricting change is enforced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    /// The history of the change: a failover that loses commits starts a new history.
    #[schema(value_type = Uuid)]
    pub history: History,
    /// The revision of the change.
    pub revision: i64,
    /// Number of nodes that enforce it; null if unknown, because the request did not wait or the database was
    /// unavailable.
    pub nodes: Option<u32>,
    /// Nodes without a lease, by name; each applies the change before it takes a lease.
    pub fenced: Vec<String>,
    /// Nodes without a lease that may still let through reads that the change refuses, by name.
    pub may_still_let_reads_pass: Vec<String>,
    /// Time from the commit to this receipt, in milliseconds.
    pub waited_ms: u64,
    /// Calls of the keys concerned that were decided before and have not ended; null if a node could not be asked.
    pub calls_in_flight: Option<u64>,
}

/// When to answer.
#[derive(Debug, Clone, Copy, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct WaitQuery {
    /// `none`: when the change is committed. `enforced` (default): when every node enforces it or has lost its lease.
    /// `drained`: also wait, for at most 30 seconds, until all calls that began before have ended.
    #[serde(default)]
    #[param(value_type = Option<Wait>, inline, nullable = false)]
    pub wait: Wait,
}

/// The changed resource, and where the change is enforced.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Changed<T> {
    /// The resource after the change.
    #[serde(flatten)]
    pub view: T,
    /// The nodes that enforce the change; absent if it restricts nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub receipt: Option<Receipt>,
}
