//! The state of akgate, in PostgreSQL and in the memory of a node. Each function is one statement or one transaction.
//! Apart from the sandbox with its own tables, no other crate uses SQL.
//!
//! A writer advances the revision first ([`directory::revision`]), so writers wait for each other, and what a writer
//! reads is still true when it commits. Audit records, letters and events are written in the transaction of the change
//! that they report. Every node follows the revision into its memory ([`live`]).

#![forbid(unsafe_code)]

pub mod approval_decisions;
pub mod approvals;
pub mod audit;
pub mod batches;
pub mod calls;
pub mod clock;
pub mod database;
pub mod directory;
pub mod follow;
pub mod keys;
pub mod leaks;
pub mod live;
pub mod operators;
pub mod outbox;
pub mod randomness;
pub mod restrictions;
pub mod upkeep;

pub use database::{Connection, Pool, Transaction};
