//! What endpoints share of HTTP: who asks, what they send, how often, and how they are answered.

pub mod authentication;
pub mod etag;
pub mod extract;
pub mod idempotency;
pub mod problem;
pub mod rate_limit;
pub mod receipt;
pub mod responses;
pub mod verbs;
