//! Hooks: other programs that are told of what happens to restrictions.
//!
//! What a hook is told is a CloudEvent, signed as Standard Webhooks say ([`webhook`]), or a text for a chat room
//! ([`chat`]). Where it goes is the configuration's word alone; redirects are not followed.

#![forbid(unsafe_code)]

pub mod chat;
mod request;
pub mod webhook;
pub mod worker;

use std::time::Duration;

use http::{
    Request, StatusCode, Uri,
    header::{CONTENT_TYPE, RETRY_AFTER},
    request::Builder,
};
use time::OffsetDateTime;

pub use self::{
    chat::{ChatTemplates, DingTalk, Slack},
    request::HookRequest,
    webhook::{InvalidWebhookSecret, StandardWebhook, WebhookSecret},
};
use akgate_net::https::BoundedClient;
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
    pub format: HookFormat,
    /// Where.
    url: Uri,
    client: BoundedClient,
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

impl Hook {
    /// A hook at an address.
    #[must_use]
    pub fn new(
        name: String,
        kinds: Vec<EventKind>,
        format: HookFormat,
        url: Uri,
        tls: rustls::ClientConfig,
    ) -> Self {
        Self {
            name,
            kinds,
            format,
            url,
            client: BoundedClient::new(tls, REQUEST_TIMEOUT, MAX_RESPONSE_BYTES),
        }
    }

    /// Sends an event.
    ///
    /// # Errors
    /// [`SendFault`].
    pub async fn send(&self, event: &LeasedEvent, now: OffsetDateTime) -> Result<(), SendFault> {
        let message = match &self.format {
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
        let answer = self.client.send(self.post(&message)?, message.body).await;
        let (head, body) = answer
            .map_err(|fault| SendFault::temporary(fault.to_string()))?
            .into_parts();
        // What a receiver says besides its status may be as long as it likes.
        let body = body.unwrap_or_default();
        match (&self.format, head.status) {
            (HookFormat::DingTalk(_), StatusCode::OK) => chat::check_dingtalk_response(&body),
            (_, status) if status.is_success() => Ok(()),
            (_, StatusCode::GONE) => Err(SendFault::permanent(
                "410: the receiver wants no more events",
            )),
            (_, status) => {
                let after = head
                    .headers
                    .get(RETRY_AFTER)
                    .and_then(|after| after.to_str().ok());
                let after = after.and_then(|after| after.parse().ok());
                let said: String = String::from_utf8_lossy(&body).chars().take(200).collect();
                let error = format!("status {}: {}", status.as_u16(), said.escape_debug());
                let after = after.map(Duration::from_secs);
                Err(SendFault::Temporary { error, after })
            }
        }
    }

    fn post(&self, message: &HookRequest) -> Result<Builder, SendFault> {
        let uri = match message.query.as_str() {
            "" => self.url.clone(),
            query => {
                let separator = if self.url.query().is_some() { '&' } else { '?' };
                let uri = format!("{}{separator}{query}", self.url);
                uri.parse()
                    .map_err(|_| SendFault::temporary("the URL is not valid"))?
            }
        };
        let request = Request::post(uri).header(CONTENT_TYPE, message.content_type);
        let headers = message.headers.iter();
        Ok(headers.fold(request, |request, (name, value)| {
            request.header(name, value)
        }))
    }
}

/// What cannot be written today cannot be tomorrow.
fn permanent_fault(fault: &dyn std::error::Error) -> SendFault {
    SendFault::permanent(fault.to_string())
}
