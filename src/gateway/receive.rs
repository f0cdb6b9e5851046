//! First step: reads the whole request, parses it once, and notes what the node knew when the request was complete.

use bytes::Bytes;
use http_body::Body;

use super::{
    body::{BodyLimit, read_whole_request},
    gate::Gate,
    observer,
    routes::Route,
    trace::Trace,
};
use akgate_rules::{
    fault::Fault,
    request::{ApiRequest, RawRequest, format::ErrorFormat},
    verdict::DecisionBasis,
};

/// A parsed request; nothing in it is proven yet.
pub struct Received {
    /// The parsed request.
    pub request: ApiRequest,
    /// The operation that it names. An error is reported only after the caller is authenticated.
    pub route: Result<Route, Fault>,
    /// What the node knew when the request was complete.
    pub basis: DecisionBasis,
}

/// Receives a request.
///
/// # Errors
/// The first fault of its form.
pub async fn receive<B>(
    gate: &Gate,
    trace: &mut Trace,
    request: http::Request<B>,
) -> Result<Received, Fault>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let raw = read_in_time(gate, request).await;
    if let Ok(raw) = &raw {
        let query = raw.head.uri.query().unwrap_or_default().as_bytes();
        trace.format = ErrorFormat::asked_for(query, &raw.body, &raw.head.headers);
    }
    // The call must be counted before anything is read that its decision depends on.
    trace.in_flight = Some(gate.calls.enter());
    let basis = gate.basis();
    let request = ApiRequest::parse(&raw?)?;
    let route = gate.routes.resolve(&gate.catalogue, &request.operation);
    trace.named_operation = observer::known_operation(&route);
    Ok(Received {
        request,
        route,
        basis,
    })
}

async fn read_in_time<B>(gate: &Gate, request: http::Request<B>) -> Result<RawRequest, Fault>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let has_no_body = request.body().is_end_stream();
    let limit = BodyLimit {
        bytes: gate.settings.body_limit,
    };
    let reading = read_whole_request(request, limit);
    if has_no_body {
        // Most reads have no body: no timer is needed.
        return reading.await;
    }
    match tokio::time::timeout(gate.settings.body_timeout, reading).await {
        Ok(read) => read,
        Err(_) => Err(Fault::InvalidRequest(
            "its body did not arrive in time".into(),
        )),
    }
}
