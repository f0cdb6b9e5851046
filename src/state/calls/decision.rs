//! Finds one call by its RequestId: the decision, its rule and the outcome.

use sqlx::PgPool;
use uuid::Uuid;

use crate::directory::StateFault;
use akgate_api::decisions::DecisionView;

/// Finds a call that was to change something, or that was refused. Plain reads that passed leave no record.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn find_decision(
    pool: &PgPool,
    request_id: Uuid,
) -> Result<Option<DecisionView>, StateFault> {
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
