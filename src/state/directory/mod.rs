//! The directory: akgate's copy of the IAM's store of accounts, principals, AccessKeys and sessions.
//!
//! akgate is not the IAM: its copy is imported, or learnt from answers of upstreams. Every change advances the revision
//! that all nodes follow.

pub mod contacts;
mod fault;
pub mod holders;
pub mod import;
pub mod key_ring_check;
pub mod keys;
pub mod lineage;
pub mod listing;
pub mod principals;
pub mod reseal;
pub mod revision;
pub mod sealing;
pub mod sessions;

pub use fault::{StateFault, with_timeout};

use akgate_api::keys::KeyStatus;
use akgate_rules::access_key::{AccessKeyId, AccessKeySecret};

/// One column of many rows, as `unnest` takes it.
pub fn collect_column<'r, T, U>(rows: &'r [T], one: impl Fn(&'r T) -> U) -> Vec<U> {
    rows.iter().map(one).collect()
}

/// An access key as the directory knows it.
#[derive(Debug, Clone)]
pub struct KeyRecord {
    /// The public half.
    pub access_key_id: AccessKeyId,
    /// The account that owns it.
    pub account_id: String,
    /// The RAM user that it stands for; `None` for the account itself.
    pub user_name: Option<String>,
    /// Whether it works.
    pub status: KeyStatus,
    /// The secret half.
    pub secret: AccessKeySecret,
}
