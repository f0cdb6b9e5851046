//! Recent calls of keys, to predict what restricting them would refuse.

use sqlx::PgPool;
use time::OffsetDateTime;

use crate::directory::StateFault;

/// Calls of one operation by one AccessKey and the sessions that descend from it.
#[derive(Debug, Clone)]
pub struct OperationUsage {
    /// The AccessKey.
    pub access_key_id: String,
    /// Product code.
    pub product: String,
    /// API version.
    pub version: String,
    /// Action.
    pub action: String,
    /// Calls that were forwarded.
    pub calls: i64,
    /// The profile of its account; `None` for the configured default.
    pub profile: Option<String>,
}

/// What these AccessKeys have asked for since then, by operation.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn list_usage_since(
    pool: &PgPool,
    access_key_ids: &[&str],
    since: OffsetDateTime,
) -> Result<Vec<OperationUsage>, StateFault> {
    let asked = sqlx::query_as!(
        OperationUsage,
        "WITH signers AS (
             SELECT n.access_key_id, n.access_key_id AS signer
             FROM unnest($1::text[]) AS n (access_key_id)
             UNION
             SELECT n.access_key_id, s.access_key_id
             FROM unnest($1::text[]) AS n (access_key_id)
             JOIN sessions s ON s.ancestors @> ARRAY[n.access_key_id]
         )
         SELECT
             n.access_key_id AS \"access_key_id!\",
             c.product,
             c.version,
             c.action,
             sum(c.forwarded)::bigint AS \"calls!\",
             a.profile AS \"profile?\"
         FROM signers n
         JOIN call_counts c ON c.access_key_id = n.signer
         LEFT JOIN access_keys k ON k.access_key_id = n.access_key_id
         LEFT JOIN principals p USING (principal_id)
         LEFT JOIN accounts a USING (account_id)
         WHERE c.hour >= $2
         GROUP BY n.access_key_id, c.product, c.version, c.action, a.profile",
        access_key_ids as &[&str],
        since
    )
    .fetch_all(pool)
    .await?;
    Ok(asked)
}
