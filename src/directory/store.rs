//! The directory in Postgres: each function is one transaction.

use rand::CryptoRng;
use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;

use super::{
    KeyRecord, KeyStatus,
    sealing::{KeyRing, Place, SealFault, Sealed},
};
use crate::access_key::{AccessKeyId, AccessKeySecret};

/// Why the directory gives no answer.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryFault {
    /// Postgres does not do what was asked.
    #[error("the directory's database: {0}")]
    Database(#[from] sqlx::Error),
    /// A secret does not open.
    #[error(transparent)]
    Seal(#[from] SealFault),
    /// A row holds what no migration of ours allows.
    #[error("the directory holds a row that cannot be: {0}")]
    Corrupt(&'static str),
    /// A pair cannot pass from one principal to another.
    #[error("this AccessKeyId belongs to another principal")]
    OtherPrincipal,
}

/// A pair to be kept.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// What is known of it.
    pub record: KeyRecord,
    /// The key that made it, where that is known.
    pub made_by: Option<AccessKeyId>,
}

/// What keeping a pair changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is new.
    Inserted,
    /// Its secret or its status was another.
    Changed,
    /// It was there as it is.
    Unchanged,
}

/// A change that every node must learn of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChange {
    /// Its place in the order of commits.
    pub revision: i64,
    /// The pair that changed.
    pub access_key_id: AccessKeyId,
    /// Its status now.
    pub status: KeyStatus,
}

/// Keeps a pair, its account and its principal. Doing it twice changes nothing.
///
/// # Errors
/// [`DirectoryFault`]; nothing is kept then.
pub async fn keep(
    pool: &PgPool,
    ring: &KeyRing,
    key: &NewKey,
    now: OffsetDateTime,
    rng: &mut (impl CryptoRng + Send),
) -> Result<Kept, DirectoryFault> {
    let record = &key.record;
    let id = record.access_key_id.as_str();
    let mut tx = pool.begin().await?;
    let principal = principal(&mut tx, record, now).await?;
    let existing = sqlx::query!(
        "SELECT principal_id, status, sealed_secret, seal_key_id
         FROM access_keys
         WHERE access_key_id = $1
         FOR UPDATE",
        id
    )
    .fetch_optional(&mut *tx)
    .await?;
    let kept = match existing {
        None => Kept::Inserted,
        Some(row) if row.principal_id != principal => return Err(DirectoryFault::OtherPrincipal),
        Some(row) => {
            let sealed = Sealed {
                key_id: row.seal_key_id,
                bytes: row.sealed_secret,
            };
            let secret = ring.open(&sealed, place(id))?;
            let same = secret.expose() == record.secret.expose();
            if same && row.status == record.status.as_str() {
                return Ok(Kept::Unchanged);
            }
            Kept::Changed
        }
    };
    let sealed = ring.seal(&record.secret, place(id), rng)?;
    let written = sqlx::query!(
        "WITH counter AS (
             UPDATE registry_revision
             SET revision = revision + 1
             RETURNING revision
         )
         INSERT INTO access_keys (
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
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, revision
         FROM counter
         ON CONFLICT (access_key_id) DO UPDATE
         SET status = excluded.status,
             sealed_secret = excluded.sealed_secret,
             seal_key_id = excluded.seal_key_id,
             blind_index = excluded.blind_index,
             revision = excluded.revision
         WHERE access_keys.principal_id = excluded.principal_id",
        id,
        principal,
        record.status.as_str(),
        sealed.bytes,
        sealed.key_id,
        ring.blind_index(&record.secret),
        now,
        key.made_by.as_ref().map(AccessKeyId::as_str),
    )
    .execute(&mut *tx)
    .await?;
    if written.rows_affected() == 0 {
        // Another principal's key of that id came in between.
        return Err(DirectoryFault::OtherPrincipal);
    }
    tx.commit().await?;
    Ok(kept)
}

