//! The registry of leaked keys: record, confirm, escalate, lift in Postgres; the standing of every key in memory.
//!
//! A writer advances the revision first ([`crate::directory::revision`]), so writers wait for each other and
//! what one reads is still so when it commits.

pub mod accounts;
pub mod approvals;
pub mod barrier;
pub mod claims;
pub mod confirm;
pub mod deliveries;
pub mod directory_change;
pub mod disable;
pub mod escalate;
pub mod exceptions;
pub mod feed;
pub mod import;
mod impose;
pub mod keys;
pub mod leaked;
pub mod lease;
pub mod lift;
pub mod links;
pub mod live;
pub mod membership;
pub mod mode;
pub mod nodes;
pub mod read;
pub mod record;
pub mod reports;
pub mod seen;
mod sighting;
pub mod sources;
pub mod timeline;
pub mod undo;
