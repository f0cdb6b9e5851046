//! AccessKeys in Postgres.
//!
//! Only the registry can decide whether an access key must be restricted again when it becomes active, so status
//! changes run in the caller's transaction: [`crate::keys::lifecycle`].

use super::{
    KeyRecord, StateFault, collect_column, principals,
    revision::{AdditionStamp, WriteStamp},
    sealing::{KeyRing, SealFault, SealLocation, SealedSecret},
};
use akgate_api::keys::KeyStatus;
use akgate_rules::{
    access_key::AccessKeyId,
    lineage,
    position::{History, Position},
};
use rand::CryptoRng;
use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;
use uuid::Uuid;

/// An access key to be kept.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// What is known of it.
    pub record: KeyRecord,
    /// What made it, where that is known.
    pub created_by: Option<KeyCreator>,
}

/// The call that made an access key.
#[derive(Debug, Clone)]
pub struct KeyCreator {
    /// The key or session that signed.
    pub access_key_id: AccessKeyId,
    /// What the new key descends from ([`lineage`]).
    pub origins: Vec<String>,
    /// The call.
    pub request_id: Uuid,
    /// When it was received.
    pub at: OffsetDateTime,
}

/// An access key whose secret is sealed: ready to be kept.
#[derive(Debug, Clone)]
pub struct SealedKey {
    /// The public half.
    pub access_key_id: AccessKeyId,
    /// The account that owns it.
    pub account_id: String,
    /// The RAM user that it stands for; `None` for the account itself.
    pub user_name: Option<String>,
    /// The id that the IAM has that user under, where it is known.
    pub user_id: Option<String>,
    /// Whether it works.
    pub status: KeyStatus,
    created_by: Option<KeyCreator>,
    sealed: SealedSecret,
    blind_index: Vec<u8>,
}

impl SealedKey {
    /// Seals an access key. No database is asked, so that it can be done ahead of a transaction.
    ///
    /// # Errors
    /// [`SealFault`] only where the ring itself is broken.
    pub fn seal(
        key: NewKey,
        user_id: Option<String>,
        ring: &KeyRing,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, SealFault> {
        let record = key.record;
        let sealed = ring.seal(
            &record.secret,
            seal_location(record.access_key_id.as_str()),
            rng,
        )?;
        Ok(Self {
            blind_index: ring.blind_index(&record.secret),
            access_key_id: record.access_key_id,
            account_id: record.account_id,
            user_name: record.user_name,
            user_id,
            status: record.status,
            created_by: key.created_by,
            sealed,
        })
    }

    /// Keyed digest of its secret, by which it is found.
    #[must_use]
    pub fn blind_index(&self) -> &[u8] {
        &self.blind_index
    }

    /// Everything that it descends from: what made it, and the user whose it is.
    #[must_use]
    pub fn origins(&self) -> Vec<String> {
        let made_by = self.created_by.iter().flat_map(|by| by.origins.clone());
        let user = self.user_name.as_deref();
        let user = user.map(|name| lineage::user_origin(&self.account_id, name));
        made_by.chain(user).collect()
    }

    fn signer(&self) -> Option<&str> {
        Some(self.created_by.as_ref()?.access_key_id.as_str())
    }
}

/// Rows of `creations` for access keys, by column.
#[derive(Default)]
struct KeyCreations<'a> {
    origins: Vec<String>,
    made: Vec<&'a str>,
    request_ids: Vec<Uuid>,
    made_by: Vec<&'a str>,
    made_at: Vec<OffsetDateTime>,
}

impl<'a> KeyCreations<'a> {
    fn of(keys: impl IntoIterator<Item = &'a SealedKey>, now: OffsetDateTime) -> Self {
        let mut rows = Self::default();
        for key in keys {
            let by = key.created_by.as_ref();
            for origin in key.origins() {
                rows.origins.push(origin);
                rows.made.push(key.access_key_id.as_str());
                rows.request_ids
                    .push(by.map_or_else(Uuid::nil, |by| by.request_id));
                rows.made_by.push(key.signer().unwrap_or_default());
                rows.made_at.push(by.map_or(now, |by| by.at));
            }
        }
        rows
    }
}

