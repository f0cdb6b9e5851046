//! Records of calls, the source of letters, the owner's page and `activity`.
//!
//! A call that may change something is written as an intent before it is forwarded ([`intents`]); the same statement
//! stops replays on all nodes. Outcomes, refusals and counts are gathered in memory and written in batches, off the
//! request road ([`recorder`]).

pub mod activity;
pub mod artefacts;
pub mod batch;
pub mod decision;
pub mod impact;
pub mod in_flight;
pub mod intents;
pub mod observed;
pub mod partitions;
pub mod reconcile;
pub mod recorder;
pub mod replay;
pub mod why;

use serde_json::{Map, Value};
use time::OffsetDateTime;
use uuid::Uuid;

use akgate_rules::access_key::AccessKeyId;

/// A RequestId in the form that callers know: in upper case.
#[must_use]
pub fn format_request_id(id: Uuid) -> String {
    id.as_hyphenated()
        .encode_upper(&mut Uuid::encode_buffer())
        .to_owned()
}

/// The record of a verified call.
#[derive(Debug, Clone)]
pub struct CallRecord {
    /// The RequestId that the caller got.
    pub request_id: Uuid,
    /// The key that signed; `None` for a federated call.
    pub access_key_id: Option<AccessKeyId>,
    /// Account of the principal; empty for a federated call.
    pub account_id: String,
    /// ARN of the principal; empty for a federated call.
    pub principal: String,
    /// Product code.
    pub product: String,
    /// API version.
    pub version: String,
    /// Action.
    pub action: String,
    /// What it would change.
    pub effect: &'static str,
    /// The parameters that the catalogue lists for keeping.
    pub names: Map<String, Value>,
    /// Where it came from.
    pub source_ip: String,
    /// What the caller said it was, cut at 256 characters.
    pub user_agent: String,
    /// When it was received.
    pub received_at: OffsetDateTime,
}

impl CallRecord {
    /// The key that signed, as it is stored: empty for a federated call.
    #[must_use]
    pub fn key(&self) -> &str {
        self.access_key_id.as_ref().map_or("", AccessKeyId::as_str)
    }
}

akgate_rules::text_enum! {
    /// The outcome of a call that may change something.
    pub enum CallOutcome {
        /// The upstream executed it.
        Succeeded = "Succeeded",
        /// The upstream refused it.
        Failed = "Failed",
        /// It was not forwarded: a restriction came in between, or the registry was not available.
        NotForwarded = "NotForwarded",
        /// The upstream did not answer: it may have executed the call.
        Unknown = "Unknown",
        /// The upstream executed it, but the directory could not be updated.
        NotRecorded = "NotRecorded",
    }
}
