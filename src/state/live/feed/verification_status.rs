//! What comparing a node's memory with the database has found, for whoever watches the node.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// What the comparisons have found since the start.
#[derive(Debug, Clone, Copy, Default)]
pub struct VerificationStatus {
    /// When the last comparison ended; `None` before the first.
    pub verified_at: Option<Instant>,
    /// What differed, and was read again.
    pub mismatches: u64,
}

/// Keeps the status.
#[derive(Debug, Default)]
pub(super) struct VerificationRecord(Mutex<VerificationStatus>);

impl VerificationRecord {
    pub(super) fn status(&self) -> VerificationStatus {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A comparison has ended, and found so much.
    pub(super) fn note(&self, at: Instant, mismatches: usize) {
        let mut status = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        status.verified_at = Some(at);
        status.mismatches += u64::try_from(mismatches).unwrap_or_default();
    }
}
