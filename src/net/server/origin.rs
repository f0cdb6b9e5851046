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

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, routing::get};
    use http::header::HOST;

    use super::*;

    async fn ask(method: Method, host: Option<&'static str>, tls: bool) -> Response {
        let kept = [(CACHE_CONTROL, "max-age=60")];
        let app = Router::new()
            .route("/", get(|| async { "a secret" }))
            .route("/style", get(move || async move { (kept, "") }));
        let target = if method == Method::HEAD {
            "/style"
        } else {
            "/"
        };
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        *request.uri_mut() = target.parse().unwrap();
        if let Some(host) = host {
            let host = HeaderValue::from_static(host);
            request.headers_mut().insert(HOST, host);
        }
        request.extensions_mut().insert(Peer {
            tls,
            ..Peer::default()
        });
        OriginService(app).call(request).await.unwrap()
    }

    #[tokio::test]
    async fn answer_is_not_stored_unless_its_service_says_so_and_keeps_to_tls() {
        let plain = ask(Method::GET, Some("a"), false).await;
        assert_eq!(plain.headers()[CACHE_CONTROL], "no-store");
        assert!(!plain.headers().contains_key(STRICT_TRANSPORT_SECURITY));
        let secure = ask(Method::GET, Some("a"), true).await;
        assert_eq!(
            secure.headers()[STRICT_TRANSPORT_SECURITY],
            TRANSPORT_SECURITY
        );
        let style = ask(Method::HEAD, Some("a"), false).await;
        assert_eq!(style.headers()[CACHE_CONTROL], "max-age=60");
    }

    #[tokio::test]
    async fn head_that_is_not_served_is_answered_and_options_names_the_methods() {
        let hostless = ask(Method::GET, None, false).await;
        assert_eq!(hostless.status(), StatusCode::BAD_REQUEST);
        assert_eq!(hostless.headers()["connection"], "close");
        let options = ask(Method::OPTIONS, Some("a"), false).await;
        assert_eq!(options.status(), StatusCode::NO_CONTENT);
        assert_eq!(options.headers()[ALLOW], "GET,HEAD");
    }
}
