//! Hooks: sends events about restrictions to other programs.
//!
//! A hook gets a CloudEvent, signed as Standard Webhooks require ([`webhook`]), or a text for a chat room ([`chat`]).
//! Only the configuration decides on the address; redirects are not followed.

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

/// A receiver of events.
pub struct Hook {
    /// Its name in the configuration.
    pub name: String,
    /// The kinds of events that it gets.
    pub kinds: Vec<EventKind>,
    /// The message format and the signing secrets.
    pub format: HookFormat,
    /// The address.
    url: Uri,
    client: BoundedClient,
}

/// The format of a hook's messages.
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
        // A response body that is too long is ignored; the status counts.
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

/// A message that cannot be built now cannot be built later either.
fn permanent_fault(fault: &dyn std::error::Error) -> SendFault {
    SendFault::permanent(fault.to_string())
}
