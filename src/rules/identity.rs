//! The identity header, by which an upstream trusts akgate: it says who called what, with a MAC.
//!
//! `x-akgate-identity: base64url(JSON) "." base64url(HMAC-SHA256(key, "akgate-identity-v1\n" JSON))`.
//! The key belongs to one upstream. The header binds method, target and body, so that it is worth nothing
//! on another request, and the time, so that it is worth nothing later.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::Mac;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

use crate::{access_key::AccessKeyId, mac_key::MacKey, signature::SignedPrint};

/// The header's name. Copies that callers send never get this far: unsigned headers are not forwarded
/// and a signed one of this name is refused.
pub const IDENTITY_HEADER: &str = "x-akgate-identity";

/// An identity older or younger than this is refused by the upstream.
pub const IDENTITY_WINDOW: Duration = Duration::minutes(1);

/// More of a `User-Agent` than this is cut, in characters.
const MAX_USER_AGENT: usize = 256;

/// What separates this MAC from any other use of the same key.
const CONTEXT: &[u8] = b"akgate-identity-v1\n";

/// Who called what, as akgate has proven it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The request's id, an upper-case UUID.
    pub request_id: String,
    /// The account that the principal belongs to; `None` for an anonymous call.
    pub account: Option<String>,
    /// ARN of the principal; `None` for an anonymous call.
    pub principal: Option<String>,
    /// The key that signed; `None` for an anonymous call.
    pub access_key_id: Option<AccessKeyId>,
    /// The long-term key that a session comes from.
    pub parent_access_key_id: Option<AccessKeyId>,
    /// Where the call came from.
    pub source_ip: String,
    /// The caller's `User-Agent`, cut at 256 characters.
    pub user_agent: String,
    /// Whether the caller used TLS.
    pub tls: bool,
    /// Product code.
    pub product: String,
    /// API version.
    pub version: String,
    /// Action.
    pub action: String,
    /// Method of the printed request.
    pub method: String,
    /// SHA-256 of its target, hex.
    pub target_sha256: String,
    /// SHA-256 of its body, hex.
    pub body_sha256: String,
    /// When this was written, seconds of Unix time.
    pub iat: i64,
}

/// Why an upstream refuses an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentityFault {
    /// It is not of the form that akgate writes.
    #[error("the identity header is malformed")]
    Malformed,
    /// The MAC does not match.
    #[error("the identity header was not written by our gateway")]
    Forged,
    /// It was written at another time.
    #[error("the identity header is out of date: check the clocks")]
    Stale,
    /// It was written for another request.
    #[error("the identity header belongs to another request")]
    OtherRequest,
}

impl Identity {
    /// Binds this identity to a printed request and to `now`.
    #[must_use]
    pub fn bound_to(mut self, printed: &SignedPrint, now: OffsetDateTime) -> Self {
        self.method = printed.method.to_string();
        self.target_sha256 = sha256_hex(printed.target.as_bytes());
        self.body_sha256 = sha256_hex(&printed.body);
        self.iat = now.unix_timestamp();
        self.user_agent = self.user_agent.chars().take(MAX_USER_AGENT).collect();
        self
    }

