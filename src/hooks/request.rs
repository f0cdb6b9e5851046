//! A request to a hook.

use http::HeaderMap;

/// A request that is ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookRequest {
    /// Headers in addition to `Content-Type` and `User-Agent`.
    pub headers: HeaderMap,
    /// What it is.
    pub content_type: &'static str,
    /// What is added to the address' query.
    pub query: String,
    /// The body.
    pub body: Vec<u8>,
}
