//! Around the service of every listener: heads that are not served are answered here, and every answer says how long it
//! may be kept.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::response::Response;
use http::{
    HeaderValue, Method, Request, StatusCode,
    header::{ALLOW, CACHE_CONTROL, STRICT_TRANSPORT_SECURITY},
};
use pin_project_lite::pin_project;
use tower::Service;

use crate::{
    peer::Peer,
    request_head::{answer_to_server_options, settle_head},
};

/// For how long a browser that came by TLS comes by TLS again: one year, in seconds.
const TRANSPORT_SECURITY: &str = "max-age=31536000";

/// Serves what [`settle_head`] lets through. An answer without `Cache-Control` must not be stored, since it may show a
/// secret, and one over TLS tells browsers to stay with TLS.
#[derive(Clone)]
pub(super) struct OriginService<S>(pub S);

impl<S, B> Service<Request<B>> for OriginService<S>
where
    S: Service<Request<B>, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = OriginFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let is_options = request.method() == Method::OPTIONS;
        let is_tls = request
            .extensions()
            .get()
            .is_some_and(|peer: &Peer| peer.tls);
        let answering = match settle_head(&mut request) {
            Err(fault) => Answering::Here {
                answer: Some(fault.answer()),
            },
            Ok(()) if request.uri().path() == "*" => Answering::Here {
                answer: Some(answer_to_server_options()),
            },
            Ok(()) => Answering::Service {
                call: self.0.call(request),
            },
        };
        OriginFuture {
            answering,
            is_tls,
            is_options,
        }
    }
}

/// Turns the refusal of a method into what `OPTIONS` asks for.
fn answer_with_allowed_methods(refusal: &Response) -> Response {
    let mut answer = answer_to_server_options();
    if let Some(allowed) = refusal.headers().get(ALLOW) {
        answer.headers_mut().insert(ALLOW, allowed.clone());
    }
    answer
}

pin_project! {
    /// A call that is under way.
    pub(super) struct OriginFuture<F> {
        #[pin]
        answering: Answering<F>,
        is_tls: bool,
        is_options: bool,
    }
}

pin_project! {
    #[project = AnsweringProjection]
    enum Answering<F> {
        Here { answer: Option<Response> },
        Service { #[pin] call: F },
    }
}

impl<F> Future for OriginFuture<F>
where
    F: Future<Output = Result<Response, Infallible>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut answer = match this.answering.project() {
            AnsweringProjection::Here { answer } => answer.take().unwrap_or_default(),
            AnsweringProjection::Service { call } => match ready!(call.poll(context)) {
                Ok(answer) => answer,
                Err(never) => match never {},
            },
        };
        if *this.is_options && answer.status() == StatusCode::METHOD_NOT_ALLOWED {
            answer = answer_with_allowed_methods(&answer);
        }
        let headers = answer.headers_mut();
        headers
            .entry(CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-store"));
        if *this.is_tls {
            headers
                .entry(STRICT_TRANSPORT_SECURITY)
                .or_insert(HeaderValue::from_static(TRANSPORT_SECURITY));
        }
        Poll::Ready(Ok(answer))
    }
}