/// Writes of which keys, users and sessions access keys descend. A listed key descends from its user, where a call made
/// that user.
async fn write_key_creations(
    tx: &mut PgTransaction<'_>,
    keys: &[&SealedKey],
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    let rows = KeyCreations::of(keys.iter().copied(), now);
    if rows.origins.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO creations (origin, made, request_id, made_by, made_at)
         SELECT n.origin, n.made, n.request_id, n.made_by, n.made_at
         FROM unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $5::timestamptz[])
             AS n (origin, made, request_id, made_by, made_at)
         WHERE n.made_by <> ''
            OR EXISTS (
                SELECT 1
                FROM creations c
                WHERE c.made = n.origin
            )
         ON CONFLICT DO NOTHING",
        &rows.origins,
        &rows.made as &[&str],
        &rows.request_ids,
        &rows.made_by as &[&str],
        &rows.made_at
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// What keeping an access key changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpsertOutcome {
    /// It is new.
    Inserted,
    /// Its secret or its status was another; this was its status.
    Changed(KeyStatus),
    /// It was there as it is.
    Unchanged,
    /// It belongs to another principal; nothing is written.
    Foreign,
}

/// Stores keys, their accounts and principals, each id once in `keys`. Calling it twice changes nothing. Says what
/// became of each, in their order.
///
/// # Errors
/// [`StateFault`].
pub async fn upsert_key_rows(
    tx: &mut PgTransaction<'_>,
    keys: &[SealedKey],
    at: WriteStamp,
) -> Result<Vec<UpsertOutcome>, StateFault> {
    let accounts = collect_column(keys, |key| key.account_id.as_str());
    let users = collect_column(keys, |key| key.user_name.as_deref());
    let user_ids = collect_column(keys, |key| key.user_id.as_deref());
    principals::ensure_principals(tx, &accounts, &users, &user_ids, at.now).await?;
    // Equal secrets have equal indexes: nothing has to be opened to compare them.
    let found = sqlx::query!(
        "SELECT
             p.principal_id,
             k.principal_id AS \"owner?\",
             k.status AS \"status?\",
             k.disabled_at IS NOT NULL AS \"is_held!\",
             k.blind_index = n.blind_index AS \"same_secret?\"
         FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[])
             WITH ORDINALITY AS n (access_key_id, account_id, user_name, blind_index, position)
         JOIN principals p
             ON p.account_id = n.account_id
             AND COALESCE(p.user_name, '') = COALESCE(n.user_name, '')
             AND p.deleted_at IS NULL
         LEFT JOIN access_keys k ON k.access_key_id = n.access_key_id
         ORDER BY n.position",
        &collect_column(keys, |key| key.access_key_id.as_str()) as &[&str],
        &accounts as &[&str],
        &users as &[Option<&str>],
        &collect_column(keys, |key| key.blind_index.as_slice()) as &[&[u8]]
    )
    .fetch_all(&mut **tx)
    .await?;
    if found.len() != keys.len() {
        return Err(StateFault::Corrupt("a principal that was just kept"));
    }
    let mut kept = Vec::with_capacity(keys.len());
    let mut written = Vec::new();
    for (key, row) in keys.iter().zip(&found) {
        let before = row.status.as_deref().map(parse_status).transpose()?;
        // A key that operators have disabled stays disabled, whatever an older list says.
        let is_held = row.is_held && key.status == KeyStatus::Active;
        let what = match before {
            None => UpsertOutcome::Inserted,
            Some(_) if row.owner != Some(row.principal_id) => UpsertOutcome::Foreign,
            Some(before) if row.same_secret == Some(true) && (is_held || before == key.status) => {
                UpsertOutcome::Unchanged
            }
            Some(before) => UpsertOutcome::Changed(before),
        };
        if matches!(what, UpsertOutcome::Inserted | UpsertOutcome::Changed(_)) {
            written.push((key, row.principal_id));
        }
        kept.push(what);
    }
    write_key_rows(tx, &written, at).await?;
    Ok(kept)
}

