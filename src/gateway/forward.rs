//! Last station before upstream: a new request, printed from the proven value, spends the permit.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use axum::body::Body;
use futures_core::future::BoxFuture;
use http::{HeaderName, HeaderValue, Uri};
use tower::{Service, ServiceExt};

use super::{
    call::Answer,
    enforce::Permitted,
    gate::Gate,
    identity::{HEADER, Identity},
    routes::Trust,
};
use crate::{fault::Fault, operation::Product, signature::Printed};

/// Tells an upstream's client which product is called: a request extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called(pub Product);

/// In place of an answer that an upstream did not give: an extension of an empty one.
#[derive(Debug, Clone)]
pub struct NoAnswer(pub Fault);

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
        Box::pin(async move {
            let product = permitted.authenticated.operation.product().clone();
            let request = print(&gate, permitted)?;
            let began = Instant::now();
            let answered = upstream.oneshot(request).await;
            gate.metrics.upstream(&product, began.elapsed());
            match answered {
                Ok(mut answer) => match answer.extensions_mut().remove() {
                    Some(NoAnswer(fault)) => Err(fault),
                    None => Ok(answer),
                },
                Err(never) => match never {},
            }
        })
    }
}

/// Prints the request for upstream. The permit ends here: it permits one call.
fn print(gate: &Gate, permitted: Permitted) -> Result<http::Request<Body>, Fault> {
    let Permitted {
        authenticated,
        permit: _,
        intent: _,
    } = permitted;
    let (_, trust) = gate
        .routes
        .find(&gate.catalogue, &authenticated.verified.request().operation)?;
    let mut printed = authenticated.verified.print(trust.credentials());
    if let Trust::Identity(key) = trust {
        let now = gate.clock.now();
        let identity = identity(&authenticated).bound_to(&printed, now).seal(key);
        printed.headers.push((HEADER.to_owned(), identity));
    }
    let called = Called(authenticated.operation.product().clone());
    let mut request = request(printed)?;
    request.extensions_mut().insert(called);
    Ok(request)
}

fn identity(authenticated: &super::authenticate::Authenticated) -> Identity {
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
