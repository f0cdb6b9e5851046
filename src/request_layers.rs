//! What the admin API and the owners' pages do with every request, before and around their handlers.

use akgate_net::received_body::{BodyBuffer, BodyFault};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::StatusCode;

/// How bodies are read, and how one is refused.
#[derive(Clone)]
pub(crate) struct BufferedBodies {
    pub buffer: BodyBuffer,
    pub refuse: fn(BodyFault) -> Response,
}

/// Reads the body before anything else is done for the request: waiting for it costs nobody but its caller.
pub(crate) async fn buffer_body(
    State(bodies): State<BufferedBodies>,
    request: Request,
    next: Next,
) -> Response {
    match bodies.buffer.fill(request).await {
        Ok((request, _memory)) => next.run(request).await,
        Err(fault) => (bodies.refuse)(fault),
    }
}

/// A request runs to its end even if its client hangs up: an interrupted database call would hold its connection, and
/// the receipt must be stored in any case.
pub(crate) async fn finish_request(request: Request, next: Next) -> Response {
    match tokio::spawn(next.run(request)).await {
        Ok(response) => response,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        },
    }
}
