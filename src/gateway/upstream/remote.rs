//! A server that is reached by HTTP/1.1, with or without TLS.

use std::{error::Error, iter, time::Duration};

use axum::body::Body;
use http::{
    HeaderMap, HeaderName, HeaderValue, Uri, Version,
    header::{CONNECTION, HOST, PROXY_AUTHENTICATE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE},
    uri::{Authority, Scheme},
};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::HttpConnector;

use super::connections::{Connections, Unanswered};
use crate::{call::Answer, forward::NoAnswer};
use akgate_rules::fault::Fault;

/// The server. A clone shares its connections.
#[derive(Clone)]
pub struct HttpUpstream {
    connections: Connections,
    authority: Authority,
    host: HeaderValue,
    timeout: Duration,
}

impl HttpUpstream {
    /// A server, without a connection yet. `timeout` is for the head of an answer.
    ///
    /// # Errors
    /// Where scheme and authority form no URI, or the authority no `Host`.
    pub fn new(
        scheme: Scheme,
        authority: Authority,
        tls: rustls::ClientConfig,
        timeout: Duration,
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
            connections: Connections::new(connector, server),
            host: HeaderValue::from_str(authority.as_str())?,
            authority,
            timeout,
        })
    }

    /// The same server by connections of its own: those of one core are no other's.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self {
            connections: self.connections.apart(),
            ..self.clone()
        }
    }

    /// Sends a request; its target is in origin form. Where it names no host, the server's is named.
    pub(super) async fn call(&self, mut request: http::Request<Body>) -> Result<Answer, NoAnswer> {
        *request.version_mut() = Version::HTTP_11;
        request
            .headers_mut()
            .entry(HOST)
            .or_insert_with(|| self.host.clone());
        let sent = tokio::time::timeout(self.timeout, self.connections.send(request)).await;
        let mut answer = match sent {
            Ok(Ok(answer)) => answer,
            Ok(Err(Unanswered::TooLate)) => return Err(NoAnswer::TooLate),
            Ok(Err(Unanswered::Failed(fault))) => {
                let fault = with_causes(fault.as_ref());
                tracing::warn!(upstream = %self.authority, fault, "an upstream does not answer");
                return Err(NoAnswer::Fault(Fault::Unavailable));
            }
            Err(_) => {
                tracing::warn!(upstream = %self.authority, "an upstream does not answer in time");
                return Err(NoAnswer::Fault(Fault::Unavailable));
            }
        };
        strip_hop_by_hop(answer.headers_mut());
        *answer.version_mut() = Version::HTTP_11;
        Ok(answer)
    }
}

/// What the outermost error says alone is not what an operator can act on.
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
