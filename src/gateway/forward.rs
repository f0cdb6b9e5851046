//! Last station before upstream: a new request, printed from the proven value, spends the clearance.
//!
//! A clearance that is too old is worth nothing, up to the first byte that upstream gets: the call is cleared anew.

use std::{
    convert::Infallible,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::Instant,
};

use axum::body::Body;
use futures_core::future::BoxFuture;
use http::{HeaderName, HeaderValue, Uri};
use tower::{Service, ServiceExt};

use super::{
    authenticate::Authenticated,
    call::Answer,
    enforce::{Permitted, clear_anew},
    gate::Gate,
    routes::Trust,
};
use akgate_rules::identity::{HEADER, Identity};
use akgate_rules::{fault::Fault, operation::Product, position::BootInstant, signature::Printed};
use akgate_state::clock::Clock;

/// Tells an upstream's client which product is called: a request extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called(pub Product);

/// In place of an answer that an upstream did not give: an extension of an empty one.
#[derive(Debug, Clone)]
pub enum NoAnswer {
    /// No byte was sent before the [`Deadline`].
    TooLate,
    /// What the caller is told.
    Fault(Fault),
}

/// Until when the first byte of a request may be sent: a request extension for an upstream's client.
#[derive(Clone)]
pub struct Deadline {
    until: BootInstant,
    clock: Arc<dyn Clock>,
}

impl Deadline {
    /// Whether it is too late.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.clock.since_boot() >= self.until
    }
}

/// The station.
#[derive(Clone)]
pub struct Forward<S> {
    gate: Arc<Gate>,
    upstream: S,
}

impl<S> Forward<S> {
    /// A station in front of an upstream.
    pub fn new(gate: Arc<Gate>, upstream: S) -> Self {
        Self { gate, upstream }
    }
}

impl<S> Service<Permitted> for Forward<S>
where
    S: Service<http::Request<Body>, Response = Answer, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Answer;
    type Error = Fault;
    type Future = BoxFuture<'static, Result<Answer, Fault>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, permitted: Permitted) -> Self::Future {
        let (gate, upstream) = (Arc::clone(&self.gate), self.upstream.clone());
        Box::pin(forward(gate, upstream, permitted))
    }
}

/// How often a call is cleared anew.
const CLEARANCES: usize = 4;

async fn forward<S>(gate: Arc<Gate>, upstream: S, permitted: Permitted) -> Result<Answer, Fault>
where
    S: Service<http::Request<Body>, Response = Answer, Error = Infallible> + Clone,
{
    let Permitted {
        mut authenticated,
        mut clearance,
        intent,
        under_way,
    } = permitted;
    let product = authenticated.operation.product().clone();
    let call = Arc::clone(&authenticated.call);
    for _ in 0..CLEARANCES {
        if let Ok(until) = clearance.spend(gate.clock.since_boot()) {
            let deadline = Deadline {
                until,
                clock: Arc::clone(&gate.clock),
            };
            let request = print(&gate, &authenticated, deadline)?;
            let began = Instant::now();
            call.was_sent.store(true, Ordering::Relaxed);
            let mut answer = match upstream.clone().oneshot(request).await {
                Ok(answer) => answer,
                Err(never) => match never {},
            };
            gate.metrics.upstream(&product, began.elapsed());
            match answer.extensions_mut().remove() {
                None => return Ok(answer),
                Some(NoAnswer::Fault(fault)) => return Err(fault),
                Some(NoAnswer::TooLate) => call.was_sent.store(false, Ordering::Relaxed),
            }
        }
        let under_way = under_way.as_deref();
        clearance = clear_anew(&gate, &mut authenticated, intent, under_way).await?;
    }
    Err(Fault::Unavailable)
}

/// Prints the request for upstream.
fn print(
    gate: &Gate,
    authenticated: &Authenticated,
    deadline: Deadline,
) -> Result<http::Request<Body>, Fault> {
    let (_, trust) = gate
        .routes
        .find(&gate.catalogue, &authenticated.verified.request().operation)?;
    let mut printed = authenticated.verified.print(trust.credentials());
    if let Trust::Identity(key) = trust {
        let now = gate.clock.now();
        let identity = identity(authenticated).bound_to(&printed, now).seal(key);
        printed.headers.push((HEADER.to_owned(), identity));
    }
    let called = Called(authenticated.operation.product().clone());
    let mut request = request(printed)?;
    request.extensions_mut().insert(called);
    request.extensions_mut().insert(deadline);
    Ok(request)
}

fn identity(authenticated: &Authenticated) -> Identity {
    let (caller, call) = (authenticated.caller.as_deref(), &authenticated.call);
    let operation = &authenticated.operation;
    Identity {
        request_id: call.request_id(),
        account: caller.map(|caller| caller.account_id.clone()),
        principal: caller.map(|caller| caller.principal.clone()),
        access_key_id: caller.map(|caller| caller.access_key_id.clone()),
        parent_access_key_id: caller
            .and_then(|caller| caller.ancestors().first())
            .map(|ancestor| ancestor.access_key_id.clone()),
        source_ip: call.peer.ip.to_string(),
        user_agent: call.user_agent.clone(),
        tls: call.peer.tls,
        product: operation.product().code().to_owned(),
        version: operation.version().to_owned(),
        action: operation.action().to_owned(),
        method: String::new(),
        target_sha256: String::new(),
        body_sha256: String::new(),
        iat: 0,
    }
}

fn request(printed: Printed) -> Result<http::Request<Body>, Fault> {
    let broken = Fault::Internal("a printed request is no HTTP request");
    let Ok(target) = Uri::try_from(&printed.target) else {
        return Err(broken);
    };
    let mut request = http::Request::new(Body::from(printed.body));
    *request.method_mut() = printed.method;
    *request.uri_mut() = target;
    for (name, value) in &printed.headers {
        let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(value),
        ) else {
            return Err(broken);
        };
        request.headers_mut().append(name, value);
    }
    Ok(request)
}