    /// The header's value.
    #[must_use]
    pub fn seal(&self, key: &MacKey) -> String {
        // Texts, numbers and a truth value always serialise.
        let payload = serde_json::to_vec(self).unwrap_or_default();
        let mac = key
            .mac(CONTEXT)
            .chain_update(&payload)
            .finalize()
            .into_bytes();
        format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(&payload),
            URL_SAFE_NO_PAD.encode(mac)
        )
    }

    /// Reads a header, as an upstream does: for the request that came with it, at `now`.
    ///
    /// # Errors
    /// [`IdentityFault`]; nothing of an identity that is refused is given out.
    pub fn open(
        header: &str,
        key: &MacKey,
        request: (&str, &str, &[u8]),
        now: OffsetDateTime,
    ) -> Result<Self, IdentityFault> {
        let (payload, mac) = header.split_once('.').ok_or(IdentityFault::Malformed)?;
        let decode = |text: &str| {
            URL_SAFE_NO_PAD
                .decode(text)
                .map_err(|_| IdentityFault::Malformed)
        };
        let (payload, mac) = (decode(payload)?, decode(mac)?);
        key.mac(CONTEXT)
            .chain_update(&payload)
            .verify_slice(&mac)
            .map_err(|_| IdentityFault::Forged)?;
        let identity: Self =
            serde_json::from_slice(&payload).map_err(|_| IdentityFault::Malformed)?;
        if (now.unix_timestamp() - identity.iat).abs() > IDENTITY_WINDOW.whole_seconds() {
            return Err(IdentityFault::Stale);
        }
        let (method, target, body) = request;
        let same = identity.method == method
            && identity.target_sha256 == sha256_hex(target.as_bytes())
            && identity.body_sha256 == sha256_hex(body);
        if same {
            Ok(identity)
        } else {
            Err(IdentityFault::OtherRequest)
        }
    }
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Method;
    use time::macros::datetime;
    use zeroize::Zeroizing;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-24 12:00:00 UTC);

    fn printed() -> SignedPrint {
        SignedPrint {
            method: Method::POST,
            target: "/".into(),
            headers: Vec::new(),
            body: Bytes::from_static(b"Action=CreateUser"),
        }
    }

    fn identity() -> Identity {
        let text = |text: &str| text.to_owned();
        Identity {
            request_id: text("04F0F334-1335-436C-A1D7-6C044FE73368"),
            account: Some(text("1234567890123456")),
            principal: Some(text("acs:ram::1234567890123456:user/alice")),
            access_key_id: AccessKeyId::parse("LTAI5tFakeKeyForTestsOnly01").ok(),
            parent_access_key_id: None,
            source_ip: text("192.0.2.1"),
            user_agent: "张".repeat(300),
            tls: true,
            product: text("RAM"),
            version: text("2015-05-01"),
            action: text("CreateUser"),
            method: String::new(),
            target_sha256: String::new(),
            body_sha256: String::new(),
            iat: 0,
        }
        .bound_to(&printed(), NOW)
    }

    fn key() -> MacKey {
        MacKey::new(Zeroizing::new([7; 32]))
    }

    const REQUEST: (&str, &str, &[u8]) = ("POST", "/", b"Action=CreateUser");

    #[test]
    fn identity_survives_writing_and_reading() {
        let header = identity().seal(&key());
        let read = Identity::open(&header, &key(), REQUEST, NOW).unwrap();
        assert_eq!(read, identity());
        assert_eq!(read.user_agent.chars().count(), 256);
        assert!(http::HeaderValue::from_str(&header).is_ok());
    }

    #[test]
    fn identity_is_refused_for_another_request_or_later() {
        let header = identity().seal(&key());
        let open = |request, now| Identity::open(&header, &key(), request, now).unwrap_err();
        for other in [
            ("GET", "/", &b"Action=CreateUser"[..]),
            ("POST", "/?", b"Action=CreateUser"),
            ("POST", "/", b"Action=DeleteUser"),
        ] {
            assert_eq!(open(other, NOW), IdentityFault::OtherRequest);
        }
        for moved in [IDENTITY_WINDOW, -IDENTITY_WINDOW] {
            assert!(Identity::open(&header, &key(), REQUEST, NOW + moved).is_ok());
            assert_eq!(open(REQUEST, NOW + moved * 2), IdentityFault::Stale);
        }
        let another = MacKey::new(Zeroizing::new([8; 32]));
        assert_eq!(
            Identity::open(&header, &another, REQUEST, NOW),
            Err(IdentityFault::Forged)
        );
    }

    #[test]
    fn changed_byte_of_the_header_is_refused() {
        let header = identity().seal(&key());
        for at in 0..header.len() {
            for to in ['A', 'B', '.', '='] {
                let mut changed = header.clone();
                changed.replace_range(at..=at, &to.to_string());
                if changed != header {
                    assert!(
                        Identity::open(&changed, &key(), REQUEST, NOW).is_err(),
                        "{at} {to}"
                    );
                }
            }
        }
    }
}
