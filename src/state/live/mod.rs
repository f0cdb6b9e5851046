//! What every node knows and enforces: the registry in memory, and the protocol between nodes. A change that restricts is
//! answered only when every node enforces it.

pub mod barrier;
pub mod feed;
pub mod lease;
pub mod live_node;
pub mod membership;
pub mod memory;
pub mod nodes;
