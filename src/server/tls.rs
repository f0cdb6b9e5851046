//! Certificates: read at the start, and again when their files change.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum_server::tls_rustls::RustlsConfig;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::task::JoinHandle;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// A certificate with its key.
pub struct Tls {
    files: Files,
    contents: Contents,
    config: RustlsConfig,
}

#[derive(Debug, Clone)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

#[derive(Clone, PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path}: {fault}")]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        fault: io::Error,
    },
    /// A file is no PEM of its kind.
    #[error("{path}: no {what} in PEM form")]
    Pem {
        /// Which one.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
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
    /// Reads a certificate chain and its key, both PEM files.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let files = Files {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        };
        let contents = files.read()?;
        let config = RustlsConfig::from_config(Arc::new(files.config(&contents)?));
        Ok(Self {
            files,
            contents,
            config,
        })
    }

    /// Starts looking at the files. A certificate that is broken is logged and the one before kept.
    pub(super) fn watch(self) -> (RustlsConfig, JoinHandle<()>) {
        let Self {
            files,
            mut contents,
            config,
        } = self;
        let serving = config.clone();
        let watching = tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK).await;
                let Ok(found) = files.read() else {
                    // In the middle of being replaced.
                    continue;
                };
                if found == contents {
                    continue;
                }
                match files.config(&found) {
                    Ok(new) => {
                        config.reload_from_config(Arc::new(new));
                        tracing::info!(certificate = %files.certificate.display(), "certificate read again");
                    }
                    Err(fault) => {
                        tracing::error!(%fault, "a new certificate cannot be used; the old one is kept");
                    }
                }
                contents = found;
            }
        });
        (serving, watching)
    }
}

impl Files {
    fn read(&self) -> Result<Contents, TlsError> {
        let read = |path: &Path| {
            fs::read(path).map_err(|fault| TlsError::File {
                path: path.to_owned(),
                fault,
            })
        };
        Ok(Contents {
            certificate: read(&self.certificate)?,
            key: read(&self.key)?,
        })
    }

    fn config(&self, contents: &Contents) -> Result<ServerConfig, TlsError> {
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
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(pair)?
                .with_no_client_auth()
                .with_single_cert(chain, key)
                .map_err(pair)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}
