//! The ancestors and descendants of a key or session, and how long it is kept what made what.

use sqlx::PgPool;
use time::OffsetDateTime;

use super::StateFault;
use akgate_api::lineage::Relative;
use akgate_rules::access_key::AccessKeyId;

/// Reads the lineage of a key or session: the ones that it comes from first, the farthest before the nearest; itself;
/// then what it made and what came through that, the nearest first: keys, sessions, users, roles and all else. Of descendants that are sessions only those that have not ended; at most `limit`.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn list_relatives(
    pool: &PgPool,
    access_key_id: &AccessKeyId,
    limit: i64,
    now: OffsetDateTime,
) -> Result<Vec<Relative>, StateFault> {
    let relatives = sqlx::query_as!(
        Relative,
        "WITH RECURSIVE up (access_key_id, distance) AS (
             SELECT $1::text, 0
             UNION
             SELECT COALESCE(s.ancestors[cardinality(s.ancestors)], k.created_by_access_key_id), up.distance - 1
             FROM up
             LEFT JOIN sessions s USING (access_key_id)
             LEFT JOIN access_keys k USING (access_key_id)
             WHERE up.distance > -32
               AND COALESCE(s.ancestors[cardinality(s.ancestors)], k.created_by_access_key_id) IS NOT NULL
         ),
         down (access_key_id, distance) AS (
             SELECT $1::text, 0
             UNION
             SELECT made.access_key_id, down.distance + 1
             FROM down
             CROSS JOIN LATERAL (
                 SELECT s.access_key_id
                 FROM sessions s
                 WHERE s.ancestors @> ARRAY[down.access_key_id]
                   AND s.ancestors[cardinality(s.ancestors)] = down.access_key_id
                   AND s.expires_at > $2
                 UNION ALL
                 SELECT s.access_key_id
                 FROM sessions s
                 WHERE s.origins @> ARRAY[down.access_key_id]
                   AND s.expires_at > $2
                 UNION ALL
                 SELECT k.access_key_id
                 FROM access_keys k
                 WHERE k.created_by_access_key_id = down.access_key_id
                 UNION ALL
                 SELECT c.made
                 FROM creations c
                 WHERE c.origin = down.access_key_id
             ) AS made
             WHERE down.distance < 32
         ),
         nearest AS (
             SELECT access_key_id, min(distance) AS distance
             FROM down
             GROUP BY access_key_id
         ),
         related AS (
             SELECT * FROM up
             UNION
             SELECT * FROM (SELECT * FROM nearest ORDER BY distance, access_key_id LIMIT $3) AS nearest
         )
         SELECT
             n.access_key_id AS \"access_key_id!\",
             n.distance AS \"distance!\",
             COALESCE(
                 s.ancestors[cardinality(s.ancestors)],
                 k.created_by_access_key_id,
                 (SELECT NULLIF(min(c.made_by), '') FROM creations c WHERE c.made = n.access_key_id)
             ) AS created_by,
             CASE
                 WHEN s.access_key_id IS NOT NULL THEN 'Session'
                 WHEN k.access_key_id IS NOT NULL THEN 'AccessKey'
                 WHEN n.access_key_id LIKE '%:%' THEN split_part(n.access_key_id, ':', 1)
             END AS kind,
             CASE
                 WHEN s.expires_at > $2 THEN 'Live'
                 WHEN s.expires_at IS NOT NULL THEN 'Ended'
                 ELSE k.status
             END AS status,
             s.expires_at AS \"expires_at?\",
             r.state AS \"restriction?\"
         FROM related n
         LEFT JOIN sessions s USING (access_key_id)
         LEFT JOIN access_keys k USING (access_key_id)
         LEFT JOIN restrictions r
             ON r.access_key_id = n.access_key_id
             AND r.state <> 'Lifted'
         ORDER BY n.distance, n.access_key_id",
        access_key_id.as_str(),
        now,
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(relatives)
}

/// Forgets what was made before `before`; returns how much.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn delete_creations_before(
    pool: &PgPool,
    before: OffsetDateTime,
) -> Result<u64, StateFault> {
    let gone = sqlx::query!(
        "DELETE FROM creations
         WHERE made_at < $1",
        before
    )
    .execute(pool)
    .await?;
    Ok(gone.rows_affected())
}
