//! The upstreams: the handlers of RAM, IMS, STS and others, in this process or behind HTTP/1.1.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use futures_core::future::BoxFuture;
use http::{
    HeaderMap, HeaderName, Uri, Version,
    header::{CONNECTION, PROXY_AUTHENTICATE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE},
    uri::{Authority, Scheme},
};
use http_body_util::{BodyExt, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tower::Service;

use super::{
    call::Answer,
    forward::{Called, NoAnswer},
};
use crate::{fault::Fault, operation::Product, sandbox::Sandbox};

/// The longest printed body that the sandbox takes, in bytes: the receiving station's limit is below it.
const SANDBOX_BODY: usize = 64 << 20;

/// One upstream.
#[derive(Clone)]
pub enum Upstream {
    /// The sandbox in this process.
    Sandbox(Sandbox),
    /// Another server.
    Http(Box<HttpUpstream>),
}

/// A server that is reached by HTTP/1.1, with or without TLS.
#[derive(Clone)]
pub struct HttpUpstream {
    client: Client<HttpsConnector<HttpConnector>, Body>,
    scheme: Scheme,
    authority: Authority,
    timeout: Duration,
}

impl HttpUpstream {
    /// A client with a pool of connections. `timeout` is for the head of an answer.
    #[must_use]
    pub fn new(
        scheme: Scheme,
        authority: Authority,
        tls: rustls::ClientConfig,
        timeout: Duration,
    ) -> Self {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(Duration::from_secs(5).min(timeout)));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .build(connector);
        Self {
            client,
            scheme,
            authority,
            timeout,
        }
    }

    async fn call(&self, mut request: http::Request<Body>) -> Result<Answer, Fault> {
        let mut uri = std::mem::take(request.uri_mut()).into_parts();
        uri.scheme = Some(self.scheme.clone());
        uri.authority = Some(self.authority.clone());
        *request.uri_mut() =
            Uri::from_parts(uri).map_err(|_| Fault::Internal("a printed target is no URI"))?;
        *request.version_mut() = Version::HTTP_11;
        let sent = tokio::time::timeout(self.timeout, self.client.request(request)).await;
        let mut answer = match sent {
            Ok(Ok(answer)) => answer.map(Body::new),
            Ok(Err(fault)) => {
                tracing::warn!(upstream = %self.authority, %fault, "an upstream does not answer");
                return Err(Fault::Unavailable);
            }
            Err(_) => {
                tracing::warn!(upstream = %self.authority, "an upstream does not answer in time");
                return Err(Fault::Unavailable);
            }
        };
        strip_hop_by_hop(answer.headers_mut());
        *answer.version_mut() = Version::HTTP_11;
        Ok(answer)
    }
}

/// What belongs to one connection is not for the caller's (RFC 9110, section 7.6.1).
fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let fixed = [
        CONNECTION,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
        PROXY_AUTHENTICATE,
        TE,
        TRAILER,
        TRANSFER_ENCODING,
        UPGRADE,
    ];
    for name in named.into_iter().chain(fixed) {
        headers.remove(name);
    }
}

/// All upstreams, as the service that the gate stands in front of.
#[derive(Clone, Default)]
pub struct Upstreams(Arc<HashMap<Product, Upstream>>);

impl Upstreams {
    /// The upstreams by product.
    #[must_use]
    pub fn new(by_product: HashMap<Product, Upstream>) -> Self {
        Self(Arc::new(by_product))
    }

    async fn answer(&self, request: http::Request<Body>) -> Answer {
        let product = request.extensions().get::<Called>().map(|called| &called.0);
        let answered = match product.and_then(|product| self.0.get(product)) {
            Some(Upstream::Sandbox(sandbox)) => in_process(sandbox, request).await,
            Some(Upstream::Http(upstream)) => upstream.call(request).await,
            None => Err(Fault::InvalidVersion),
        };
        answered.unwrap_or_else(|fault| {
            let mut answer = Answer::default();
            answer.extensions_mut().insert(NoAnswer(fault));
            answer
        })
    }
}

async fn in_process(sandbox: &Sandbox, request: http::Request<Body>) -> Result<Answer, Fault> {
    let (head, body) = request.into_parts();
    let body: Bytes = Limited::new(body, SANDBOX_BODY)
        .collect()
        .await
        .map_err(|_| Fault::Internal("a printed body cannot be read"))?
        .to_bytes();
    let request = http::Request::from_parts(head, body);
    Ok(sandbox.call(request).await.map(Body::from))
}

impl Service<http::Request<Body>> for Upstreams {
    type Response = Answer;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Answer, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let upstreams = self.clone();
        Box::pin(async move { Ok(upstreams.answer(request).await) })
    }
}
