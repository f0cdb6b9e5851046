//! Signing messages (DKIM, RFC 6376; Ed25519 by RFC 8463), relaxed in header and body.
//!
//! Signing alone, and so not a library's: those that sign with RSA bring a resolver, or the `rsa` crate, with them.

use std::path::{Path, PathBuf};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use lettre::{
    Message,
    message::header::{HeaderName, HeaderValue},
};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

const HEADER_NAME: &str = "DKIM-Signature";

/// The headers that are signed if present. `From` is named once more, so that nobody adds a second.
const SIGNED_HEADERS: [&str; 11] = [
    "from",
    "to",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "reply-to",
    "auto-submitted",
    "mime-version",
    "content-type",
];

/// Signs for one domain.
pub struct Dkim {
    domain: String,
    selector: String,
    key: SigningKey,
}

enum SigningKey {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: contains no RSA or Ed25519 private key in PEM form")]
pub struct DkimFault {
    /// Its file.
    path: PathBuf,
}

impl Dkim {
    /// Reads a key. Its public half is at `SELECTOR._domainkey.DOMAIN`.
    ///
    /// # Errors
    /// [`DkimFault`].
    pub fn load(domain: &str, selector: &str, path: &Path) -> Result<Self, DkimFault> {
        let fault = || DkimFault {
            path: path.to_owned(),
        };
        let key = match PrivateKeyDer::from_pem_file(path).map_err(|_| fault())? {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der())
                .map(Box::new)
                .map(SigningKey::Rsa)
                .map_err(|_| fault())?,
            PrivateKeyDer::Pkcs8(der) => {
                let der = der.secret_pkcs8_der();
                let rsa = RsaKeyPair::from_pkcs8(der)
                    .map(Box::new)
                    .map(SigningKey::Rsa);
                rsa.or_else(|_| {
                    Ed25519KeyPair::from_pkcs8(der).map(|key| SigningKey::Ed25519(Box::new(key)))
                })
                .map_err(|_| fault())?
            }
            _ => return Err(fault()),
        };
        Ok(Self {
            domain: domain.to_owned(),
            selector: selector.to_owned(),
            key,
        })
    }

    /// Adds the signature; `None` where the key does not sign, and the message is as it was.
    #[must_use]
    pub fn sign(&self, message: &Message, now: OffsetDateTime) -> Option<Message> {
        let bytes = message.formatted();
        let (head, body) = split_message(&bytes)?;
        let headers = parse_headers(head);
        let present: Vec<&str> = SIGNED_HEADERS
            .into_iter()
            .filter(|name| headers.iter().any(|(found, _)| found == name))
            .collect();
        let body_hash = STANDARD.encode(Sha256::digest(relax_body(body)));
        let algorithm = match self.key {
            SigningKey::Rsa(_) => "rsa-sha256",
            SigningKey::Ed25519(_) => "ed25519-sha256",
        };
        let unsigned = format!(
            "v=1; a={algorithm}; c=relaxed/relaxed; d={}; s={};\r\n t={}; h={}:from;\r\n bh={body_hash};\r\n b=",
            self.domain,
            self.selector,
            now.unix_timestamp(),
            present.join(":"),
        );
        let mut signed = String::new();
        for name in present {
            // The last of a name is the first to be signed (RFC 6376, section 5.4.2).
            let (_, value) = headers.iter().rev().find(|(found, _)| found == name)?;
            signed.push_str(&format!("{name}:{}\r\n", relax_header(value)));
        }
        signed.push_str(&format!("dkim-signature:{}", relax_header(&unsigned)));
        let signature = STANDARD.encode(self.key.sign(signed.as_bytes())?);
        // Lines of a length that every server takes.
        let folded: Vec<&str> = (0..signature.len())
            .step_by(70)
            .filter_map(|at| signature.get(at..signature.len().min(at + 70)))
            .collect();
        let value = unsigned + &folded.join("\r\n ");
        let name = HeaderName::new_from_ascii_str(HEADER_NAME);
        let mut message = message.clone();
        let header = HeaderValue::dangerous_new_pre_encoded(name, String::new(), value);
        message.headers_mut().insert_raw(header);
        Some(message)
    }
}

impl SigningKey {
    fn sign(&self, text: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                let random = SystemRandom::new();
                key.sign(&RSA_PKCS1_SHA256, &random, text, &mut signature)
                    .ok()?;
                Some(signature)
            }
            // RFC 8463, section 3: the hash is what is signed.
            Self::Ed25519(key) => Some(key.sign(&Sha256::digest(text)).as_ref().to_vec()),
        }
    }
}

/// Head and body, which an empty line parts.
fn split_message(message: &[u8]) -> Option<(&str, &str)> {
    std::str::from_utf8(message).ok()?.split_once("\r\n\r\n")
}

/// Names in lower case, and values as they stand, folded.
fn parse_headers(head: &str) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in head.split("\r\n") {
        match (line.starts_with([' ', '\t']), headers.last_mut()) {
            (true, Some((_, value))) => {
                value.push_str("\r\n");
                value.push_str(line);
            }
            (true, None) => {}
            (false, _) => {
                if let Some((name, value)) = line.split_once(':') {
                    headers.push((name.trim().to_ascii_lowercase(), value.to_owned()));
                }
            }
        }
    }
    headers
}

/// A header's value, relaxed (RFC 6376, section 3.4.2).
fn relax_header(value: &str) -> String {
    let words = value.split([' ', '\t', '\r', '\n']);
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// A body, relaxed (RFC 6376, section 3.4.4).
fn relax_body(body: &str) -> String {
    let mut text = String::with_capacity(body.len());
    let mut empty = 0;
    for line in body.split("\r\n") {
        let mut shown = String::with_capacity(line.len());
        for c in line.chars() {
            match (c, shown.ends_with(' ')) {
                (' ' | '\t', true) => {}
                (' ' | '\t', false) => shown.push(' '),
                (c, _) => shown.push(c),
            }
        }
        let line = shown.trim_end_matches(' ');
        if line.is_empty() {
            empty += 1;
            continue;
        }
        text.push_str(&"\r\n".repeat(empty));
        text.push_str(line);
        text.push_str("\r\n");
        empty = 0;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6376, section 3.4.5.
    #[test]
    fn relaxed_canonicalisation_matches_the_rfc() {
        let head = "A: X\r\nB : Y\t\r\n\tZ  ";
        let headers = parse_headers(head);
        let shown: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("{name}:{}", relax_header(value)))
            .collect();
        assert_eq!(shown, ["a:X", "b:Y Z"]);
        assert_eq!(relax_body(" C \r\nD \t E\r\n\r\n\r\n"), " C\r\nD E\r\n");
        assert_eq!(relax_body(""), "");
        assert_eq!(relax_body("a\r\n\r\nb"), "a\r\n\r\nb\r\n");
    }
}
