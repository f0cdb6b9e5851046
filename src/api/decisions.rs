//! Recorded calls, and why each was permitted or refused.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::restrictions::RestrictionView;

/// A recorded call and the decision on it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Decision)]
pub struct DecisionView {
    /// The RequestId that the caller received.
    pub request_id: Uuid,
    /// When the call was received.
    #[serde(with = "time::serde::rfc3339")]
    pub received_at: OffsetDateTime,
    /// `Refused`, `WouldBeRefused` (shadow mode, or not in force yet) or `Permitted`.
    pub decision: String,
    /// The key or session that signed.
    pub access_key_id: String,
    /// The ancestors of a session: the AccessKey, then the sessions between; empty for a key.
    pub lineage: Vec<String>,
    /// The account.
    pub account_id: String,
    /// Product code.
    pub product: String,
    /// API version.
    pub version: String,
    /// Action.
    pub action: String,
    /// What the operation changes.
    pub effect: String,
    /// The names of the objects concerned.
    pub names: serde_json::Value,
    /// The address that it came from.
    pub source_ip: String,
    /// The caller's User-Agent.
    pub user_agent: String,
    /// The profile that refused it; null if it was not refused.
    pub profile: Option<String>,
    /// The revision of the registry at the deciding node; null if the call was not refused.
    pub revision: Option<i64>,
    /// Why it was permitted: `clear`, `harmless`, `self-remedy`, `excepted`, `withheld`, `off` or `anonymous`.
    pub grounds: Option<String>,
    /// The outcome upstream: `Succeeded`, `Failed`, `NotForwarded`, `Unknown` or `NotRecorded`.
    pub outcome: Option<String>,
    /// HTTP status of the upstream response.
    pub status: Option<i32>,
    /// Error code of the response.
    pub code: Option<String>,
    /// The restriction that caused the refusal.
    pub restriction_id: Option<Uuid>,
}

/// A decision, the rule behind it, and the restriction in its current state.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DecisionExplanation {
    /// The decision.
    #[serde(flatten)]
    pub decision: DecisionView,
    /// The rule, in words.
    pub rule: String,
    /// What would make the same call pass now, in words; empty if the call was not refused.
    pub to_pass: Vec<String>,
    /// The restriction that caused the refusal, in its current state, with the reports behind it.
    pub restriction: Option<RestrictionView>,
}
