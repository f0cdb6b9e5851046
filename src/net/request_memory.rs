//! The memory that requests hold before their callers are known, shared by all listeners of a process.

use std::net::IpAddr;

use crate::{
    fair_budget::{Claimant, FairBudget, Part},
    peer::source_network,
};

/// Memory that requests may hold before their callers are known, in bytes, unless it is configured.
pub const DEFAULT_REQUEST_MEMORY: u64 = 256 << 20;

/// Who pays for the memory of a request: one source address may hold a quarter once more than half is in use.
#[must_use]
pub fn memory_claimant(memory: &FairBudget, source: IpAddr) -> Claimant {
    memory.claimant(source_network(source), Part::Quarter)
}
