//! The road out: letters are rendered, sent and settled by a worker that takes them from the outbox.
//!
//! No request handler speaks SMTP; whoever changes a restriction enqueues a letter in the same transaction.

pub mod dkim;
pub mod facts;
pub mod letter;
pub mod mailer;
pub mod message;
mod sample;
pub mod worker;
