//! Replays recorded calls under another policy: which would have been refused?
//!
//! Calls are counted per key, operation and hour, so a key counts as restricted in every hour that its restriction
//! touches. Sessions are deleted a day after they expire, together with their ancestry; after that, their calls belong
//! to no key.

use sqlx::PgPool;
use time::OffsetDateTime;

use crate::directory::StateFault;
use akgate_api::policy::ReplayedCalls;

/// An operation that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalledOperation {
    /// Product code.
    pub product: String,
    /// API version.
    pub version: String,
    /// Action.
    pub action: String,
}

/// Every operation that was asked for since then.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn list_called_operations(
    pool: &PgPool,
    since: OffsetDateTime,
) -> Result<Vec<CalledOperation>, StateFault> {
    let operations = sqlx::query_as!(
        CalledOperation,
        "SELECT DISTINCT product, version, action
         FROM call_counts
         WHERE hour >= $1",
        since
    )
    .fetch_all(pool)
    .await?;
    Ok(operations)
}

/// An operation that the policy refuses to a restricted key.
#[derive(Debug, Clone)]
pub struct RefusedOperation {
    /// The operation.
    pub operation: CalledOperation,
    /// Only where the restriction was widened.
    pub if_widened: bool,
}

/// The calls since then that would have been refused, the most frequent first: of keys that were restricted when they
/// called, or of `all` keys, as if every one had leaked.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn replay_calls(
    pool: &PgPool,
    refused: &[RefusedOperation],
    all: bool,
    since: OffsetDateTime,
    limit: i64,
) -> Result<Vec<ReplayedCalls>, StateFault> {
    let product: Vec<&str> = refused.iter().map(|one| &*one.operation.product).collect();
    let version: Vec<&str> = refused.iter().map(|one| &*one.operation.version).collect();
    let action: Vec<&str> = refused.iter().map(|one| &*one.operation.action).collect();
    let if_widened: Vec<bool> = refused.iter().map(|one| one.if_widened).collect();
    let calls = sqlx::query_as!(
        ReplayedCalls,
        "SELECT
             c.access_key_id,
             r.access_key_id AS \"restricted_key?\",
             COALESCE(p.account_id, s.account_id) AS account_id,
             COALESCE(p.user_name, s.principal) AS principal,
             c.product,
             c.action,
             sum(c.forwarded + c.refused)::bigint AS \"calls!\",
             sum(c.refused)::bigint AS \"refused!\",
             max(c.hour) AS \"last_hour!\"
         FROM unnest($1::text[], $2::text[], $3::text[], $4::boolean[]) AS o (product, version, action, if_widened)
         JOIN call_counts c USING (product, version, action)
         LEFT JOIN sessions s ON s.access_key_id = c.access_key_id
         LEFT JOIN access_keys k ON k.access_key_id = c.access_key_id
         LEFT JOIN principals p ON p.principal_id = k.principal_id
         LEFT JOIN LATERAL (
             SELECT r.access_key_id
             FROM restrictions r
             WHERE NOT $5
               AND r.access_key_id = ANY(s.ancestors || c.access_key_id)
               AND r.imposed_at < c.hour + interval '1 hour'
               AND (r.lifted_at IS NULL OR r.lifted_at > c.hour)
               AND (NOT o.if_widened OR r.widened_at < c.hour + interval '1 hour')
             LIMIT 1
         ) AS r ON true
         WHERE c.hour >= $6
           AND ($5 AND NOT o.if_widened OR r.access_key_id IS NOT NULL)
         GROUP BY
             c.access_key_id,
             r.access_key_id,
             p.account_id,
             s.account_id,
             p.user_name,
             s.principal,
             c.product,
             c.action
         ORDER BY sum(c.forwarded + c.refused) DESC, c.access_key_id, c.product, c.action
         LIMIT $7",
        &product as &[&str],
        &version as &[&str],
        &action as &[&str],
        &if_widened,
        all,
        since,
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(calls)
}
