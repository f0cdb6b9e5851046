//! The trace of one call: the source of its log line, its metrics and the outcome of its intent.
//!
//! It belongs to the call alone and outlives a panic of any step, so that an error keeps its RequestId, its format
//! and its line in the log.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use axum::extract::ConnectInfo;
use http::{
    Request,
    header::{HOST, HeaderName, USER_AGENT},
};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{budgets::CallShare, lookup::Caller};
use akgate_api::observations::ObservationPoint;
use akgate_net::{fair_budget::BudgetShare, peer::Peer};
use akgate_rules::{
    access_key::AccessKeyId,
    operation::Operation,
    request::format::ErrorFormat,
    verdict::{Grounds, Refusal},
};
use akgate_state::calls::{
    format_request_id,
    in_flight::{InFlightCall, InFlightIntent},
};

/// The longest `Host` that is repeated to the caller, in characters.
const MAX_HOST: usize = 255;

/// The longest `User-Agent` that is kept, in characters.
const MAX_USER_AGENT: usize = 256;

/// An intent whose outcome is not recorded yet.
#[derive(Debug)]
pub struct OpenIntent {
    /// The time that was signed.
    pub signed_at: OffsetDateTime,
    /// What the call makes, if it succeeds.
    pub made: Option<String>,
}

/// The trace of one call.
#[derive(Debug)]
pub struct Trace {
    /// Its id; callers are told it in upper case.
    pub request_id: Uuid,
    /// The host that the caller asked.
    pub host_id: String,
    /// The format of akgate's own answers.
    pub format: ErrorFormat,
    /// The caller's address.
    pub peer: Peer,
    /// The caller's `User-Agent`.
    pub user_agent: String,
    /// When it was received.
    pub received_at: OffsetDateTime,
    /// The same instant on a monotonic clock, to measure durations.
    pub began: Instant,
    /// The memory of its body, charged until the caller is authenticated.
    pub body_memory: Option<BudgetShare<1>>,
    /// Its share of the limit that it counts against.
    pub share: CallShare,
    /// Counts the call as in progress, from when it was fully received.
    pub in_flight: Option<InFlightCall>,
    /// Counts the call as in progress with an intent.
    pub in_flight_intent: Option<InFlightIntent>,
    /// The access key that it claims, proven or not.
    pub access_key_id: Option<AccessKeyId>,
    /// Who calls, once that is proven.
    pub caller: Option<Arc<Caller>>,
    /// The operation, once the signature has held.
    pub operation: Option<Arc<Operation>>,
    /// What was decided.
    pub verdict: Option<VerdictLabel>,
    /// The restriction that refuses it, or would refuse it.
    pub restriction: Option<Uuid>,
    /// Its intent, from when that is written until its outcome is recorded.
    pub open_intent: Option<OpenIntent>,
    /// Whether a byte may have been sent to the upstream.
    pub was_sent: bool,
    /// The observation point, if this node observes it.
    pub observation_point: Option<ObservationPoint>,
    /// The operation of the catalogue that an observed call names, proven or not.
    pub named_operation: Option<Arc<Operation>>,
}

/// What was decided, as it is logged and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerdictLabel {
    /// No restriction is in force.
    Clear,
    /// A restriction lets this operation pass.
    Harmless,
    /// The key disables or deletes itself.
    SelfRemedy,
    /// An exception covers the call.
    Excepted,
    /// It would have been refused.
    Withheld,
    /// The policy is off.
    Off,
    /// It carries no access key.
    Anonymous,
    /// It is refused.
    Refused,
    /// No verdict can be made.
    Unknown,
}

impl VerdictLabel {
    /// The name in logs, metrics and records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Harmless => "harmless",
            Self::SelfRemedy => "self-remedy",
            Self::Excepted => "excepted",
            Self::Withheld => "withheld",
            Self::Off => "off",
            Self::Anonymous => "anonymous",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}

impl From<Grounds> for VerdictLabel {
    fn from(grounds: Grounds) -> Self {
        match grounds {
            Grounds::Clear => Self::Clear,
            Grounds::Harmless(_) => Self::Harmless,
            Grounds::SelfRemedy(_) => Self::SelfRemedy,
            Grounds::Excepted(_) => Self::Excepted,
            Grounds::Withheld(_) => Self::Withheld,
            Grounds::Off => Self::Off,
            Grounds::Anonymous => Self::Anonymous,
        }
    }
}

impl From<Refusal> for VerdictLabel {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::RestrictedKey(_) => Self::Refused,
            Refusal::StandingUnknown => Self::Unknown,
        }
    }
}

impl Trace {
    /// The parts of a call's head that the trace keeps.
    #[must_use]
    pub fn new<B>(head: &Request<B>, request_id: Uuid, received_at: OffsetDateTime) -> Self {
        let query = head.uri().query().unwrap_or_default().as_bytes();
        Self {
            request_id,
            host_id: header(head, &HOST, MAX_HOST),
            format: ErrorFormat::asked_for(query, b"", head.headers()),
            peer: peer(head),
            user_agent: header(head, &USER_AGENT, MAX_USER_AGENT),
            received_at,
            began: Instant::now(),
            body_memory: None,
            share: CallShare::None,
            in_flight: None,
            in_flight_intent: None,
            access_key_id: None,
            caller: None,
            operation: None,
            verdict: None,
            restriction: None,
            open_intent: None,
            was_sent: false,
            observation_point: None,
            named_operation: None,
        }
    }

    /// The id as callers see it.
    #[must_use]
    pub fn request_id(&self) -> String {
        format_request_id(self.request_id)
    }
}

/// A header's text, cut.
fn header<B>(head: &Request<B>, name: &HeaderName, longest: usize) -> String {
    let value = head.headers().get(name);
    let text = value.and_then(|value| value.to_str().ok());
    match text.unwrap_or_default() {
        text if text.len() <= longest => text.to_owned(),
        text => text.chars().take(longest).collect(),
    }
}

/// The caller's address, from akgate's listener or axum's.
fn peer<B>(head: &Request<B>) -> Peer {
    let ours = head.extensions().get().copied();
    ours.unwrap_or_else(|| {
        let socket = head.extensions().get::<ConnectInfo<SocketAddr>>();
        socket.map_or_else(Peer::default, |ConnectInfo(socket)| Peer {
            ip: socket.ip().to_canonical(),
            tls: false,
        })
    })
}
