//! Fetches the keys of a source: one fixed address, a short answer, no redirects.

use std::{sync::Arc, time::Duration};

use http::{
    HeaderValue, Request, StatusCode, Uri,
    header::{ACCEPT, AUTHORIZATION},
};
use serde::Deserialize;

use akgate_net::https::{BoundedClient, CallFault};
use akgate_state::leaks::sources::SigningKeyText;

/// The longest answer, in bytes: a set of keys takes some hundreds.
const MAX_RESPONSE_BYTES: usize = 1 << 20;

/// How long an answer may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a source publishes its keys.
#[derive(Clone)]
pub struct SigningKeyFetcher {
    client: BoundedClient,
    url: Uri,
    token: Option<HeaderValue>,
}

/// Why the keys of a source cannot be fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFetchFault {
    /// The address does not answer.
    #[error("the keys' URL {0}")]
    NoAnswer(#[from] CallFault),
    /// The address answers with another status than 200.
    #[error("the keys' URL responds with status {0}")]
    Status(StatusCode),
    /// The response is not a set of keys.
    #[error("the response is not a set of keys: {0}")]
    NoKeys(String),
}

/// What the address answers.
#[derive(Deserialize)]
struct KeySetResponse {
    public_keys: Vec<PublishedKey>,
}

#[derive(Deserialize)]
struct PublishedKey {
    key_identifier: String,
    key: String,
    #[serde(default = "default_is_current")]
    is_current: bool,
}

fn default_is_current() -> bool {
    true
}

impl SigningKeyFetcher {
    /// Asks `url`, with a bearer token where there is one.
    #[must_use]
    pub fn new(url: Uri, token: Option<HeaderValue>, tls: rustls::ClientConfig) -> Self {
        Self {
            client: BoundedClient::new(tls, REQUEST_TIMEOUT, MAX_RESPONSE_BYTES),
            url,
            token,
        }
    }

    /// Requests the keys.
    ///
    /// # Errors
    /// [`KeyFetchFault`].
    pub async fn keys(&self) -> Result<Arc<[SigningKeyText]>, KeyFetchFault> {
        let mut request = Request::get(&self.url).header(ACCEPT, "application/json");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token);
        }
        let (head, body) = self.client.send(request, "").await?.into_parts();
        if head.status != StatusCode::OK {
            return Err(KeyFetchFault::Status(head.status));
        }
        let answer: KeySetResponse = serde_json::from_slice(&body?)
            .map_err(|fault| KeyFetchFault::NoKeys(fault.to_string()))?;
        let keys = answer.public_keys.into_iter().map(|key| SigningKeyText {
            key_identifier: key.key_identifier,
            key: key.key,
            is_current: key.is_current,
        });
        Ok(keys.collect())
    }
}