async fn write_key_rows(
    tx: &mut PgTransaction<'_>,
    keys: &[(&SealedKey, i64)],
    at: WriteStamp,
) -> Result<(), StateFault> {
    if keys.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO access_keys (
             access_key_id,
             principal_id,
             status,
             sealed_secret,
             seal_key_id,
             blind_index,
             created_by_access_key_id,
             created_at,
             revision
         )
         SELECT *, $8::timestamptz, $9::bigint
         FROM unnest(
             $1::text[],
             $2::bigint[],
             $3::text[],
             $4::bytea[],
             $5::integer[],
             $6::bytea[],
             $7::text[]
         )
         ON CONFLICT (access_key_id) DO UPDATE
         SET status = CASE
                 WHEN access_keys.disabled_at IS NOT NULL AND excluded.status = 'Active' THEN access_keys.status
                 ELSE excluded.status
             END,
             sealed_secret = excluded.sealed_secret,
             seal_key_id = excluded.seal_key_id,
             blind_index = excluded.blind_index,
             revision = excluded.revision",
        &collect_column(keys, |(key, _)| key.access_key_id.as_str()) as &[&str],
        &collect_column(keys, |(_, principal_id)| *principal_id),
        &collect_column(keys, |(key, _)| key.status.as_str()) as &[&str],
        &collect_column(keys, |(key, _)| key.sealed.bytes.as_slice()) as &[&[u8]],
        &collect_column(keys, |(key, _)| key.sealed.key_id),
        &collect_column(keys, |(key, _)| key.blind_index.as_slice()) as &[&[u8]],
        &collect_column(keys, |(key, _)| key
            .signer()) as &[Option<&str>],
        at.now,
        at.revision,
    )
    .execute(&mut **tx)
    .await?;
    write_key_creations(tx, &collect_column(keys, |(key, _)| *key), at.now).await
}

/// Stores access keys that are not known yet, each id once, with their accounts and principals.
///
/// # Errors
/// [`StateFault`].
pub async fn insert_new_keys(
    tx: &mut PgTransaction<'_>,
    keys: &[&SealedKey],
    at: AdditionStamp,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    if keys.is_empty() {
        return Ok(());
    }
    let accounts = collect_column(keys, |key| key.account_id.as_str());
    let users = collect_column(keys, |key| key.user_name.as_deref());
    let user_ids = collect_column(keys, |key| key.user_id.as_deref());
    principals::ensure_principals(tx, &accounts, &users, &user_ids, now).await?;
    let lineage = KeyCreations::of(keys.iter().copied(), now);
    let written = sqlx::query!(
        "WITH lineage AS (
             INSERT INTO creations (origin, made, request_id, made_by, made_at)
             SELECT *
             FROM unnest($11::text[], $12::text[], $13::uuid[], $14::text[], $15::timestamptz[])
             ON CONFLICT DO NOTHING
         )
         INSERT INTO access_keys (
             access_key_id,
             principal_id,
             status,
             sealed_secret,
             seal_key_id,
             blind_index,
             created_by_access_key_id,
             created_at,
             revision,
             addition
         )
         SELECT
             n.access_key_id,
             p.principal_id,
             n.status,
             n.sealed_secret,
             n.seal_key_id,
             n.blind_index,
             n.created_by_access_key_id,
             $9::timestamptz,
             0,
             $10::bigint
         FROM unnest(
             $1::text[],
             $2::text[],
             $3::text[],
             $4::text[],
             $5::bytea[],
             $6::integer[],
             $7::bytea[],
             $8::text[]
         ) AS n (
             access_key_id,
             account_id,
             user_name,
             status,
             sealed_secret,
             seal_key_id,
             blind_index,
             created_by_access_key_id
         )
         JOIN principals p
             ON p.account_id = n.account_id
             AND COALESCE(p.user_name, '') = COALESCE(n.user_name, '')
             AND p.deleted_at IS NULL",
        &collect_column(keys, |key| key.access_key_id.as_str()) as &[&str],
        &accounts as &[&str],
        &users as &[Option<&str>],
        &collect_column(keys, |key| key.status.as_str()) as &[&str],
        &collect_column(keys, |key| key.sealed.bytes.as_slice()) as &[&[u8]],
        &collect_column(keys, |key| key.sealed.key_id),
        &collect_column(keys, |key| key.blind_index.as_slice()) as &[&[u8]],
        &collect_column(keys, |key| key.signer()) as &[Option<&str>],
        now,
        at.addition,
        &lineage.origins,
        &lineage.made as &[&str],
        &lineage.request_ids,
        &lineage.made_by as &[&str],
        &lineage.made_at
    )
    .execute(&mut **tx)
    .await?;
    match usize::try_from(written.rows_affected()) == Ok(keys.len()) {
        true => Ok(()),
        false => Err(StateFault::Corrupt("a principal that was just stored")),
    }
}

