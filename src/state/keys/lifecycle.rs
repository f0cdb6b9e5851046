//! Status changes of keys, and their effect on restrictions.
//!
//! A lift of an inactive access key leaves a tombstone: when the key becomes active, it is restricted again in the same
//! transaction.

use rand::CryptoRng;
use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    audit::Actor,
    directory::{
        StateFault,
        keys::{self, NewKey, SealedKey, UpsertOutcome},
        revision::{self, WriteStamp},
        sealing::KeyRing,
    },
    outbox,
};
use crate::{
    leaks::record,
    restrictions::{
        escalate::look_again,
        impose::{RestrictionTarget, impose_restrictions},
    },
};
use akgate_api::keys::KeyStatus;
use akgate_rules::{access_key::AccessKeyId, position::Position, restriction::RestrictionCause};

/// Stores keys in the caller's transaction, each id once. Calling it twice changes nothing. Says what became of each,
/// in their order.
///
/// # Errors
/// [`StateFault`].
pub async fn upsert_keys(
    tx: &mut PgTransaction<'_>,
    keys: &[SealedKey],
    at: WriteStamp,
) -> Result<Vec<UpsertOutcome>, StateFault> {
    let kept = keys::upsert_key_rows(tx, keys, at).await?;
    let changed: Vec<&str> = keys
        .iter()
        .zip(&kept)
        .filter(|(_, kept)| matches!(kept, UpsertOutcome::Changed(_)))
        .map(|(key, _)| key.access_key_id.as_str())
        .collect();
    look_again(tx, &changed, at).await?;
    let back: Vec<(&AccessKeyId, &str)> = keys
        .iter()
        .zip(&kept)
        .filter(|(key, kept)| is_reactivated(key.status, **kept))
        .map(|(key, _)| (&key.access_key_id, key.account_id.as_str()))
        .collect();
    restrict_reactivated(tx, &back, at).await?;
    let told: Vec<&[u8]> = keys
        .iter()
        .zip(&kept)
        .filter(|(_, kept)| matches!(kept, UpsertOutcome::Inserted | UpsertOutcome::Changed(_)))
        .map(|(key, _)| key.blind_index())
        .collect();
    record::prove_suspicions(tx, &told, at).await?;
    Ok(kept)
}

/// Whether the change makes an inactive access key active.
fn is_reactivated(status: KeyStatus, kept: UpsertOutcome) -> bool {
    match kept {
        UpsertOutcome::Inserted
        | UpsertOutcome::Changed(KeyStatus::Inactive | KeyStatus::Deleted) => {
            status == KeyStatus::Active
        }
        UpsertOutcome::Changed(KeyStatus::Active)
        | UpsertOutcome::Unchanged
        | UpsertOutcome::Foreign => false,
    }
}

/// Stores one key in the caller's transaction.
///
/// # Errors
/// [`StateFault`]; [`StateFault::OtherPrincipal`] where it is somebody else's.
pub async fn upsert_key(
    tx: &mut PgTransaction<'_>,
    ring: &KeyRing,
    key: &NewKey,
    at: WriteStamp,
    rng: &mut (impl CryptoRng + Send),
) -> Result<UpsertOutcome, StateFault> {
    let sealed = SealedKey::seal(key.clone(), None, ring, rng)?;
    let kept = upsert_keys(tx, &[sealed], at).await?;
    if let [UpsertOutcome::Inserted] = kept.as_slice() {
        enqueue_to_owners(tx, &[key.record.access_key_id.as_str()], at).await?;
    }
    match kept.as_slice() {
        [UpsertOutcome::Foreign] => Err(StateFault::OtherPrincipal),
        [kept] => Ok(*kept),
        _ => Err(StateFault::Corrupt("a key that was just kept")),
    }
}

/// Sets the status of an access key in the caller's transaction. False where nothing changed or the key is unknown.
///
/// # Errors
/// [`StateFault`].
pub async fn set_key_status(
    tx: &mut PgTransaction<'_>,
    access_key_id: &AccessKeyId,
    status: KeyStatus,
    at: WriteStamp,
) -> Result<bool, StateFault> {
    let key = keys::find_key_owner(tx, access_key_id).await?;
    let Some(key) = key.filter(|key| key.status != status) else {
        return Ok(false);
    };
    keys::update_key_status(tx, access_key_id, status, at).await?;
    look_again(tx, &[access_key_id.as_str()], at).await?;
    if status == KeyStatus::Active {
        restrict_reactivated(tx, &[(access_key_id, &key.account_id)], at).await?;
    }
    Ok(true)
}

