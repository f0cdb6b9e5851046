//! Clients of servers that we call now and then: http or https, HTTP/1.1, no redirects. The gateway's upstreams have
//! connections of their own.

use std::{error::Error, fs, net::IpAddr, path::Path, sync::Arc, time::Duration};

use http::Uri;
use http_body::Body;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

/// A client whose requests have this body.
pub type HttpsClient<B> = legacy::Client<HttpsConnector<HttpConnector>, B>;

/// Why nobody could be trusted.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct TrustFault {
    path: String,
    reason: String,
}

impl TrustFault {
    fn new(path: &Path, reason: impl Into<String>) -> Self {
        Self {
            path: path.display().to_string(),
            reason: reason.into(),
        }
    }
}

/// How servers are known: by a certificate authority of one's own, a PEM file, or by those of the web.
///
/// # Errors
/// [`TrustFault`].
pub fn client_config(ca: Option<&Path>) -> Result<ClientConfig, TrustFault> {
    Ok(trusted_roots_builder(ca)?.with_no_client_auth())
}

/// As [`client_config`]; and how we are known to them: by a certificate chain and its key, both PEM files.
///
/// # Errors
/// [`TrustFault`].
pub fn mutual_client_config(
    ca: Option<&Path>,
    certificate: &Path,
    key: &Path,
) -> Result<ClientConfig, TrustFault> {
    let chain = read_certificates(certificate)?;
    let secret = PrivateKeyDer::from_pem_file(key)
        .map_err(|fault| TrustFault::new(key, fault.to_string()))?;
    trusted_roots_builder(ca)?
        .with_client_auth_cert(chain, secret)
        .map_err(|fault| TrustFault::new(certificate, fault.to_string()))
}

fn trusted_roots_builder(
    ca: Option<&Path>,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>, TrustFault> {
    let mut roots = RootCertStore::empty();
    match ca {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            for certificate in read_certificates(path)? {
                roots
                    .add(certificate)
                    .map_err(|fault| TrustFault::new(path, fault.to_string()))?;
            }
        }
    }
    let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|fault| TrustFault::new(ca.unwrap_or(Path::new("TLS")), fault.to_string()))?;
    Ok(tls.with_root_certificates(roots))
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustFault> {
    let pem = fs::read(path).map_err(|fault| TrustFault::new(path, fault.to_string()))?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .unwrap_or_default();
    match found.is_empty() {
        true => Err(TrustFault::new(path, "no certificate in PEM form")),
        false => Ok(found),
    }
}

/// A client that has not connected yet.
#[must_use]
pub fn new_client<B>(tls: ClientConfig, connect_timeout: Duration) -> HttpsClient<B>
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

/// Whether secrets may be sent to this address: over https, or over http to this machine.
#[must_use]
pub fn is_safe_for_secrets(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else {
        return false;
    };
    let host = uri.host().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let is_here = host == "localhost" || address.is_ok_and(|ip| ip.is_loopback());
    match uri.scheme_str() {
        Some("https") => true,
        Some("http") => is_here,
        Some(_) | None => false,
    }
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
