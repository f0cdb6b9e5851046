//! ECDSA P-256 with SHA-256 over raw bytes, ASN.1 DER. A high S is accepted, because sources do not normalise it.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ParsedPublicKey};
use rustls::pki_types::{SubjectPublicKeyInfoDer, pem::PemObject};

/// A public key that a source signs with.
#[derive(Debug, Clone)]
pub struct VerifyingKey(ParsedPublicKey);

impl VerifyingKey {
    /// Reads a SubjectPublicKeyInfo in PEM (RFC 7468, section 13). `None` where it is none of P-256.
    #[must_use]
    pub fn from_pem(pem: &str) -> Option<Self> {
        let info = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).ok()?;
        Self::from_der(&info)
    }

    /// Reads a SubjectPublicKeyInfo in DER (RFC 5280, section 4.1).
    #[must_use]
    pub fn from_der(info: &[u8]) -> Option<Self> {
        ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, info)
            .ok()
            .map(Self)
    }

    /// Whether this key has signed exactly these bytes.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify_sig(message, signature).is_ok()
    }
}

/// Whether bytes have the shape of an `Ecdsa-Sig-Value` (RFC 3279, section 2.2.3) of a curve of 256 bits: a sequence of
/// two integers, short ones included.
#[must_use]
pub fn is_der_signature(bytes: &[u8]) -> bool {
    let Some((content, [])) = read_der_element(bytes, 0x30) else {
        return false;
    };
    let Some((r, rest)) = read_der_element(content, 0x02) else {
        return false;
    };
    let Some((s, [])) = read_der_element(rest, 0x02) else {
        return false;
    };
    [r, s].iter().all(|one| (1..=33).contains(&one.len()))
}

/// One element of a tag and a short length, and what follows it.
fn read_der_element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    match bytes {
        [found, length, rest @ ..] if *found == tag && *length < 0x80 => {
            rest.split_at_checked(usize::from(*length))
        }
        _ => None,
    }
}
