//! AccessKey pairs in Postgres.
//!
//! Whether a pair may come back without being restricted again is the registry's affair, so what changes
//! a status runs in its caller's transaction: [`crate::registry::keys`].

use super::{
    KeyRecord, KeyStatus, StateFault, principals,
    revision::At,
    sealing::{KeyRing, Place, Sealed},
};
use crate::access_key::{AccessKeyId, AccessKeySecret};
use rand::CryptoRng;
use sqlx::{PgPool, PgTransaction};

/// A pair to be kept.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// What is known of it.
    pub record: KeyRecord,
    /// The key that made it, where that is known.
    pub made_by: Option<AccessKeyId>,
}

/// What keeping a pair changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is new.
    Inserted,
    /// Its secret or its status was another; this was its status.
    Changed(KeyStatus),
    /// It was there as it is.
    Unchanged,
}

/// Keeps a pair, its account and its principal. Doing it twice changes nothing.
///
/// # Errors
/// [`StateFault`]; [`StateFault::OtherPrincipal`] where it is somebody else's: nothing is written then.
pub async fn keep(
    tx: &mut PgTransaction<'_>,
    ring: &KeyRing,
    key: &NewKey,
    at: At,
    rng: &mut (impl CryptoRng + Send),
) -> Result<Kept, StateFault> {
    let record = &key.record;
    let id = record.access_key_id.as_str();
    let user_name = record.user_name.as_deref();
    let principal_id = principals::keep(tx, &record.account_id, user_name, at.now).await?;
    let existing = sqlx::query!(
        "SELECT principal_id, status, sealed_secret, seal_key_id
         FROM access_keys
         WHERE access_key_id = $1",
        id
    )
    .fetch_optional(&mut **tx)
    .await?;
    let kept = match existing {
        None => Kept::Inserted,
        Some(row) if row.principal_id != principal_id => return Err(StateFault::OtherPrincipal),
        Some(row) => {
            let sealed = Sealed {
                key_id: row.seal_key_id,
                bytes: row.sealed_secret,
            };
            let before = status(&row.status)?;
            let same = ring.open(&sealed, place(id))?.expose() == record.secret.expose();
            if same && before == record.status {
                return Ok(Kept::Unchanged);
            }
            Kept::Changed(before)
        }
    };
    let sealed = ring.seal(&record.secret, place(id), rng)?;
    sqlx::query!(
        "INSERT INTO access_keys (
             access_key_id,
             principal_id,
             status,
             sealed_secret,
             seal_key_id,
             blind_index,
             created_at,
             made_by_access_key_id,
             revision
         )
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (access_key_id) DO UPDATE
         SET status = excluded.status,
             sealed_secret = excluded.sealed_secret,
             seal_key_id = excluded.seal_key_id,
             blind_index = excluded.blind_index,
             revision = excluded.revision",
        id,
        principal_id,
        record.status.as_str(),
        sealed.bytes,
        sealed.key_id,
        ring.blind_index(&record.secret),
        at.now,
        key.made_by.as_ref().map(AccessKeyId::as_str),
        at.revision,
    )
    .execute(&mut **tx)
    .await?;
    Ok(kept)
}

/// A pair that was found, at the revision of its last change.
#[derive(Debug, Clone)]
pub struct FoundKey {
    /// What is known of it.
    pub record: KeyRecord,
    /// The revision of its last change.
    pub revision: i64,
}

/// Finds a pair and opens its secret.
///
/// # Errors
/// [`StateFault`].
pub async fn find(
    pool: &PgPool,
    ring: &KeyRing,
    access_key_id: &AccessKeyId,
) -> Result<Option<FoundKey>, StateFault> {
    let row = sqlx::query!(
        "SELECT
             p.account_id,
             p.user_name,
             k.status,
             k.sealed_secret,
             k.seal_key_id,
             k.revision
         FROM access_keys k
         JOIN principals p USING (principal_id)
         WHERE k.access_key_id = $1",
        access_key_id.as_str()
    )
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let sealed = Sealed {
        key_id: row.seal_key_id,
        bytes: row.sealed_secret,
    };
    Ok(Some(FoundKey {
        record: KeyRecord {
            access_key_id: access_key_id.clone(),
            account_id: row.account_id,
            user_name: row.user_name,
            status: status(&row.status)?,
            secret: ring.open(&sealed, place(access_key_id.as_str()))?,
        },
        revision: row.revision,
    }))
}

/// Finds the pairs that have this secret: for a leak that shows the secret alone.
///
/// # Errors
/// [`StateFault`].
pub async fn find_by_secret(
    pool: &PgPool,
    ring: &KeyRing,
    secret: &AccessKeySecret,
) -> Result<Vec<AccessKeyId>, StateFault> {
    let ids = sqlx::query_scalar!(
        "SELECT access_key_id
         FROM access_keys
         WHERE blind_index = $1
         ORDER BY access_key_id",
        ring.blind_index(secret)
    )
    .fetch_all(pool)
    .await?;
    ids.iter().map(|id| key_id(id)).collect()
}

/// Who owns a pair, and whether it works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    /// The account.
    pub account_id: String,
    /// The RAM user; `None` for the account itself.
    pub user_name: Option<String>,
    /// Whether the pair works.
    pub status: KeyStatus,
    /// Keyed digest of its secret, by which it is found.
    pub blind_index: Vec<u8>,
}

/// Says whose a pair is; `None` where nobody knows it.
///
/// # Errors
/// [`StateFault`].
pub async fn owned(
    tx: &mut PgTransaction<'_>,
    access_key_id: &AccessKeyId,
) -> Result<Option<Owned>, StateFault> {
    let row = sqlx::query!(
        "SELECT
             p.account_id,
             p.user_name,
             k.status,
             k.blind_index
         FROM access_keys k
         JOIN principals p USING (principal_id)
         WHERE k.access_key_id = $1",
        access_key_id.as_str()
    )
    .fetch_optional(&mut **tx)
    .await?;
    row.map(|row| {
        Ok(Owned {
            account_id: row.account_id,
            user_name: row.user_name,
            status: status(&row.status)?,
            blind_index: row.blind_index,
        })
    })
    .transpose()
}

/// Sets the status of a pair.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn set_status(
    tx: &mut PgTransaction<'_>,
    access_key_id: &AccessKeyId,
    status: KeyStatus,
    at: At,
) -> Result<(), StateFault> {
    sqlx::query!(
        "UPDATE access_keys
         SET status = $2,
             revision = $3
         WHERE access_key_id = $1",
        access_key_id.as_str(),
        status.as_str(),
        at.revision
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn place(access_key_id: &str) -> Place<'_> {
    Place {
        table: "access_keys",
        column: "sealed_secret",
        row: access_key_id,
    }
}

pub(super) fn status(text: &str) -> Result<KeyStatus, StateFault> {
    KeyStatus::parse(text).ok_or(StateFault::Corrupt("status"))
}

pub(super) fn key_id(text: &str) -> Result<AccessKeyId, StateFault> {
    AccessKeyId::parse(text).map_err(|_| StateFault::Corrupt("access_key_id"))
}
