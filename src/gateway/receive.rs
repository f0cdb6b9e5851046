//! First step: reads the whole request, parses it once, and notes what the node knew when the request was complete.

use bytes::Bytes;
use http_body::Body;

use super::{body::read_whole_request, gate::Gate, observer, routes::Route, trace::Trace};
use akgate_net::request_memory::memory_claimant;
use akgate_rules::{
    fault::Fault,
    request::{ApiRequest, format::ErrorFormat},
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
{
    let source = trace.peer.ip;
    let claimant = memory_claimant(&gate.budgets.memory, source);
    let reading = read_whole_request(request, gate.settings.body, &gate.budgets.memory, claimant);
    let (raw, memory) = reading.await?;
    trace.body_memory = memory;
    let query = raw.head.uri.query().unwrap_or_default().as_bytes();
    trace.format = ErrorFormat::asked_for(query, &raw.body, &raw.head.headers);
    trace.share = gate.budgets.take_judged(source)?;
    // The call must be counted before anything is read that its decision depends on.
    trace.in_flight = Some(gate.calls.enter());
    let basis = gate.basis();
    let request = ApiRequest::parse(&raw)?;
    let route = gate.routes.resolve(&gate.catalogue, &request);
    trace.named_operation = observer::known_operation(&route);
    Ok(Received {
        request,
        route,
        basis,
    })
}
