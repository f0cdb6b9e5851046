//! Status changes of keys, and their effect on restrictions.
//!
//! A lift of an inactive access key leaves a tombstone: when the key becomes active, it is restricted again in the same
//! transaction.

use std::collections::HashMap;

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
        sessions::{self, SealedSession},
    },
    outbox,
};
use crate::{
    leaks::record,
    restrictions::{
        descendants::{self, LineageRoot, NewDescendant},
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
    let new: Vec<NewDescendant<'_>> = keys
        .iter()
        .zip(&kept)
        .filter(|(_, kept)| **kept == UpsertOutcome::Inserted)
        .map(|(key, _)| NewDescendant {
            access_key_id: &key.access_key_id,
            account_id: &key.account_id,
            origins: key.origins(),
        })
        .collect();
    descendants::restrict_new_descendants(tx, &new, at).await?;
    Ok(kept)
}

/// Stores a session that came through a role or an identity provider which a restriction reaches, and restricts it.
///
/// # Errors
/// [`StateFault`].
pub async fn store_restricted_session(
    tx: &mut PgTransaction<'_>,
    session: &SealedSession,
    at: WriteStamp,
) -> Result<(), StateFault> {
    let addition = revision::advance_addition(tx).await?;
    let addition = addition.ok_or(StateFault::OtherHistory)?;
    sessions::insert_sessions(tx, &[session], addition, true).await?;
    let new = NewDescendant {
        access_key_id: session.id(),
        account_id: session.account_id(),
        origins: session.own_origins(),
    };
    descendants::restrict_new_descendants(tx, &[new], at).await
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
        // It may have been deleted when the key that made it was restricted.
        let back = NewDescendant {
            access_key_id,
            account_id: &key.account_id,
            origins: vec![access_key_id.as_str().to_owned()],
        };
        descendants::restrict_new_descendants(tx, &[back], at).await?;
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
    let again = sqlx::query!(
        "SELECT t.access_key_id, min(t.descendants_since) AS descendants_since
         FROM restrictions t
         WHERE t.access_key_id = ANY($1)
           AND t.tombstone
           AND NOT EXISTS (
               SELECT 1
               FROM restrictions r
               WHERE r.access_key_id = t.access_key_id
                 AND r.state <> 'Lifted'
           )
         GROUP BY t.access_key_id",
        &ids as &[&str]
    )
    .fetch_all(&mut **tx)
    .await?;
    let again: HashMap<&str, Option<OffsetDateTime>> = again
        .iter()
        .map(|row| (row.access_key_id.as_str(), row.descendants_since))
        .collect();
    let targets: Vec<RestrictionTarget<'_>> = back
        .iter()
        .filter(|(id, _)| again.contains_key(id.as_str()))
        .map(|(access_key_id, account_id)| {
            RestrictionTarget::leaked(access_key_id, Some(account_id))
        })
        .collect();
    let cause = RestrictionCause::Reactivated;
    let imposed = impose_restrictions(tx, &targets, cause, &Actor::Akgate, at).await?;
    // It reaches what the earlier one reached.
    let roots: Vec<LineageRoot> = targets
        .iter()
        .zip(imposed)
        .filter_map(|(target, restriction_id)| {
            let since = again
                .get(target.access_key_id.as_str())
                .copied()
                .flatten()?;
            Some(LineageRoot {
                restriction_id,
                since,
            })
        })
        .collect();
    descendants::restrict_descendants(tx, &roots, &Actor::Policy, at).await?;
    Ok(())
}
