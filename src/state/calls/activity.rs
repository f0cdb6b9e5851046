//! The activity of a key, for operators and owners.

use sqlx::PgPool;

use crate::directory::StateFault;
use akgate_api::activity::{
    Activity, CountView, CreatedKeyView, IntentView, RefusalView, SessionView,
};
use akgate_rules::access_key::AccessKeyId;

/// Reads what a key did: at most `limit` records of each kind.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn read_key_activity(
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
           -- By the index on the root; that of a session is another key's.
           AND ($3 OR COALESCE(root, access_key_id) = $1)
         ORDER BY received_at DESC
         LIMIT $2",
        id,
        limit,
        access_key_id.is_session()
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
    let created_keys = sqlx::query_as!(
        CreatedKeyView,
        "SELECT
             k.access_key_id,
             p.user_name,
             k.created_by_access_key_id AS \"created_by_access_key_id!\",
             k.status,
             k.created_at
         FROM access_keys k
         JOIN principals p USING (principal_id)
         WHERE k.created_by_access_key_id = $1
            OR k.created_by_access_key_id IN (
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
        created_keys,
    })
}
