//! Clients of servers that we call now and then: http or https, HTTP/1.1, no redirects. The gateway's upstreams have
//! connections of their own.

use std::{error::Error, time::Duration};

use http_body::Body;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};

/// A client whose requests have this body.
pub type Client<B> = legacy::Client<HttpsConnector<HttpConnector>, B>;

/// A client that has not connected yet.
#[must_use]
pub fn client<B>(tls: rustls::ClientConfig, connect_timeout: Duration) -> Client<B>
where
    B: Body + Send,
    B::Data: Send,
{
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_connect_timeout(Some(connect_timeout));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(http);
    legacy::Client::builder(TokioExecutor::new()).build(connector)
}

/// The innermost reason: the outer ones say only that a request failed, and may name an address that is a secret.
#[must_use]
pub fn root_cause(fault: &dyn Error) -> String {
    let mut cause = fault;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
