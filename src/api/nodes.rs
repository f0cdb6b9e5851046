//! The running processes.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// A node.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Node)]
pub struct NodeView {
    /// UUID version 4, new at each start.
    pub node_id: Uuid,
    /// Host and process.
    pub name: String,
    /// Version of akgate.
    pub version: String,
    /// Its roles: `gateway`, `public`, `admin`, `worker`, `observer`.
    pub roles: Vec<String>,
    /// `Leased`; `Fenced` (no change waits for it; it applies all changes before it takes a lease again); `Silent` (no
    /// announcement for 2 seconds); or `Serving` for a node that judges no calls.
    pub state: String,
    /// When it started, by its own clock.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// Age of its last announcement, in milliseconds.
    pub age_ms: i64,
    /// The history of the revision that it enforces; null if it has not reported yet.
    pub history: Option<Uuid>,
    /// The revision up to which it enforces.
    pub revision: Option<i64>,
    /// Number of revisions that it is behind the registry; null if its history is another one.
    pub behind: Option<i64>,
    /// All calls that began before this revision was enforced have ended.
    pub drained_below: Option<i64>,
    /// The ids of the keys of its key ring that seal secrets.
    pub seal_key_ids: Vec<i32>,
    /// How far its clock is ahead of the database's, in milliseconds.
    pub clock_offset_ms: Option<i64>,
}

/// All nodes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Nodes {
    /// Sorted by name.
    pub nodes: Vec<NodeView>,
}
