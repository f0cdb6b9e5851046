//! One call by its RequestId: what was decided, by which rule, and what came of it.

use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::directory::StateFault;

/// A recorded call and the decision on it.
#[derive(Debug, Clone, Serialize, ToSchema)]
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

/// Finds a call that was to change something, or that was refused. Plain reads that passed leave no record.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn find(pool: &PgPool, request_id: Uuid) -> Result<Option<DecisionView>, StateFault> {
    let found = sqlx::query_as!(
        DecisionView,
        "SELECT
             COALESCE(r.request_id, i.request_id) AS \"request_id!\",
             COALESCE(r.refused_at, i.received_at) AS \"received_at!\",
             CASE
                 WHEN r.request_id IS NULL THEN 'Permitted'
                 WHEN r.withheld THEN 'WouldBeRefused'
                 ELSE 'Refused'
             END AS \"decision!\",
             COALESCE(r.access_key_id, i.access_key_id) AS \"access_key_id!\",
             COALESCE(s.ancestors, '{}') AS \"lineage!\",
             COALESCE(r.account_id, i.account_id) AS \"account_id!\",
             COALESCE(r.product, i.product) AS \"product!\",
             COALESCE(r.version, i.version) AS \"version!\",
             COALESCE(r.action, i.action) AS \"action!\",
             COALESCE(r.effect, i.effect) AS \"effect!\",
             COALESCE(r.names, i.names) AS \"names!\",
             COALESCE(r.source_ip, i.source_ip) AS \"source_ip!\",
             COALESCE(r.user_agent, i.user_agent) AS \"user_agent!\",
             r.profile AS \"profile?\",
             r.revision AS \"revision?\",
             i.grounds AS \"grounds?\",
             i.outcome AS \"outcome?\",
             i.status AS \"status?\",
             i.code AS \"code?\",
             r.restriction_id AS \"restriction_id?\"
         FROM (SELECT * FROM refusals WHERE request_id = $1) AS r
         FULL JOIN (SELECT * FROM intents WHERE request_id = $1) AS i USING (request_id)
         LEFT JOIN sessions s ON s.access_key_id = COALESCE(r.access_key_id, i.access_key_id)
         LIMIT 1",
        request_id
    )
    .fetch_optional(pool)
    .await?;
    Ok(found)
}