/// Finds a pair and opens its secret.
///
/// # Errors
/// [`DirectoryFault`].
pub async fn find(
    pool: &PgPool,
    ring: &KeyRing,
    access_key_id: &AccessKeyId,
) -> Result<Option<KeyRecord>, DirectoryFault> {
    let row = sqlx::query!(
        "SELECT p.account_id, p.user_name, k.status, k.sealed_secret, k.seal_key_id
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
    Ok(Some(KeyRecord {
        access_key_id: access_key_id.clone(),
        account_id: row.account_id,
        user_name: row.user_name,
        status: status(&row.status)?,
        secret: ring.open(&sealed, place(access_key_id.as_str()))?,
    }))
}

/// Finds the pairs that have this secret: for a leak that shows the secret alone.
///
/// # Errors
/// [`DirectoryFault`].
pub async fn find_by_secret(
    pool: &PgPool,
    ring: &KeyRing,
    secret: &AccessKeySecret,
) -> Result<Vec<AccessKeyId>, DirectoryFault> {
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

/// Sets the status of a pair. Gives the new revision, or `None` where nothing changed or nobody knows
/// the pair.
///
/// # Errors
/// [`DirectoryFault`].
pub async fn set_status(
    pool: &PgPool,
    access_key_id: &AccessKeyId,
    status: KeyStatus,
) -> Result<Option<i64>, DirectoryFault> {
    let mut tx = pool.begin().await?;
    // The row before the counter, as everywhere: the counter is locked last.
    let changes = sqlx::query_scalar!(
        "SELECT status <> $2 AS \"changes!\"
         FROM access_keys
         WHERE access_key_id = $1
         FOR UPDATE",
        access_key_id.as_str(),
        status.as_str()
    )
    .fetch_optional(&mut *tx)
    .await?;
    if changes != Some(true) {
        return Ok(None);
    }
    let revision = sqlx::query_scalar!(
        "WITH counter AS (
             UPDATE registry_revision
             SET revision = revision + 1
             RETURNING revision
         )
         UPDATE access_keys
         SET status = $2,
             revision = counter.revision
         FROM counter
         WHERE access_key_id = $1
         RETURNING access_keys.revision",
        access_key_id.as_str(),
        status.as_str()
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Some(revision))
}

/// The pairs that changed after a revision, in the order of commits. From 0 it gives every pair.
///
/// # Errors
/// [`DirectoryFault`].
pub async fn changes_since(pool: &PgPool, revision: i64) -> Result<Vec<KeyChange>, DirectoryFault> {
    let rows = sqlx::query!(
        "SELECT revision, access_key_id, status
         FROM access_keys
         WHERE revision > $1
         ORDER BY revision",
        revision
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(KeyChange {
                revision: row.revision,
                access_key_id: key_id(&row.access_key_id)?,
                status: status(&row.status)?,
            })
        })
        .collect()
}

async fn principal(
    tx: &mut PgTransaction<'_>,
    record: &KeyRecord,
    now: OffsetDateTime,
) -> Result<i64, DirectoryFault> {
    sqlx::query!(
        "INSERT INTO accounts (account_id, created_at)
         VALUES ($1, $2)
         ON CONFLICT DO NOTHING",
        record.account_id,
        now
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "INSERT INTO principals (account_id, user_name)
         VALUES ($1, $2)
         ON CONFLICT DO NOTHING",
        record.account_id,
        record.user_name
    )
    .execute(&mut **tx)
    .await?;
    let id = sqlx::query_scalar!(
        "SELECT principal_id
         FROM principals
         WHERE account_id = $1
           AND user_name IS NOT DISTINCT FROM $2",
        record.account_id,
        record.user_name
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(id)
}

fn place(access_key_id: &str) -> Place<'_> {
    Place {
        table: "access_keys",
        column: "sealed_secret",
        row: access_key_id,
    }
}

fn status(text: &str) -> Result<KeyStatus, DirectoryFault> {
    KeyStatus::parse(text).ok_or(DirectoryFault::Corrupt("status"))
}

fn key_id(text: &str) -> Result<AccessKeyId, DirectoryFault> {
    AccessKeyId::parse(text).map_err(|_| DirectoryFault::Corrupt("access_key_id"))
}
