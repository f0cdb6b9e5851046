//! Refuses the requests of a source that sends too many, and tells every client what it has left.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::HeaderValue;

use crate::http::problem::Problem;
use akgate_net::{peer::Peer, source_rate_limiter::SourceRateLimiter};

/// Lets a request through, or refuses it with `Retry-After`.
pub async fn limit_rate(
    State(limiter): State<Arc<SourceRateLimiter>>,
    request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    let (mut response, remaining) = match limiter.count(peer.unwrap_or_default().ip) {
        Ok(remaining) => (next.run(request).await, remaining),
        Err(wait) => (Problem::too_many_requests(wait).into_response(), 0),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        ("ratelimit-limit", limiter.burst()),
        ("ratelimit-remaining", remaining),
        ("ratelimit-reset", 1),
    ] {
        headers.insert(name, HeaderValue::from(value));
    }
    response
}
