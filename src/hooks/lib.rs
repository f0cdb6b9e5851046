//! Hooks: other programs that are told of what happens to restrictions.
//!
//! What a hook is told is a CloudEvent, signed as Standard Webhooks say ([`webhook`]), or a text for a chat room
//! ([`chat`]). Where it goes is the configuration's word alone; redirects are not followed.

#![forbid(unsafe_code)]

pub mod chat;
pub mod webhook;
mod worker;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Uri, header::RETRY_AFTER};
use http_body_util::{BodyExt, Full, Limited};
use time::OffsetDateTime;

pub use self::{
    chat::{ChatTemplates, DingTalk, Slack},
    webhook::{InvalidWebhookSecret, StandardWebhook, WebhookSecret},
    worker::HookWorker,
};
use akgate_net::https;
use akgate_state::outbox::{
    events::{EventKind, LeasedEvent},
    queue::SendFault,
};

/// How long an answer may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// The longest answer that is read, in bytes: DingTalk's and Slack's are short.
const MAX_RESPONSE_BYTES: usize = 64 << 10;

/// Whom events are sent to.
pub struct Hook {
    /// Its name in the configuration.
    pub name: String,
    /// Of which kinds.
    pub kinds: Vec<EventKind>,
    /// What it is told, and how it is known that we tell it.
    pub manner: HookFormat,
    /// Where.
    url: Uri,
    client: https::HttpsClient<Full<Bytes>>,
}

/// What a hook is told.
pub enum HookFormat {
    /// A CloudEvent, signed.
    Webhook(StandardWebhook),
    /// A message in a DingTalk group.
    DingTalk(DingTalk),
    /// A message in a Slack channel.
    Slack(Slack),
}

/// A request that is ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookRequest {
    /// Beside `Content-Type` and `User-Agent`.
    pub headers: HeaderMap,
    /// What it is.
    pub content_type: &'static str,
    /// What is added to the address' query.
    pub query: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Hook {
    /// A hook at an address.
    #[must_use]
    pub fn new(
        name: String,
        kinds: Vec<EventKind>,
        manner: HookFormat,
        url: Uri,
        tls: rustls::ClientConfig,
    ) -> Self {
        Self {
            name,
            kinds,
            manner,
            url,
            client: https::new_client(tls, REQUEST_TIMEOUT),
        }
    }

    /// Sends an event.
    ///
    /// # Errors
    /// [`SendFault`].
    pub async fn send(&self, event: &LeasedEvent, now: OffsetDateTime) -> Result<(), SendFault> {
        let message = match &self.manner {
            HookFormat::Webhook(webhook) => webhook
                .message(event, now)
                .map_err(|fault| permanent_fault(&fault)),
            HookFormat::DingTalk(robot) => robot
                .message(event, now)
                .map_err(|fault| permanent_fault(&fault)),
            HookFormat::Slack(slack) => slack
                .message(event)
                .map_err(|fault| permanent_fault(&fault)),
        }?;
        let sending = tokio::time::timeout(REQUEST_TIMEOUT, self.post(message)).await;
        let (status, headers, body) = match sending {
            Ok(sent) => sent?,
            Err(_) => {
                let late = format!("no answer in {} s", REQUEST_TIMEOUT.as_secs());
                return Err(SendFault::again(late));
            }
        };
        match (&self.manner, status) {
            (HookFormat::DingTalk(_), StatusCode::OK) => chat::check_dingtalk_response(&body),
            (_, status) if status.is_success() => Ok(()),
            (_, StatusCode::GONE) => {
                Err(SendFault::never("410: the receiver wants no more events"))
            }
            (_, status) => {
                let after = headers
                    .get(RETRY_AFTER)
                    .and_then(|after| after.to_str().ok());
                let after = after.and_then(|after| after.parse().ok());
                let said: String = String::from_utf8_lossy(&body).chars().take(200).collect();
                let error = format!("status {}: {}", status.as_u16(), said.escape_debug());
                let after = after.map(Duration::from_secs);
                Err(SendFault::Again { error, after })
            }
        }
    }

    async fn post(
        &self,
        message: HookRequest,
    ) -> Result<(StatusCode, HeaderMap, Bytes), SendFault> {
        let uri = match message.query.as_str() {
            "" => self.url.clone(),
            query => {
                let separator = if self.url.query().is_some() { '&' } else { '?' };
                let uri = format!("{}{separator}{query}", self.url);
                uri.parse()
                    .map_err(|_| SendFault::again("the URL is not valid"))?
            }
        };
        let mut request = Request::post(uri)
            .header("content-type", message.content_type)
            .header("user-agent", concat!("akgate/", env!("CARGO_PKG_VERSION")))
            .body(Full::from(message.body))
            .map_err(|fault| SendFault::again(fault.to_string()))?;
        request.headers_mut().extend(message.headers);
        let answer = self.client.request(request).await;
        // The outer error names the address, which may hold the token of a chat room.
        let answer = answer.map_err(|fault| SendFault::again(https::root_cause(&fault)))?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, MAX_RESPONSE_BYTES).collect().await;
        let body = body
            .map(http_body_util::Collected::to_bytes)
            .unwrap_or_default();
        Ok((head.status, head.headers, body))
    }
}

/// What cannot be written today cannot be tomorrow.
fn permanent_fault(fault: &dyn std::error::Error) -> SendFault {
    SendFault::never(fault.to_string())
}
