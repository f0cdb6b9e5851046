//! Asking a source for its keys: one fixed address, a short answer, no redirects.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderValue, Request, StatusCode, Uri,
    header::{ACCEPT, AUTHORIZATION, USER_AGENT},
};
use http_body_util::{BodyExt, Empty, Limited};
use serde::Deserialize;

use akgate_net::https;
use akgate_state::leaks::sources::SigningKeyText;

/// The longest answer, in bytes: a set of keys takes some hundreds.
const MAX_RESPONSE_BYTES: usize = 1 << 20;

/// How long an answer may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a source publishes its keys.
#[derive(Clone)]
pub struct SigningKeyFetcher {
    client: https::HttpsClient<Empty<Bytes>>,
    url: Uri,
    token: Option<HeaderValue>,
}

/// Why a set of keys is not to be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFetchFault {
    /// Nobody answers.
    #[error("the keys' URL does not respond: {0}")]
    NoAnswer(String),
    /// Not in time.
    #[error("the keys' URL does not respond in {} s", REQUEST_TIMEOUT.as_secs())]
    TooSlow,
    /// It answers with something else.
    #[error("the keys' URL responds with status {0}")]
    Status(StatusCode),
    /// It is no set of keys.
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
            client: https::new_client(tls, REQUEST_TIMEOUT),
            url,
            token,
        }
    }

    /// Asks for the keys.
    ///
    /// # Errors
    /// [`KeyFetchFault`].
    pub async fn keys(&self) -> Result<Arc<[SigningKeyText]>, KeyFetchFault> {
        tokio::time::timeout(REQUEST_TIMEOUT, self.ask())
            .await
            .map_err(|_| KeyFetchFault::TooSlow)?
    }

    async fn ask(&self) -> Result<Arc<[SigningKeyText]>, KeyFetchFault> {
        let mut request = Request::get(&self.url)
            .header(USER_AGENT, concat!("akgate/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, "application/json")
            .body(Empty::new())
            .map_err(|fault| KeyFetchFault::NoAnswer(fault.to_string()))?;
        if let Some(token) = &self.token {
            request.headers_mut().insert(AUTHORIZATION, token.clone());
        }
        let answer = self.client.request(request).await;
        let answer = answer.map_err(|fault| KeyFetchFault::NoAnswer(fault.to_string()))?;
        if answer.status() != StatusCode::OK {
            return Err(KeyFetchFault::Status(answer.status()));
        }
        let body = Limited::new(answer.into_body(), MAX_RESPONSE_BYTES)
            .collect()
            .await;
        let body = body.map_err(|fault| KeyFetchFault::NoKeys(fault.to_string()))?;
        let answer: KeySetResponse = serde_json::from_slice(&body.to_bytes())
            .map_err(|fault| KeyFetchFault::NoKeys(fault.to_string()))?;
        let keys = answer.public_keys.into_iter().map(|key| SigningKeyText {
            key_identifier: key.key_identifier,
            key: key.key,
            is_current: key.is_current,
        });
        Ok(keys.collect())
    }
}