/// Stores one key in a transaction of its own.
///
/// # Errors
/// [`StateFault`]; nothing is kept then.
pub async fn commit_key(
    pool: &PgPool,
    ring: &KeyRing,
    key: &NewKey,
    now: OffsetDateTime,
    rng: &mut (impl CryptoRng + Send),
) -> Result<UpsertOutcome, StateFault> {
    let mut tx = pool.begin().await?;
    let at = revision::advance_revision(&mut tx, now).await?;
    let kept = upsert_key(&mut tx, ring, key, at, rng).await?;
    if kept != UpsertOutcome::Unchanged {
        tx.commit().await?;
    }
    Ok(kept)
}

/// Sets the status of one key in a transaction of its own; returns the change, or `None` where nothing changed or the
/// key is unknown.
///
/// # Errors
/// [`StateFault`]; nothing is changed then.
pub async fn commit_key_status(
    pool: &PgPool,
    access_key_id: &AccessKeyId,
    status: KeyStatus,
    now: OffsetDateTime,
) -> Result<Option<Position>, StateFault> {
    let mut tx = pool.begin().await?;
    let at = revision::advance_revision(&mut tx, now).await?;
    if !set_key_status(&mut tx, access_key_id, status, at).await? {
        return Ok(None);
    }
    tx.commit().await?;
    Ok(Some(at.position()))
}

/// Notifies the owners of keys that were restricted before their owners were known.
///
/// # Errors
/// [`StateFault`].
pub async fn enqueue_to_owners(
    tx: &mut PgTransaction<'_>,
    access_key_ids: &[&str],
    at: WriteStamp,
) -> Result<(), StateFault> {
    if access_key_ids.is_empty() {
        return Ok(());
    }
    let untold = sqlx::query!(
        "SELECT r.restriction_id, p.account_id
         FROM restrictions r
         JOIN access_keys k USING (access_key_id)
         JOIN principals p USING (principal_id)
         WHERE r.access_key_id = ANY($1)
           AND r.state <> 'Lifted'
           AND NOT EXISTS (
               SELECT 1
               FROM letters l
               WHERE l.restriction_id = r.restriction_id
           )",
        access_key_ids as &[&str]
    )
    .fetch_all(&mut **tx)
    .await?;
    let untold: Vec<(Uuid, Option<&str>)> = untold
        .iter()
        .map(|one| (one.restriction_id, Some(one.account_id.as_str())))
        .collect();
    outbox::enqueue_imposed(tx, &untold, at.now).await
}

/// Restricts the keys that have a tombstone and no restriction in force.
async fn restrict_reactivated(
    tx: &mut PgTransaction<'_>,
    back: &[(&AccessKeyId, &str)],
    at: WriteStamp,
) -> Result<(), StateFault> {
    if back.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = back.iter().map(|(id, _)| id.as_str()).collect();
    let again = sqlx::query_scalar!(
        "SELECT DISTINCT t.access_key_id
         FROM restrictions t
         WHERE t.access_key_id = ANY($1)
           AND t.tombstone
           AND NOT EXISTS (
               SELECT 1
               FROM restrictions r
               WHERE r.access_key_id = t.access_key_id
                 AND r.state <> 'Lifted'
           )",
        &ids as &[&str]
    )
    .fetch_all(&mut **tx)
    .await?;
    let targets: Vec<RestrictionTarget<'_>> = back
        .iter()
        .filter(|(id, _)| again.iter().any(|again| again == id.as_str()))
        .map(|(access_key_id, account_id)| RestrictionTarget {
            access_key_id,
            account_id: Some(account_id),
        })
        .collect();
    impose_restrictions(
        tx,
        &targets,
        RestrictionCause::Reactivated,
        &Actor::Akgate,
        at,
    )
    .await?;
    Ok(())
}
