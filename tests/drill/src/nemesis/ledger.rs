//! What happened: every call, every receipt, every fault, in the order of the one clock.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{clock::Moment, desk::Acknowledgement, fault::Injected, keys::Key, signer::Call};

/// A report that was acknowledged.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// The key that is restricted from now on.
    pub key: Key,
    /// The node that acknowledged it.
    pub node: usize,
    /// When the report was first sent.
    pub began: Moment,
    /// When the last byte of the acknowledgement had arrived.
    pub at: Moment,
    /// What it says.
    pub acknowledgement: Acknowledgement,
}

/// A call that was sent after a receipt.
#[derive(Debug, Clone)]
pub struct CallAfter {
    /// The receipt, by its number.
    pub receipt: usize,
    /// The node that it was sent to.
    pub node: usize,
    /// The call.
    pub call: Call,
}

/// Everything that is counted in the end.
#[derive(Debug, Default)]
pub struct Entries {
    /// Calls that were sent before the receipt of their key.
    pub before: Vec<Call>,
    /// Calls that were sent after one.
    pub after: Vec<CallAfter>,
    /// Receipts.
    pub receipts: Vec<Receipt>,
    /// The last receipt of each key.
    pub last: HashMap<Key, usize>,
    /// Faults.
    pub faults: Vec<Injected>,
    /// Reports that were never acknowledged.
    pub unacknowledged: usize,
    /// Idempotency-Keys that were given up: the node that had begun under them was killed.
    pub abandoned: usize,
}

/// The entries, for everybody who writes them.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Entries>);

impl Ledger {
    /// Opens it.
    pub fn open(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a receipt; returns its number.
    pub fn enter(&self, receipt: Receipt) -> usize {
        let mut entries = self.open();
        let number = entries.receipts.len();
        entries.last.insert(receipt.key, number);
        entries.receipts.push(receipt);
        number
    }

    /// Closes it.
    #[must_use]
    pub fn close(self) -> Entries {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
