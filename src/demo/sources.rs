//! Sources of leak reports for trying out: one that signs with a key that the demo creates and publishes, a GitLab with
//! a token, and the public. A file of shell variables contains what they need.

use std::{fs, io, num::NonZeroU32, path::Path, sync::Arc};

use aws_lc_rs::{
    encoding::AsDer,
    error::Unspecified,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use axum::{Json, Router, routing::get};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::Uri;
use rustls::{RootCertStore, crypto};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{report::Endpoints, seed::Fixtures};
use crate::app::IntakeSettings;
use akgate_intake::{
    DeliveryContract, PublicReporting, SigningKeyFetcher, TokenSource,
    delivery_contract::KeyIdCheck,
};

/// The token of the GitLab source.
const GITLAB_TOKEN: &str = "demo-token-that-both-sides-have-agreed-on";

/// Where the demo publishes the key that its source signs with.
const KEYS_PATH: &str = "/demo/signing-keys";

/// How many reports a minute the public may send.
const PUBLIC_REPORTS_PER_MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(59);

/// A source that signs.
pub struct DemoSource {
    key_file: String,
    key_identifier: String,
    published: Value,
}

impl DemoSource {
    /// Makes a key pair and writes its private half into a file of the folder, for `openssl`.
    ///
    /// # Errors
    /// No key can be created, or the file cannot be written.
    pub fn new(folder: &Path) -> io::Result<Self> {
        let (private, public) =
            generate_key_pair().map_err(|_| io::Error::other("cannot create a key pair"))?;
        let file = folder.join("source-key.pem");
        fs::write(&file, private)?;
        let key_identifier = hex::encode(Sha256::digest(&public));
        Ok(Self {
            key_file: file.display().to_string(),
            published: json!({ "public_keys": [
                { "key_identifier": key_identifier, "key": public, "is_current": true }
            ] }),
            key_identifier,
        })
    }

    /// Publishes the key.
    pub fn router(&self) -> Router {
        let published = self.published.clone();
        Router::new().route(KEYS_PATH, get(|| async move { Json(published) }))
    }

    /// The settings of the intake for all sources.
    ///
    /// # Errors
    /// The address of the public listener is not a valid URL.
    pub fn settings(&self, public_url: &str) -> io::Result<IntakeSettings> {
        let url: Uri = format!("{public_url}{KEYS_PATH}")
            .parse()
            .map_err(io::Error::other)?;
        let host = url.authority().map_or("", |host| host.as_str()).to_owned();
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(
            crypto::aws_lc_rs::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
        let origin = DeliveryContract {
            name: "github".to_owned(),
            id_header: http::HeaderName::from_static("github-public-key-identifier"),
            signature_header: http::HeaderName::from_static("github-public-key-signature"),
            id_check: KeyIdCheck::Sha256Pem,
            feedback: true,
        };
        Ok(IntakeSettings {
            signing_sources: vec![(origin, SigningKeyFetcher::new(url, None, tls))],
            token_sources: vec![TokenSource {
                name: "gitlab".to_owned(),
                token_sha256: Sha256::digest(GITLAB_TOKEN).into(),
            }],
            public_reporting: Some(PublicReporting::new(
                host,
                PUBLIC_REPORTS_PER_MINUTE,
                PUBLIC_REPORTS_PER_MINUTE,
            )),
            ..IntakeSettings::default()
        })
    }

    /// Writes the shell variables for acting as the sources; returns the file.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn write_variables(
        &self,
        folder: &Path,
        endpoints: &Endpoints,
        fixtures: &Fixtures,
    ) -> io::Result<String> {
        let file = folder.join("env");
        let variables = [
            ("GATEWAY", endpoints.gateway_url.as_str()),
            ("PUBLIC", &endpoints.public_url),
            ("ADMIN", &endpoints.admin_url),
            ("TOKEN", &endpoints.operator_token),
            ("KEY_FILE", &self.key_file),
            ("KEY_ID", &self.key_identifier),
            ("GITLAB_TOKEN", GITLAB_TOKEN),
            ("LEAKED_ID", &fixtures.bob.access_key_id),
            ("LEAKED_SECRET", &fixtures.bob.access_key_secret),
        ];
        let text: String = variables
            .iter()
            .map(|(name, value)| format!("{name}='{value}'\n"))
            .collect();
        fs::write(&file, text)?;
        Ok(file.display().to_string())
    }
}

/// A P-256 key pair, both halves as PEM.
fn generate_key_pair() -> Result<(String, String), Unspecified> {
    let document =
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new())?;
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref())
        .map_err(|_| Unspecified)?;
    let public = pair.public_key().as_der()?;
    Ok((
        encode_pem("PRIVATE KEY", document.as_ref()),
        encode_pem("PUBLIC KEY", public.as_ref()),
    ))
}

/// Text of RFC 7468: lines of 64 characters between a head and a foot.
fn encode_pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut lines = String::new();
    let mut rest = text.as_str();
    while let Some((line, after)) = rest.split_at_checked(64) {
        lines.push_str(line);
        lines.push('\n');
        rest = after;
    }
    if !rest.is_empty() {
        lines.push_str(rest);
        lines.push('\n');
    }
    format!("-----BEGIN {label}-----\n{lines}-----END {label}-----\n")
}
