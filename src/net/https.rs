//! HTTP/1.1 clients for occasional requests, without redirects. The gateway's upstreams use other connections.

use std::{error::Error, fs, net::IpAddr, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Response, Uri, header::USER_AGENT, request};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A client with a limit on the time and the size of a response.
#[derive(Clone)]
pub struct BoundedClient {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    timeout: Duration,
    max_response_bytes: usize,
}

/// Why a request failed. The message continues a sentence that begins with the server's name, and never contains the
/// address, which may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallFault {
    /// The request cannot be built.
    #[error("cannot be called: {0}")]
    InvalidRequest(String),
    /// The connection fails, or no answer comes.
    #[error("does not respond: {0}")]
    NoResponse(String),
    /// The answer does not come in time, or not all of it.
    #[error("does not respond in {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The body of the answer breaks off, or is too long.
    #[error("sent an incomplete response: {0}")]
    Body(String),
}

impl BoundedClient {
    /// A client that has not connected yet.
    #[must_use]
    pub fn new(tls: ClientConfig, timeout: Duration, max_response_bytes: usize) -> Self {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            timeout,
            max_response_bytes,
        }
    }

    /// Sends a request, as akgate. The body of the answer may be at fault by itself.
    ///
    /// # Errors
    /// [`CallFault`].
    pub async fn send(
        &self,
        request: request::Builder,
        body: impl Into<Bytes>,
    ) -> Result<Response<Result<Bytes, CallFault>>, CallFault> {
        let request = request
            .header(USER_AGENT, concat!("akgate/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(body.into()))
            .map_err(|fault| CallFault::InvalidRequest(fault.to_string()))?;
        let sending = async {
            let answer = self.client.request(request).await;
            let answer = answer.map_err(|fault| CallFault::NoResponse(root_cause(&fault)))?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, self.max_response_bytes).collect().await;
            let body = body.map(http_body_util::Collected::to_bytes);
            let body = body.map_err(|fault| CallFault::Body(root_cause(&*fault)));
            Ok(Response::from_parts(head, body))
        };
        tokio::time::timeout(self.timeout, sending)
            .await
            .map_err(|_| CallFault::TimedOut(self.timeout))?
    }
}

/// Why no certificate authority can be loaded.
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

/// The TLS settings of a client: trusts the certificate authority in a PEM file, or else the public ones.
///
/// # Errors
/// [`TrustFault`].
pub fn client_config(ca: Option<&Path>) -> Result<ClientConfig, TrustFault> {
    Ok(trusted_roots_builder(ca)?.with_no_client_auth())
}

/// As [`client_config`], with a client certificate and its key, both PEM files.
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
        true => Err(TrustFault::new(path, "contains no certificate in PEM form")),
        false => Ok(found),
    }
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

/// The innermost error: the outer ones only say that a request failed, and may contain a secret address.
fn root_cause(fault: &dyn Error) -> String {
    let mut cause = fault;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    #[tokio::test]
    async fn answer_is_bounded_and_no_fault_holds_the_address() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = server.local_addr().unwrap();
        let client = BoundedClient::new(client_config(None).unwrap(), Duration::from_secs(1), 4);
        let call = || {
            client.send(
                http::Request::get(format!("http://{at}/room?token=s3cret")),
                "",
            )
        };
        let serve = async {
            let (mut peer, _) = server.accept().await.unwrap();
            peer.read_u8().await.unwrap();
            let long = b"HTTP/1.1 404 Not Found\r\ncontent-length: 5\r\n\r\nlong!";
            peer.write_all(long).await.unwrap();
            peer
        };
        let (answer, _peer) = tokio::join!(call(), serve);
        let answer = answer.unwrap();
        assert_eq!(answer.status(), http::StatusCode::NOT_FOUND);
        assert!(matches!(answer.body(), Err(CallFault::Body(_))));

        let silent = call().await.unwrap_err();
        assert_eq!(silent.to_string(), "does not respond in 1 s");
        drop(server);
        let refused = call().await.unwrap_err().to_string();
        assert!(refused.starts_with("does not respond: "), "{refused}");
        assert!(!refused.contains("s3cret"), "{refused}");
    }
}
