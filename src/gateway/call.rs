//! What is known of a call from the outside, and what the stations have found out: the access log's line.

use std::sync::{Arc, OnceLock, atomic::AtomicBool};

use axum::body::Body;
use time::OffsetDateTime;
use uuid::Uuid;

use super::lookup::Credentials;
use akgate_net::peer::Peer;
use akgate_rules::{access_key::AccessKeyId, operation::Operation, request::format::Format};
use akgate_state::calls::{in_flight::Entered, shown_request_id};

/// The answer that a caller gets.
pub type Answer = http::Response<Body>;

/// The longest `Host` that is repeated to the caller, in bytes.
const MAX_HOST: usize = 255;

/// One call on the request road.
#[derive(Debug)]
pub struct Call {
    /// Its id; callers are told it in upper case.
    pub request_id: Uuid,
    /// The host that the caller asked.
    pub host_id: String,
    /// The form of our own answers.
    pub format: Format,
    /// Where it came from.
    pub peer: Peer,
    /// What the caller says it is.
    pub user_agent: String,
    /// When it was received.
    pub received_at: OffsetDateTime,
    /// It is under way, until nobody is at work on it any more; `None` before it was received whole.
    pub entered: Option<Entered>,
    /// Whether a byte of it may have gone upstream.
    pub was_sent: AtomicBool,
    /// The key that it claims; proven or not.
    pub access_key_id: OnceLock<AccessKeyId>,
    /// Who calls, once it is proven.
    pub caller: OnceLock<Arc<Credentials>>,
    /// The operation, once the signature has held.
    pub operation: OnceLock<Operation>,
    /// What was decided.
    pub verdict: OnceLock<&'static str>,
    /// The restriction that forbids it, or would.
    pub restriction: OnceLock<Uuid>,
}

impl Call {
    /// A call that nothing is known of but its head.
    #[must_use]
    pub fn new(head: &http::request::Parts, request_id: Uuid, received_at: OffsetDateTime) -> Self {
        let header = |name| {
            head.headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        Self {
            request_id,
            host_id: header(http::header::HOST).chars().take(MAX_HOST).collect(),
            format: Format::asked_for(
                head.uri.query().unwrap_or_default().as_bytes(),
                b"",
                &head.headers,
            ),
            peer: head.extensions.get().copied().unwrap_or_default(),
            user_agent: header(http::header::USER_AGENT).chars().take(256).collect(),
            received_at,
            entered: None,
            was_sent: AtomicBool::new(false),
            access_key_id: OnceLock::new(),
            caller: OnceLock::new(),
            operation: OnceLock::new(),
            verdict: OnceLock::new(),
            restriction: OnceLock::new(),
        }
    }

    /// The id in the form that callers know.
    #[must_use]
    pub fn request_id(&self) -> String {
        shown_request_id(self.request_id)
    }
}