/// An access key that was found.
#[derive(Debug, Clone)]
pub struct FoundKey {
    /// What is known of it.
    pub record: KeyRecord,
    /// The revision of its last change, in the history in which it was read.
    pub position: Position,
}

/// Finds an access key and opens its secret.
///
/// # Errors
/// [`StateFault`].
pub async fn find_key(
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
             k.revision,
             r.history
         FROM registry_revision r, access_keys k
         JOIN principals p USING (principal_id)
         WHERE k.access_key_id = $1",
        access_key_id.as_str()
    )
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let sealed = SealedSecret {
        key_id: row.seal_key_id,
        bytes: row.sealed_secret,
    };
    Ok(Some(FoundKey {
        record: KeyRecord {
            access_key_id: access_key_id.clone(),
            account_id: row.account_id,
            user_name: row.user_name,
            status: parse_status(&row.status)?,
            secret: ring.open(&sealed, seal_location(access_key_id.as_str()))?,
        },
        position: Position {
            history: History(row.history),
            revision: row.revision,
        },
    }))
}

/// Who owns an access key, and whether it works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyOwner {
    /// The account.
    pub account_id: String,
    /// The RAM user; `None` for the account itself.
    pub user_name: Option<String>,
    /// Whether the key works.
    pub status: KeyStatus,
}

/// Returns the owner and status of an access key; `None` if it is unknown.
///
/// # Errors
/// [`StateFault`].
pub async fn find_key_owner(
    tx: &mut PgTransaction<'_>,
    access_key_id: &AccessKeyId,
) -> Result<Option<KeyOwner>, StateFault> {
    let row = sqlx::query!(
        "SELECT
             p.account_id,
             p.user_name,
             k.status
         FROM access_keys k
         JOIN principals p USING (principal_id)
         WHERE k.access_key_id = $1",
        access_key_id.as_str()
    )
    .fetch_optional(&mut **tx)
    .await?;
    row.map(|row| {
        Ok(KeyOwner {
            account_id: row.account_id,
            user_name: row.user_name,
            status: parse_status(&row.status)?,
        })
    })
    .transpose()
}

/// Disables an active key, and holds it so until its owner sets its status. False where it is not active.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn disable_key_row(
    tx: &mut PgTransaction<'_>,
    access_key_id: &AccessKeyId,
    by: &str,
    at: WriteStamp,
) -> Result<bool, StateFault> {
    let disabled = sqlx::query!(
        "UPDATE access_keys
         SET status = 'Inactive',
             disabled_at = $2,
             disabled_by = $3,
             revision = $4
         WHERE access_key_id = $1
           AND status = 'Active'",
        access_key_id.as_str(),
        at.now,
        by,
        at.revision
    )
    .execute(&mut **tx)
    .await?;
    Ok(disabled.rows_affected() > 0)
}

/// Sets the status of an access key.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn update_key_status(
    tx: &mut PgTransaction<'_>,
    access_key_id: &AccessKeyId,
    status: KeyStatus,
    at: WriteStamp,
) -> Result<(), StateFault> {
    sqlx::query!(
        "UPDATE access_keys
         SET status = $2,
             disabled_at = NULL,
             disabled_by = NULL,
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

pub(super) fn seal_location(access_key_id: &str) -> SealLocation<'_> {
    SealLocation {
        table: "access_keys",
        column: "sealed_secret",
        row: access_key_id,
    }
}

pub(super) fn parse_status(text: &str) -> Result<KeyStatus, StateFault> {
    text.parse::<KeyStatus>()
        .map_err(|_| StateFault::Corrupt("status"))
}

/// Reads an id as the database has it.
///
/// # Errors
/// [`StateFault::Corrupt`].
pub fn parse_key_id(text: &str) -> Result<AccessKeyId, StateFault> {
    AccessKeyId::parse(text).map_err(|_| StateFault::Corrupt("access_key_id"))
}
