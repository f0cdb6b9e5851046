//! Checks that a key ring is the one with which this database's secrets were sealed. Ids alone are not enough, because
//! every ring has a `seal 1`.

use sqlx::{PgConnection, PgPool};

use super::{
    StateFault,
    sealing::{INDEX_KEY_ID, KeyRing},
};

/// Why a key ring must not be used with a database.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingMismatch {
    /// The key that finds secrets is another one: leaked secrets would not be found.
    #[error("the `index` key of this key ring is not the one of this database")]
    Index,
    /// The key of this id is another one: secrets would not open.
    #[error("the key `seal {0}` of this key ring is not the one of this database")]
    Seal(i32),
    /// A key is missing: some secrets would not open.
    #[error("this key ring lacks the key `seal {0}`, and this database has secrets that it sealed")]
    Missing(i32),
    /// The check itself failed.
    #[error(transparent)]
    State(#[from] StateFault),
}

impl From<sqlx::Error> for KeyRingMismatch {
    fn from(fault: sqlx::Error) -> Self {
        Self::State(fault.into())
    }
}

/// Checks a key ring, and keeps the check values of keys that the database does not know yet. The first ring of a
/// database is taken as its own.
///
/// # Errors
/// [`KeyRingMismatch`]; nothing is kept then.
pub async fn register_key_ring(pool: &PgPool, ring: &KeyRing) -> Result<(), KeyRingMismatch> {
    let mut tx = pool.begin().await?;
    let (ids, values): (Vec<i32>, Vec<Vec<u8>>) = ring.check_values().into_iter().unzip();
    sqlx::query!(
        "INSERT INTO key_ring_checks (key_id, check_value)
         SELECT *
         FROM unnest($1::integer[], $2::bytea[])
         ON CONFLICT (key_id) DO NOTHING",
        &ids,
        &values
    )
    .execute(&mut *tx)
    .await?;
    for id in compare(&mut tx, ring).await? {
        // It was taken out too early, or after everything was sealed again: then it is forgotten.
        if has_sealed(&mut tx, id).await? {
            return Err(KeyRingMismatch::Missing(id));
        }
        sqlx::query!("DELETE FROM key_ring_checks WHERE key_id = $1", id)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Checks the keys of a ring that the database knows, without keeping anything. A database that has none yet takes any.
///
/// # Errors
/// [`KeyRingMismatch`].
pub async fn check_key_ring(pool: &PgPool, ring: &KeyRing) -> Result<(), KeyRingMismatch> {
    compare(&mut *pool.acquire().await?, ring).await?;
    Ok(())
}

/// Gives the ids of keys that the database knows and the ring has not.
async fn compare(database: &mut PgConnection, ring: &KeyRing) -> Result<Vec<i32>, KeyRingMismatch> {
    let kept = sqlx::query!("SELECT key_id, check_value FROM key_ring_checks ORDER BY key_id")
        .fetch_all(database)
        .await?;
    let values = ring.check_values();
    let mut missing = Vec::new();
    for row in kept {
        match values.iter().find(|(id, _)| *id == row.key_id) {
            Some((_, value)) if *value == row.check_value => {}
            Some((INDEX_KEY_ID, _)) => return Err(KeyRingMismatch::Index),
            Some((id, _)) => return Err(KeyRingMismatch::Seal(*id)),
            None => missing.push(row.key_id),
        }
    }
    Ok(missing)
}

async fn has_sealed(database: &mut PgConnection, seal_key_id: i32) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT EXISTS (SELECT 1 FROM access_keys WHERE seal_key_id = $1)
             OR EXISTS (SELECT 1 FROM sessions WHERE seal_key_id = $1) AS \"has_sealed!\"",
        seal_key_id
    )
    .fetch_one(database)
    .await
}
