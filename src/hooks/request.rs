//! A request to a hook, and why none was answered well.

use std::time::Duration;

use http::HeaderMap;

/// A request that is ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookRequest {
    /// Beside `Content-Type` and `User-Agent`.
    pub headers: HeaderMap,
    /// What it is.
    pub content_type: &'static str,
    /// What is added to the address' query.
    pub query: String,
    /// The body.
    pub body: Vec<u8>,
}

/// Why an event is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendFault {
    /// Another time, not before so long.
    Again(String, Option<Duration>),
    /// Never: whoever was there is gone.
    Never(String),
}
