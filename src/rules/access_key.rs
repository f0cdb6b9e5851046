//! The parts of an AccessKey: `AccessKeyId`, `AccessKeySecret`, `SecurityToken`.
//!
//! An id is public and may be logged masked. A secret and a token never leave their types: `Debug`
//! prints a placeholder and the memory is wiped on drop.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The id of a long-term AccessKey (`LTAI…`) or of a session (`STS.…`).
///
/// 1 to 128 characters of `A-Z a-z 0-9 . _ -`: nothing that could break a log line, a header, a
/// path or the canonical forms that carry it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccessKeyId(Box<str>);

/// An id as people are shown it ([`AccessKeyId::masked`]), whatever the text is.
#[must_use]
pub fn mask_key_id(text: &str) -> String {
    AccessKeyId::parse(text).map_or_else(|_| "****".to_owned(), |id| id.masked())
}

/// Why a text is not an [`AccessKeyId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an AccessKeyId must be 1 to 128 characters of A-Z a-z 0-9 . _ -")]
pub struct InvalidAccessKeyId;

impl AccessKeyId {
    /// The longest id, in bytes.
    pub const MAX_LEN: usize = 128;

    /// Reads an id.
    ///
    /// # Errors
    /// [`InvalidAccessKeyId`] where the text is empty, too long or has another character.
    pub fn parse(text: &str) -> Result<Self, InvalidAccessKeyId> {
        let fits = (1..=Self::MAX_LEN).contains(&text.len());
        let plain = text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if fits && plain {
            Ok(Self(text.into()))
        } else {
            Err(InvalidAccessKeyId)
        }
    }

    /// The id as text. For a log or a letter use [`AccessKeyId::masked`].
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the id of a session, which is worth nothing without its `SecurityToken`.
    #[must_use]
    pub fn is_session(&self) -> bool {
        self.0.starts_with("STS.")
    }

    /// The id as people are shown it: the first eight and the last four characters, or less of a
    /// short one.
    #[must_use]
    pub fn masked(&self) -> String {
        let ends = if self.0.len() >= 20 { (8, 4) } else { (2, 0) };
        let head: String = self.0.chars().take(ends.0).collect();
        let tail: String = self
            .0
            .chars()
            .skip(self.0.len().saturating_sub(ends.1))
            .collect();
        format!("{head}****{tail}")
    }
}

impl Serialize for AccessKeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for AccessKeyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// The secret half of an AccessKey. Never stored unsealed, logged, mailed or echoed.
#[derive(Clone)]
pub struct AccessKeySecret(Zeroizing<String>);

impl AccessKeySecret {
    /// Takes a secret in.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The secret, for the one computation that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it is the same secret, in constant time.
    #[must_use]
    pub fn equals(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl fmt::Debug for AccessKeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessKeySecret(…)")
    }
}

/// The third part of a session's credentials; proves that the `STS.` id was issued.
#[derive(Clone)]
pub struct SecurityToken(Zeroizing<String>);

impl SecurityToken {
    /// Takes a token in.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// SHA-256 of the token: what is stored of it.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

impl PartialEq for SecurityToken {
    /// Compared in constant time: the token is a bearer credential.
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl fmt::Debug for SecurityToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecurityToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_key_id_with_a_delimiter_is_refused() {
        for text in ["", "a b", "a/b", "a,b", "a=b", "a:b", "ä", &"a".repeat(129)] {
            assert!(AccessKeyId::parse(text).is_err(), "{text:?}");
        }
        assert!(AccessKeyId::parse(&"a".repeat(128)).is_ok());
    }

    #[test]
    fn id_is_shown_masked() {
        let id = AccessKeyId::parse("LTAI5tFakeKeyForTestsOnly01").unwrap();
        assert_eq!(id.masked(), "LTAI5tFa****ly01");
        assert_eq!(format!("{id:?}"), "LTAI5tFa****ly01");
        assert_eq!(AccessKeyId::parse("testid").unwrap().masked(), "te****");
    }

    #[test]
    fn secret_debug_output_is_redacted() {
        assert_eq!(
            format!("{:?}", AccessKeySecret::new("FakeSecret".into())),
            "AccessKeySecret(…)"
        );
        assert_eq!(
            format!("{:?}", SecurityToken::new("FakeToken".into())),
            "SecurityToken(…)"
        );
    }
}
