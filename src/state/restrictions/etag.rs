//! What an operator has seen: a change with `If-Match` (RFC 9110 section 13.1.1) is not made if the resource has
//! changed since.

use serde::Serialize;
use sha2::{Digest, Sha256};

/// A digest of what is shown of one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Etag(String);

impl Etag {
    /// Of a view.
    #[must_use]
    pub fn of(view: &impl Serialize) -> Self {
        // What can be answered serialises; else it matches nothing that was ever sent.
        let text = serde_json::to_vec(view).unwrap_or_default();
        let digest: String = hex::encode(Sha256::digest(text));
        Self(digest.chars().take(32).collect())
    }

    /// Reads what [`Etag::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then(|| Self(text.to_owned()))
    }

    /// 32 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
