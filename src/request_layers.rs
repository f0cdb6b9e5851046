//! What the admin API and the owners' pages do with every request, before and around their handlers.

use akgate_net::{
    fair_budget::BudgetFault,
    received_body::{BodyBuffer, BodyFault},
};
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

/// The answer of the owners' pages to a body that cannot be read.
pub(crate) fn refuse_page_body(fault: BodyFault) -> Response {
    let status = match fault {
        BodyFault::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
        BodyFault::TooSlow => StatusCode::REQUEST_TIMEOUT,
        BodyFault::Broken | BodyFault::Trailers => StatusCode::BAD_REQUEST,
        BodyFault::NoMemory(BudgetFault::Greedy) => StatusCode::TOO_MANY_REQUESTS,
        BodyFault::NoMemory(BudgetFault::Exhausted) => StatusCode::SERVICE_UNAVAILABLE,
    };
    status.into_response()
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
