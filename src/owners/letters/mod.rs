//! Letters: a worker takes them from the outbox, renders and sends them, and records the results.
//!
//! No request handler sends mail: a transaction that changes a restriction enqueues the letter.

pub mod dkim;
pub mod facts;
pub mod letter;
pub mod mailer;
pub mod message;
mod sample;
pub mod worker;
