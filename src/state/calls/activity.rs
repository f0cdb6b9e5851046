//! What a key did, and what came of it: for operators and owners.

use serde::Serialize;
use serde_json::Value;
use sqlx::PgPool;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::directory::StateFault;
use akgate_rules::access_key::AccessKeyId;

/// The recorded activity of a key, newest first.
#[derive(Debug, Clone, Serialize, ToSchema)]
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
    pub made: Vec<MadeView>,
}

/// An AccessKey that was created with another one.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MadeView {
    /// The key.
    pub access_key_id: String,
    /// Its RAM user; null for the account itself.
    pub user_name: Option<String>,
    /// The key or session that created it.
    pub made_by_access_key_id: String,
    /// Active, Inactive or Deleted.
    pub status: String,
    /// When it was created.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// A call that changes something.
#[derive(Debug, Clone, Serialize, ToSchema)]
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
#[derive(Debug, Clone, Serialize, ToSchema)]
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
#[derive(Debug, Clone, Serialize, ToSchema)]
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
#[derive(Debug, Clone, Serialize, ToSchema)]
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

/// Reads what a key did: at most `limit` records of each kind.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn of_key(
    pool: &PgPool,
    access_key_id: &AccessKeyId,
    limit: i64,
) -> Result<Activity, StateFault> {
    let id = access_key_id.as_str();
    let intents = sqlx::query_as!(
        IntentView,
        "SELECT
             request_id,
             product,
             action,
             effect,
             names,
             source_ip,
             user_agent,
             received_at,
             outcome,
             status,
             code
         FROM intents
         WHERE access_key_id = $1
         ORDER BY received_at DESC
         LIMIT $2",
        id,
        limit
    )
    .fetch_all(pool)
    .await?;
    let refusals = sqlx::query_as!(
        RefusalView,
        "SELECT
             request_id,
             restriction_id,
             product,
             action,
             effect,
             withheld,
             names,
             source_ip,
             user_agent,
             refused_at
         FROM refusals
         WHERE access_key_id = $1
         ORDER BY refused_at DESC
         LIMIT $2",
        id,
        limit
    )
    .fetch_all(pool)
    .await?;
    let counts = sqlx::query_as!(
        CountView,
        "SELECT hour, product, action, forwarded, refused
         FROM call_counts
         WHERE access_key_id = $1
         ORDER BY hour DESC, product, action
         LIMIT $2",
        id,
        limit
    )
    .fetch_all(pool)
    .await?;
    let sessions = sqlx::query_as!(
        SessionView,
        "SELECT
             access_key_id,
             ancestors[cardinality(ancestors)] AS parent_access_key_id,
             principal,
             minted_at,
             expires_at
         FROM sessions
         WHERE ancestors @> ARRAY[$1]
         ORDER BY minted_at DESC
         LIMIT $2",
        id,
        limit
    )
    .fetch_all(pool)
    .await?;
    let made = sqlx::query_as!(
        MadeView,
        "SELECT
             k.access_key_id,
             p.user_name,
             k.made_by_access_key_id AS \"made_by_access_key_id!\",
             k.status,
             k.created_at
         FROM access_keys k
         JOIN principals p USING (principal_id)
         WHERE k.made_by_access_key_id = $1
            OR k.made_by_access_key_id IN (
                SELECT access_key_id
                FROM sessions
                WHERE ancestors @> ARRAY[$1]
            )
         ORDER BY k.created_at DESC, k.access_key_id
         LIMIT $2",
        id,
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(Activity {
        access_key_id: id.to_owned(),
        intents,
        refusals,
        counts,
        sessions,
        made,
    })
}
