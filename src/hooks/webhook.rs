//! CloudEvents 1.0 (structured JSON) in the envelope of Standard Webhooks: `webhook-id`, `webhook-timestamp`,
//! `webhook-signature`.
//!
//! A secret is rotated by giving two: every message is signed by each, so that the receiver may change from one to the
//! other in its own time.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue};
use serde::Serialize;
use serde_json::Value;
use sha2::Sha256;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use zeroize::Zeroizing;

use super::request::HookRequest;
use akgate_state::outbox::events::{EventKind, LeasedEvent};

/// A secret that webhooks are signed with: `whsec_` and 24 to 64 bytes in Base64 (Standard Webhooks, "Symmetric").
pub struct WebhookSecret(Zeroizing<Vec<u8>>);

/// The text is not a valid secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a secret must be whsec_ and 24 to 64 random bytes in Base64: create one with `echo whsec_$(openssl rand -base64 32)`"
)]
pub struct InvalidWebhookSecret;

impl WebhookSecret {
    /// Reads a secret.
    ///
    /// # Errors
    /// [`InvalidWebhookSecret`], which never repeats it.
    pub fn parse(text: &str) -> Result<Self, InvalidWebhookSecret> {
        let encoded = text
            .trim()
            .strip_prefix("whsec_")
            .ok_or(InvalidWebhookSecret)?;
        let bytes = BASE64_STANDARD
            .decode(encoded)
            .map_err(|_| InvalidWebhookSecret)?;
        let bytes = Zeroizing::new(bytes);
        match (24..=64).contains(&bytes.len()) {
            true => Ok(Self(bytes)),
            false => Err(InvalidWebhookSecret),
        }
    }

    /// `v1,` and the HMAC-SHA256 of `ID.TIMESTAMP.BODY`.
    fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        // A key of any length is one.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            return String::new();
        };
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// The signing settings of one hook.
pub struct StandardWebhook {
    /// The newest first; each signs.
    pub secrets: Vec<WebhookSecret>,
    /// Where events come from: the `source` of a CloudEvent.
    pub source: String,
}

/// A CloudEvent.
#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'static str,
    id: &'a str,
    source: &'a str,
    r#type: String,
    subject: String,
    time: String,
    datacontenttype: &'static str,
    data: EventData<'a>,
}

/// What happened.
#[derive(Serialize)]
struct EventData<'a> {
    access_key_id: &'a str,
    account_id: Option<&'a str>,
    user_name: Option<&'a str>,
    restriction_id: Option<uuid::Uuid>,
    /// `operator:NAME`, `contact:ID`, `source:NAME`, `policy` or `akgate`.
    actor: &'a str,
    /// The detail of the audit record.
    detail: &'a Value,
}

impl StandardWebhook {
    /// Builds the request for an event. Every attempt has the same id, so that a receiver recognises repetitions.
    ///
    /// # Errors
    /// The event cannot be written as JSON.
    pub fn message(
        &self,
        event: &LeasedEvent,
        now: OffsetDateTime,
    ) -> Result<HookRequest, serde_json::Error> {
        let id = format!("evt_{}", event.audit_id);
        let body = serde_json::to_vec(&CloudEvent {
            specversion: "1.0",
            id: &id,
            source: &self.source,
            r#type: cloud_event_type(event.kind),
            subject: match event.restriction_id {
                Some(restriction) => format!("restrictions/{restriction}"),
                None => format!("keys/{}", event.access_key_id),
            },
            time: event.at.format(&Rfc3339).unwrap_or_default(),
            datacontenttype: "application/json",
            data: EventData {
                access_key_id: &event.access_key_id,
                account_id: event.account_id.as_deref(),
                user_name: event.user_name.as_deref(),
                restriction_id: event.restriction_id,
                actor: &event.actor,
                detail: &event.detail,
            },
        })?;
        let timestamp = now.unix_timestamp();
        let signatures: Vec<String> = self
            .secrets
            .iter()
            .map(|secret| secret.sign(&id, timestamp, &body))
            .collect();
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("webhook-id", id),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", signatures.join(" ")),
        ] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        Ok(HookRequest {
            headers,
            content_type: "application/cloudevents+json",
            query: String::new(),
            body,
        })
    }
}

/// The `type` of a CloudEvent.
fn cloud_event_type(kind: EventKind) -> String {
    match kind {
        EventKind::Suspected => "akgate.key.suspected".to_owned(),
        kind => format!("akgate.restriction.{kind}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signature_matches_the_published_example() {
        // github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md, "Signature scheme".
        let secret = WebhookSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        assert_eq!(
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn malformed_secret_is_refused_without_being_repeated() {
        let short = format!("whsec_{}", BASE64_STANDARD.encode([1; 23]));
        for wrong in [
            "",
            "whsec_",
            "whsec_!",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            &short,
        ] {
            let fault = WebhookSecret::parse(wrong).err().unwrap();
            assert!(wrong.len() < 8 || !fault.to_string().contains(wrong));
        }
    }
}
