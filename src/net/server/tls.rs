//! Server certificates and the authority of client certificates: read at the start, and again when their files change.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum_server::tls_rustls::RustlsConfig;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, pem::PemObject},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use time::OffsetDateTime;
use tokio::task::JoinHandle;
use x509_parser::parse_x509_certificate;

/// How often the files are checked.
const RELOAD_INTERVAL: Duration = Duration::from_secs(1);

/// A certificate with its key.
pub struct Tls {
    files: TlsFiles,
    contents: TlsContents,
    config: RustlsConfig,
}

/// The authority of client certificates. A client without a certificate is served; one with a certificate of another
/// authority is not.
#[derive(Debug, Clone)]
pub struct ClientAuthority {
    /// Certificates of the authority, a PEM file.
    pub certificates: PathBuf,
    /// Its revocation lists, a PEM file.
    pub revoked: Option<PathBuf>,
}

#[derive(Debug, Clone)]
struct TlsFiles {
    certificate: PathBuf,
    key: PathBuf,
    clients: Option<ClientAuthority>,
}

#[derive(Clone, PartialEq, Eq)]
struct TlsContents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    authority: Vec<u8>,
    revoked: Vec<u8>,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path}: {fault}")]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        fault: io::Error,
    },
    /// A file is no PEM of its kind.
    #[error("{path}: contains no {what} in PEM form")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// The authority or the revocation lists cannot be used.
    #[error("{authority}: {reason}")]
    Authority {
        /// The authority's file.
        authority: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The key is not the certificate's, or of a kind that is not supported.
    #[error("{certificate} and {key}: {fault}")]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        fault: rustls::Error,
    },
}

impl Tls {
    /// Reads a certificate chain and its key, both PEM files, and the authority of clients where they may show
    /// certificates.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn load(
        certificate: &Path,
        key: &Path,
        clients: Option<ClientAuthority>,
    ) -> Result<Self, TlsError> {
        let files = TlsFiles {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            clients,
        };
        let contents = files.read()?;
        let config = RustlsConfig::from_config(Arc::new(files.config(&contents)?));
        Ok(Self {
            files,
            contents,
            config,
        })
    }

    /// When the certificate ends; `None` where it does not say.
    #[must_use]
    pub fn ends_at(&self) -> Option<OffsetDateTime> {
        let chain = CertificateDer::pem_slice_iter(&self.contents.certificate);
        let own = chain.flatten().next()?;
        let (_, certificate) = parse_x509_certificate(&own).ok()?;
        Some(certificate.validity().not_after.to_datetime())
    }

    /// Starts watching the files. A certificate that cannot be used is logged, and the old one is kept.
    pub(super) fn watch(self) -> (RustlsConfig, JoinHandle<()>) {
        let Self {
            files,
            mut contents,
            config,
        } = self;
        let serving = config.clone();
        let watching = tokio::spawn(async move {
            loop {
                tokio::time::sleep(RELOAD_INTERVAL).await;
                let Ok(found) = files.read() else {
                    // The files are just being replaced.
                    continue;
                };
                if found == contents {
                    continue;
                }
                match files.config(&found) {
                    Ok(new) => {
                        config.reload_from_config(Arc::new(new));
                        tracing::info!(certificate = %files.certificate.display(), "certificate reloaded");
                    }
                    Err(fault) => {
                        tracing::error!(%fault, "cannot use a new certificate; keeping the old one");
                    }
                }
                contents = found;
            }
        });
        (serving, watching)
    }
}

impl TlsFiles {
    fn read(&self) -> Result<TlsContents, TlsError> {
        let read = |path: &Path| {
            fs::read(path).map_err(|fault| TlsError::File {
                path: path.to_owned(),
                fault,
            })
        };
        let read_if = |path: Option<&Path>| path.map_or(Ok(Vec::new()), read);
        let clients = self.clients.as_ref();
        Ok(TlsContents {
            certificate: read(&self.certificate)?,
            key: read(&self.key)?,
            authority: read_if(clients.map(|clients| clients.certificates.as_path()))?,
            revoked: read_if(clients.and_then(|clients| clients.revoked.as_deref()))?,
        })
    }

    fn config(&self, contents: &TlsContents) -> Result<ServerConfig, TlsError> {
        let pem = |path: &Path, what| TlsError::Pem {
            path: path.to_owned(),
            what,
        };
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(&contents.certificate)
                .collect::<Result<_, _>>()
                .map_err(|_| pem(&self.certificate, "certificate"))?;
        if chain.is_empty() {
            return Err(pem(&self.certificate, "certificate"));
        }
        let key = PrivateKeyDer::from_pem_slice(&contents.key)
            .map_err(|_| pem(&self.key, "private key"))?;
        let pair = |fault| TlsError::Pair {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            fault,
        };
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(pair)?;
        let config = match &self.clients {
            Some(clients) => config.with_client_cert_verifier(client_verifier(clients, contents)?),
            None => config.with_no_client_auth(),
        };
        let mut config = config.with_single_cert(chain, key).map_err(pair)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// Verifies client certificates.
fn client_verifier(
    clients: &ClientAuthority,
    contents: &TlsContents,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let wrong = |reason: String| TlsError::Authority {
        authority: clients.certificates.clone(),
        reason,
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&contents.authority) {
        let certificate =
            certificate.map_err(|_| wrong("contains no certificate in PEM form".into()))?;
        roots
            .add(certificate)
            .map_err(|fault| wrong(fault.to_string()))?;
    }
    let lists: Vec<CertificateRevocationListDer<'static>> =
        CertificateRevocationListDer::pem_slice_iter(&contents.revoked)
            .collect::<Result<_, _>>()
            .map_err(|_| wrong("its revocation list is not in PEM form".into()))?;
    if clients.revoked.is_some() && lists.is_empty() {
        return Err(wrong("there is no revocation list in PEM form".into()));
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .allow_unauthenticated()
        .with_crls(lists)
        .only_check_end_entity_revocation();
    verifier.build().map_err(|fault| wrong(fault.to_string()))
}
