//! What akgate keeps, in PostgreSQL and in the memory of a node. No other crate of the product speaks SQL, the sandbox with
//! its tables of its own excepted: each function is one statement or one transaction.
//!
//! A writer advances the revision first ([`directory::revision`]), so writers wait for each other, and what one of them
//! reads still holds when it commits. Audit records, letters and events are written in the transaction of what they
//! tell of. Every node follows the revision into its memory ([`live`]).

#![forbid(unsafe_code)]

pub mod approval_decisions;
pub mod approvals;
pub mod audit;
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
