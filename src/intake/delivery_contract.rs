//! The contract of a source that signs its deliveries: one mechanism for GitHub secret scanning, the GitLab partner
//! API, deps.dev and other sources that work like them.
//!
//! One header names a key of the source; another contains that key's signature over the raw body (ECDSA P-256 with
//! SHA-256, ASN.1 DER in standard base64). The source publishes its keys as `{"public_keys": [{"key_identifier", "key",
//! "is_current"}]}`.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName};
use serde::Deserialize;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{refusal::DeliveryRefusal, signature::is_der_signature};

/// What binds a key to its identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyIdCheck {
    /// Nothing.
    None,
    /// The identifier is SHA-256 of the PEM text with its final newline, as GitHub's are.
    Sha256Pem,
    /// The identifier is SHA-1 of it, as GitLab's are.
    Sha1Pem,
}

impl KeyIdCheck {
    /// Whether a key is the one that its identifier names.
    #[must_use]
    pub fn holds(self, key_identifier: &str, pem: &str) -> bool {
        let text = format!("{}\n", pem.trim_end());
        match self {
            Self::None => true,
            Self::Sha256Pem => hex::encode(Sha256::digest(text)) == key_identifier,
            Self::Sha1Pem => hex::encode(Sha1::digest(text)) == key_identifier,
        }
    }
}

/// How a source delivers.
#[derive(Debug, Clone)]
pub struct DeliveryContract {
    /// The source's name: in the path of its endpoint, and recorded with every report.
    pub name: String,
    /// The header that names the key.
    pub id_header: HeaderName,
    /// The header that holds the signature.
    pub signature_header: HeaderName,
    /// What binds a key to its identifier.
    pub id_check: KeyIdCheck,
    /// Whether the response tells the source what became of each element.
    pub feedback: bool,
}

/// What the headers of a delivery say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SignatureHeaders {
    pub key_identifier: String,
    pub signature: Vec<u8>,
}

/// The longest identifier of a key.
const MAX_KEY_ID_BYTES: usize = 128;

impl DeliveryContract {
    /// Reads the headers: each once, and as the contract has it.
    pub(super) fn claim(&self, headers: &HeaderMap) -> Result<SignatureHeaders, DeliveryRefusal> {
        let missing =
            "send the headers for the key identifier and for the signature exactly once each";
        let once = |name: &HeaderName| {
            let mut values = headers.get_all(name).iter();
            match (values.next(), values.next()) {
                (Some(value), None) => value.to_str().ok(),
                _ => None,
            }
        };
        let id = once(&self.id_header).ok_or(DeliveryRefusal::Malformed(missing))?;
        let signature = once(&self.signature_header).ok_or(DeliveryRefusal::Malformed(missing))?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if id.is_empty() || id.len() > MAX_KEY_ID_BYTES || !id.bytes().all(plain) {
            return Err(DeliveryRefusal::Malformed(
                "the key identifier must be 1 to 128 letters, digits, dots, hyphens and underscores",
            ));
        }
        let signature = STANDARD.decode(signature).ok();
        let signature =
            signature
                .filter(|bytes| is_der_signature(bytes))
                .ok_or(DeliveryRefusal::Malformed(
                    "the signature must be ASN.1 DER in standard base64 with padding",
                ))?;
        Ok(SignatureHeaders {
            key_identifier: id.to_owned(),
            signature,
        })
    }
}
