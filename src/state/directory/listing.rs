//! Lists of the directory for operators. No secret is read.

use sqlx::PgPool;
use time::OffsetDateTime;

use super::StateFault;
use akgate_api::keys::{KeyRestriction, KeyStatus, KeyView, ListedKey};
use akgate_rules::access_key::AccessKeyId;

/// Which AccessKeys to list, sorted by id.
#[derive(Debug, Clone, Copy)]
pub struct KeyCriteria<'a> {
    /// Only those of this account.
    pub account_id: Option<&'a str>,
    /// Only those of this RAM user.
    pub user_name: Option<&'a str>,
    /// Only those in this status.
    pub status: Option<KeyStatus>,
    /// Only restricted ones.
    pub restricted: bool,
    /// After this id; from the first one on where it is empty.
    pub after: &'a str,
    /// Maximum number of rows.
    pub limit: i64,
}

/// Lists AccessKeys.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn list_keys(
    pool: &PgPool,
    criteria: &KeyCriteria<'_>,
) -> Result<Vec<ListedKey>, StateFault> {
    let keys = sqlx::query_as!(
        ListedKey,
        "SELECT
             k.access_key_id,
             p.account_id,
             p.user_name,
             k.status,
             r.state AS \"restriction?\"
         FROM access_keys k
         JOIN principals p USING (principal_id)
         LEFT JOIN restrictions r
             ON r.access_key_id = k.access_key_id
             AND r.state <> 'Lifted'
         WHERE k.access_key_id > $1
           AND ($2::text IS NULL OR p.account_id = $2)
           AND ($3::text IS NULL OR p.user_name = $3)
           AND ($4::text IS NULL OR k.status = $4)
           AND (NOT $5 OR r.state IS NOT NULL)
         ORDER BY k.access_key_id
         LIMIT $6",
        criteria.after,
        criteria.account_id,
        criteria.user_name,
        criteria.status.map(KeyStatus::as_str),
        criteria.restricted,
        criteria.limit
    )
    .fetch_all(pool)
    .await?;
    Ok(keys)
}

/// Shows an AccessKey; `None` if it is unknown.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn find_key_view(
    pool: &PgPool,
    access_key_id: &AccessKeyId,
    now: OffsetDateTime,
) -> Result<Option<KeyView>, StateFault> {
    let id = access_key_id.as_str();
    let row = sqlx::query!(
        "SELECT
             p.account_id,
             p.user_name,
             k.status,
             k.created_at,
             k.created_by_access_key_id,
             k.disabled_at,
             k.disabled_by,
             k.seal_key_id,
             ARRAY(
                 SELECT email
                 FROM contacts c
                 WHERE c.account_id = p.account_id
                 ORDER BY created_at, email
             ) AS \"contacts!\",
             (
                 SELECT count(*)
                 FROM sessions s
                 WHERE s.ancestors @> ARRAY[k.access_key_id]
                   AND s.expires_at > $2
             ) AS \"sessions!\",
             (
                 SELECT count(*)
                 FROM access_keys m
                 WHERE m.created_by_access_key_id = k.access_key_id
             ) AS \"created_keys!\"
         FROM access_keys k
         JOIN principals p USING (principal_id)
         WHERE k.access_key_id = $1",
        id,
        now
    )
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let restrictions = sqlx::query_as!(
        KeyRestriction,
        "SELECT restriction_id, state, imposed_at
         FROM restrictions
         WHERE access_key_id = $1
         ORDER BY restriction_id DESC",
        id
    )
    .fetch_all(pool)
    .await?;
    Ok(Some(KeyView {
        access_key_id: id.to_owned(),
        account_id: row.account_id,
        user_name: row.user_name,
        status: row.status,
        created_at: row.created_at,
        created_by_access_key_id: row.created_by_access_key_id,
        disabled_at: row.disabled_at,
        disabled_by: row.disabled_by,
        seal_key_id: row.seal_key_id,
        contacts: row.contacts,
        restrictions,
        sessions: row.sessions,
        created_keys: row.created_keys,
    }))
}

/// The keys of the ring that secrets are sealed with, in order.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn list_seal_key_ids(pool: &PgPool) -> Result<Vec<i32>, StateFault> {
    let keys = sqlx::query_scalar!(
        "SELECT DISTINCT seal_key_id AS \"seal_key_id!\"
         FROM (
             SELECT seal_key_id FROM access_keys
             UNION ALL
             SELECT seal_key_id FROM sessions
         ) AS sealed
         ORDER BY seal_key_id"
    )
    .fetch_all(pool)
    .await?;
    Ok(keys)
}
