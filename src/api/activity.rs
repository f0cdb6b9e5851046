//! The activity of a key.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::values::PageSize;

/// The recorded activity of a key, newest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Activity {
    /// The key.
    pub access_key_id: String,
    /// Calls that change something.
    pub intents: Vec<IntentView>,
    /// Calls that the policy refused.
    pub refusals: Vec<RefusalView>,
    /// Calls per action and hour.
    pub counts: Vec<CountView>,
    /// Sessions that descend from it.
    pub sessions: Vec<SessionView>,
    /// AccessKeys that the key, or a session of it, created. Each is independent of it.
    pub created_keys: Vec<CreatedKeyView>,
}

/// An AccessKey that was created with another one.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = CreatedKey)]
pub struct CreatedKeyView {
    /// The key.
    pub access_key_id: String,
    /// Its RAM user; null for the account itself.
    pub user_name: Option<String>,
    /// The key or session that created it.
    pub created_by_access_key_id: String,
    /// Active, Inactive or Deleted.
    pub status: String,
    /// When it was created.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// A call that changes something.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Intent)]
pub struct IntentView {
    /// The RequestId that the caller received.
    pub request_id: Uuid,
    /// Product code.
    pub product: String,
    /// Action.
    pub action: String,
    /// What the operation changes.
    pub effect: String,
    /// The names of the objects concerned.
    pub names: Value,
    /// The address that it came from.
    pub source_ip: String,
    /// The caller's User-Agent.
    pub user_agent: String,
    /// When it was received.
    #[serde(with = "time::serde::rfc3339")]
    pub received_at: OffsetDateTime,
    /// The outcome; null if unknown.
    pub outcome: Option<String>,
    /// HTTP status of the upstream response.
    pub status: Option<i32>,
    /// Error code of the upstream response.
    pub code: Option<String>,
}

/// A call that the policy refused.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Refusal)]
pub struct RefusalView {
    /// The RequestId that the caller received.
    pub request_id: Uuid,
    /// The restriction that caused the refusal.
    pub restriction_id: Option<Uuid>,
    /// Product code.
    pub product: String,
    /// Action.
    pub action: String,
    /// What the operation changes.
    pub effect: String,
    /// The call was let through, because of shadow mode.
    pub withheld: bool,
    /// The names of the objects concerned.
    pub names: Value,
    /// The address that it came from.
    pub source_ip: String,
    /// The caller's User-Agent.
    pub user_agent: String,
    /// When it was refused.
    #[serde(with = "time::serde::rfc3339")]
    pub refused_at: OffsetDateTime,
}

/// Calls of one action in one hour.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = CallCount)]
pub struct CountView {
    /// Start of the hour, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub hour: OffsetDateTime,
    /// Product code.
    pub product: String,
    /// Action.
    pub action: String,
    /// Calls that were forwarded.
    pub forwarded: i64,
    /// Calls that the policy refused.
    pub refused: i64,
}

/// A session that descends from the key.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionView {
    /// The session.
    pub access_key_id: String,
    /// The key or session that minted it.
    pub parent_access_key_id: Option<String>,
    /// ARN of the assumed role.
    pub principal: String,
    /// When it was minted.
    #[serde(with = "time::serde::rfc3339")]
    pub minted_at: OffsetDateTime,
    /// When it expires.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

/// How much to show.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ActivityFilter {
    /// Maximum number of records of each kind.
    #[serde(default)]
    #[param(inline)]
    pub page_size: PageSize<1000>,
}
