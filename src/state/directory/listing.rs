//! What operators are shown of the directory. No secret is read.

use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{KeyStatus, StateFault};
use akgate_rules::access_key::AccessKeyId;

/// Which AccessKeys are wanted, in the order of their ids.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Of this account.
    pub account_id: Option<&'a str>,
    /// Of this RAM user.
    pub user_name: Option<&'a str>,
    /// In this status.
    pub status: Option<KeyStatus>,
    /// Restricted ones alone.
    pub restricted: bool,
    /// After this id; from the first one on where it is empty.
    pub after: &'a str,
    /// At most so many.
    pub limit: i64,
}

/// An AccessKey in a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ListedKey)]
pub struct Listed {
    /// The AccessKeyId.
    pub access_key_id: String,
    /// The account that owns it.
    pub account_id: String,
    /// The RAM user; null for the account itself.
    pub user_name: Option<String>,
    /// Active, Inactive or Deleted.
    pub status: String,
    /// State of the restriction in force; null if there is none.
    pub restriction: Option<String>,
}

/// An AccessKey with its context.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Key)]
pub struct Shown {
    /// The AccessKeyId.
    pub access_key_id: String,
    /// The account that owns it.
    pub account_id: String,
    /// The RAM user; null for the account itself.
    pub user_name: Option<String>,
    /// Active, Inactive or Deleted.
    pub status: String,
    /// When it was created, or first seen.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// The AccessKey that created it; null if unknown.
    pub made_by_access_key_id: Option<String>,
    /// Since when operators keep it disabled; null if they do not.
    #[serde(with = "time::serde::rfc3339::option")]
    pub disabled_at: Option<OffsetDateTime>,
    /// The operator who requested that: `operator:NAME`.
    pub disabled_by: Option<String>,
    /// The key of the key ring that seals its secret.
    pub seal_key_id: i32,
    /// The addresses that letters about it go to.
    pub contacts: Vec<String>,
    /// Its restrictions, newest first.
    pub restrictions: Vec<RestrictionOf>,
    /// Number of its sessions that have not expired.
    pub sessions: i64,
    /// Number of AccessKeys created with it.
    pub made: i64,
}

/// A restriction of a key.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RestrictionOf {
    /// UUID version 7.
    pub restriction_id: Uuid,
    /// Imposed, Remediated or Lifted.
    pub state: String,
    /// Since when it has been in force.
    #[serde(with = "time::serde::rfc3339")]
    pub imposed_at: OffsetDateTime,
}

/// Lists AccessKeys.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn list(pool: &PgPool, wanted: &Wanted<'_>) -> Result<Vec<Listed>, StateFault> {
    let keys = sqlx::query_as!(
        Listed,
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
        wanted.after,
        wanted.account_id,
        wanted.user_name,
        wanted.status.map(KeyStatus::as_str),
        wanted.restricted,
        wanted.limit
    )
    .fetch_all(pool)
    .await?;
    Ok(keys)
}

/// Shows an AccessKey; `None` where nobody knows it.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn show(
    pool: &PgPool,
    access_key_id: &AccessKeyId,
    now: OffsetDateTime,
) -> Result<Option<Shown>, StateFault> {
    let id = access_key_id.as_str();
    let row = sqlx::query!(
        "SELECT
             p.account_id,
             p.user_name,
             k.status,
             k.created_at,
             k.made_by_access_key_id,
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
                 WHERE m.made_by_access_key_id = k.access_key_id
             ) AS \"made!\"
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
        RestrictionOf,
        "SELECT restriction_id, state, imposed_at
         FROM restrictions
         WHERE access_key_id = $1
         ORDER BY restriction_id DESC",
        id
    )
    .fetch_all(pool)
    .await?;
    Ok(Some(Shown {
        access_key_id: id.to_owned(),
        account_id: row.account_id,
        user_name: row.user_name,
        status: row.status,
        created_at: row.created_at,
        made_by_access_key_id: row.made_by_access_key_id,
        disabled_at: row.disabled_at,
        disabled_by: row.disabled_by,
        seal_key_id: row.seal_key_id,
        contacts: row.contacts,
        restrictions,
        sessions: row.sessions,
        made: row.made,
    }))
}

/// The keys of the ring that secrets are sealed with, in order.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn sealed_by(pool: &PgPool) -> Result<Vec<i32>, StateFault> {
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
