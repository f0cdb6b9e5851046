//! The gate as a tower layer in front of any axum handler, and as one service in front of any [`Upstream`].

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::future::BoxFuture;
use http::Request;
use http_body::Body;
use tower::{Layer, Service};

use super::{
    finish::answer_without_trace,
    gate::Gate,
    panic_guard::contain_panic,
    road::answer_call,
    upstream::{Answer, Upstream, handler::HandlerUpstream},
};

/// Puts the gate in front of any axum handler. What reaches the handler was printed by akgate and carries the caller's
/// [`Identity`](akgate_rules::identity::Identity).
#[derive(Clone)]
pub struct GateLayer(Arc<Gate>);

impl GateLayer {
    /// A layer of this gate.
    #[must_use]
    pub fn new(gate: Arc<Gate>) -> Self {
        Self(gate)
    }
}

impl<S> Layer<S> for GateLayer {
    type Service = GateService<HandlerUpstream<S>>;

    fn layer(&self, handler: S) -> Self::Service {
        GateService::new(Arc::clone(&self.0), HandlerUpstream(handler))
    }
}

/// The gate as one service in front of an upstream; it handles every path.
#[derive(Clone)]
pub struct GateService<U> {
    gate: Arc<Gate>,
    upstream: U,
}

impl<U> GateService<U> {
    /// The gate in front of an upstream.
    #[must_use]
    pub fn new(gate: Arc<Gate>, upstream: U) -> Self {
        Self { gate, upstream }
    }
}

impl<U, B> Service<Request<B>> for GateService<U>
where
    U: Upstream,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Answer;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Answer, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A call above the limit is answered at once.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (gate, upstream) = (Arc::clone(&self.gate), self.upstream.clone());
        Box::pin(async move {
            let answering = async { Ok(answer_call(gate, upstream, request).await) };
            // The road catches panics of its steps; this catches those of its first and last step.
            let answered = contain_panic(answering).await;
            Ok(answered.unwrap_or_else(|fault| answer_without_trace(&fault)))
        })
    }
}
