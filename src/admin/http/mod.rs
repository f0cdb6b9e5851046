//! The HTTP side that all endpoints share: authentication, extractors, rate limit, idempotency and responses.

pub mod authentication;
pub mod etag;
pub mod extract;
pub mod idempotency;
pub mod problem;
pub mod rate_limit;
pub mod receipt;
pub mod responses;
pub mod verbs;
