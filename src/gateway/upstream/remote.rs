//! A server that is reached by HTTP/1.1, with or without TLS.

use std::{error::Error, iter, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Uri, Version,
    header::{CONNECTION, HOST, PROXY_AUTHENTICATE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE},
    uri::{Authority, Scheme},
};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::HttpConnector;

use super::{
    Answer, PrintedRequest, SendError, Upstream,
    connections::{ConnectionError, Connections},
};
use akgate_rules::{fault::Fault, operation::Product};

/// Tells the upstream that it may have received this read before: a reused connection was closed before the answer. A
/// caller's own headers with this prefix are never forwarded.
pub const RESENT_HEADER: HeaderName = HeaderName::from_static("x-akgate-resent");

/// The server. A clone shares its connections.
#[derive(Clone)]
pub struct HttpUpstream {
    connections: Connections,
    authority: Authority,
    host: HeaderValue,
    timeout: Duration,
}

impl HttpUpstream {
    /// A server, without a connection yet. `timeout` is for the head of an answer; a connection that lay idle for
    /// `idle_timeout` is not used again.
    ///
    /// # Errors
    /// Where scheme and authority form no URI, or the authority no `Host`.
    pub fn new(
        scheme: Scheme,
        authority: Authority,
        tls: rustls::ClientConfig,
        timeout: Duration,
        idle_timeout: Duration,
    ) -> Result<Self, http::Error> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(Duration::from_secs(5).min(timeout)));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let server = Uri::builder()
            .scheme(scheme)
            .authority(authority.clone())
            .path_and_query("/")
            .build()?;
        Ok(Self {
            connections: Connections::new(connector, server, idle_timeout),
            host: HeaderValue::from_str(authority.as_str())?,
            authority,
            timeout,
        })
    }
}

impl Upstream for HttpUpstream {
    async fn send(&self, _: &Product, request: PrintedRequest) -> Result<Answer, SendError> {
        let PrintedRequest {
            http: mut request,
            deadline,
            is_read,
            ..
        } = request;
        *request.version_mut() = Version::HTTP_11;
        // The caller's own `Host` is kept where its signature is: it covers it.
        request
            .headers_mut()
            .entry(HOST)
            .or_insert_with(|| self.host.clone());
        let again = is_read.then(|| resent(&request));
        let request = request.map(Body::from);
        let sending = self.connections.send(request, again, deadline);
        let mut answer = match tokio::time::timeout(self.timeout, sending).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(ConnectionError::TooLate)) => return Err(SendError::TooLate),
            Ok(Err(ConnectionError::Failed(fault))) => {
                let fault = with_causes(fault.as_ref());
                tracing::warn!(upstream = %self.authority, fault, "an upstream does not answer");
                return Err(SendError::Unanswered(Fault::Unavailable));
            }
            Err(_) => {
                tracing::warn!(upstream = %self.authority, "an upstream does not answer in time");
                return Err(SendError::Unanswered(Fault::Unavailable));
            }
        };
        strip_hop_by_hop(answer.headers_mut());
        *answer.version_mut() = Version::HTTP_11;
        Ok(answer)
    }

    fn with_own_connections(&self) -> Self {
        Self {
            connections: self.connections.with_own_pool(),
            ..self.clone()
        }
    }
}

/// The same request, to be sent once more: it tells the upstream so.
fn resent(request: &Request<Bytes>) -> Request<Body> {
    let mut again = request.clone().map(Body::from);
    again
        .headers_mut()
        .insert(RESENT_HEADER, HeaderValue::from_static("1"));
    again
}

/// The outermost error alone does not help an operator.
fn with_causes(fault: &(dyn Error + 'static)) -> String {
    let causes = iter::successors(Some(fault), |&fault| fault.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
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
