//! What happens to pairs, and what that means for their restrictions.
//!
//! A lift of a pair that was not active leaves a tombstone: when the pair comes back, it is restricted
//! again in the transaction that brings it back.

use rand::CryptoRng;
use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;

use super::impose::{Imposition, impose, in_force};
use crate::{
    access_key::AccessKeyId,
    audit::Actor,
    directory::{
        KeyStatus, StateFault,
        keys::{self, Kept, NewKey},
        revision::{self, At},
        sealing::KeyRing,
    },
    restriction::Cause,
};

/// Keeps a pair in the caller's transaction. Doing it twice changes nothing.
///
/// # Errors
/// [`StateFault`].
pub async fn keep(
    tx: &mut PgTransaction<'_>,
    ring: &KeyRing,
    key: &NewKey,
    at: At,
    rng: &mut (impl CryptoRng + Send),
) -> Result<Kept, StateFault> {
    let kept = keys::keep(tx, ring, key, at, rng).await?;
    let record = &key.record;
    let comes_back = match kept {
        Kept::Inserted | Kept::Changed(KeyStatus::Inactive | KeyStatus::Deleted) => {
            record.status == KeyStatus::Active
        }
        Kept::Changed(KeyStatus::Active) | Kept::Unchanged => false,
    };
    if comes_back {
        restrict_again(tx, &record.access_key_id, &record.account_id, at).await?;
    }
    Ok(kept)
}

/// Sets the status of a pair in the caller's transaction. False where nothing changed or nobody knows the
/// pair.
///
/// # Errors
/// [`StateFault`].
pub async fn set_status(
    tx: &mut PgTransaction<'_>,
    access_key_id: &AccessKeyId,
    status: KeyStatus,
    at: At,
) -> Result<bool, StateFault> {
    let pair = keys::owned(tx, access_key_id).await?;
    let Some(pair) = pair.filter(|pair| pair.status != status) else {
        return Ok(false);
    };
    keys::set_status(tx, access_key_id, status, at).await?;
    if status == KeyStatus::Active {
        restrict_again(tx, access_key_id, &pair.account_id, at).await?;
    }
    Ok(true)
}

/// Keeps one pair in a transaction of its own.
///
/// # Errors
/// [`StateFault`]; nothing is kept then.
pub async fn keep_one(
    pool: &PgPool,
    ring: &KeyRing,
    key: &NewKey,
    now: OffsetDateTime,
    rng: &mut (impl CryptoRng + Send),
) -> Result<Kept, StateFault> {
    let mut tx = pool.begin().await?;
    let at = revision::advance(&mut tx, now).await?;
    let kept = keep(&mut tx, ring, key, at, rng).await?;
    if kept != Kept::Unchanged {
        tx.commit().await?;
    }
    Ok(kept)
}

/// Sets the status of one pair in a transaction of its own; gives the revision, or `None` where nothing
/// changed or nobody knows the pair.
///
/// # Errors
/// [`StateFault`]; nothing is changed then.
pub async fn set_one_status(
    pool: &PgPool,
    access_key_id: &AccessKeyId,
    status: KeyStatus,
    now: OffsetDateTime,
) -> Result<Option<i64>, StateFault> {
    let mut tx = pool.begin().await?;
    let at = revision::advance(&mut tx, now).await?;
    if !set_status(&mut tx, access_key_id, status, at).await? {
        return Ok(None);
    }
    tx.commit().await?;
    Ok(Some(at.revision))
}

async fn restrict_again(
    tx: &mut PgTransaction<'_>,
    access_key_id: &AccessKeyId,
    account_id: &str,
    at: At,
) -> Result<(), StateFault> {
    let has_tombstone = sqlx::query_scalar!(
        "SELECT EXISTS (
             SELECT 1
             FROM restrictions
             WHERE access_key_id = $1
               AND tombstone
         ) AS \"exists!\"",
        access_key_id.as_str()
    )
    .fetch_one(&mut **tx)
    .await?;
    if !has_tombstone || in_force(tx, access_key_id).await?.is_some() {
        return Ok(());
    }
    let imposition = Imposition {
        access_key_id,
        account_id: Some(account_id),
        cause: Cause::Reactivated,
        actor: &Actor::Akgate,
        at,
    };
    impose(tx, imposition).await?;
    Ok(())
}
