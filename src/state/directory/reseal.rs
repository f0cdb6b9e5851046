//! Reseals every secret under the newest key of the ring while nodes are running, so that an older key can be removed.
//!
//! The secrets themselves stay the same, so nodes need not be told. A row that changes meanwhile is already sealed with
//! the newest key, and is skipped.

use rand::CryptoRng;
use sqlx::PgPool;

use super::{
    StateFault, keys, revision,
    sealing::{KeyRing, SealLocation, SealedSecret},
    sessions,
};

/// Where sealed secrets stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedTable {
    /// AccessKeys.
    AccessKeys,
    /// Sessions.
    Sessions,
}

impl SealedTable {
    /// Both.
    pub const ALL: [Self; 2] = [Self::AccessKeys, Self::Sessions];

    fn place(self, id: &str) -> SealLocation<'_> {
        match self {
            Self::AccessKeys => keys::seal_location(id),
            Self::Sessions => sessions::seal_location(id),
        }
    }
}

/// A row that another key has sealed.
struct StaleRow {
    access_key_id: String,
    sealed_secret: Vec<u8>,
    seal_key_id: i32,
}

/// How many secrets are sealed by another key than the newest.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn count_stale(pool: &PgPool, ring: &KeyRing) -> Result<i64, StateFault> {
    let left = sqlx::query_scalar!(
        "SELECT
             (SELECT count(*) FROM access_keys WHERE seal_key_id <> $1)
             + (SELECT count(*) FROM sessions WHERE seal_key_id <> $1) AS \"left!\"",
        ring.newest()
    )
    .fetch_one(pool)
    .await?;
    Ok(left)
}

/// Seals up to `limit` secrets of a table again, from those after `after` on; returns the last one and how many there
/// were, or `None` where there are no more.
///
/// # Errors
/// [`StateFault`]; [`StateFault::Seal`] where the ring lacks the key that sealed one.
pub async fn reseal_batch(
    pool: &PgPool,
    ring: &KeyRing,
    table: SealedTable,
    after: &str,
    limit: i64,
    rng: &mut (impl CryptoRng + Send),
) -> Result<Option<(String, usize)>, StateFault> {
    let newest = ring.newest();
    let rows = read_stale_rows(pool, table, newest, after, limit).await?;
    let Some(last) = rows.last().map(|row| row.access_key_id.clone()) else {
        return Ok(None);
    };
    let mut resealed = Vec::with_capacity(rows.len());
    for row in &rows {
        let place = table.place(&row.access_key_id);
        let sealed = SealedSecret {
            key_id: row.seal_key_id,
            bytes: row.sealed_secret.clone(),
        };
        let secret = ring.open(&sealed, place)?;
        resealed.push(ring.seal_with(newest, &secret, place, rng)?.bytes);
    }
    write_resealed_rows(pool, table, newest, &rows, &resealed).await?;
    Ok(Some((last, rows.len())))
}

async fn read_stale_rows(
    pool: &PgPool,
    table: SealedTable,
    newest: i32,
    after: &str,
    limit: i64,
) -> Result<Vec<StaleRow>, StateFault> {
    let rows = match table {
        SealedTable::AccessKeys => {
            sqlx::query_as!(
                StaleRow,
                "SELECT access_key_id, sealed_secret, seal_key_id
                 FROM access_keys
                 WHERE access_key_id > $1
                   AND seal_key_id <> $2
                 ORDER BY access_key_id
                 LIMIT $3",
                after,
                newest,
                limit
            )
            .fetch_all(pool)
            .await?
        }
        SealedTable::Sessions => {
            sqlx::query_as!(
                StaleRow,
                "SELECT access_key_id, sealed_secret, seal_key_id
                 FROM sessions
                 WHERE access_key_id > $1
                   AND seal_key_id <> $2
                 ORDER BY access_key_id
                 LIMIT $3",
                after,
                newest,
                limit
            )
            .fetch_all(pool)
            .await?
        }
    };
    Ok(rows)
}

async fn write_resealed_rows(
    pool: &PgPool,
    table: SealedTable,
    newest: i32,
    rows: &[StaleRow],
    resealed: &[Vec<u8>],
) -> Result<(), StateFault> {
    let ids: Vec<&str> = rows.iter().map(|row| row.access_key_id.as_str()).collect();
    let before: Vec<&[u8]> = rows
        .iter()
        .map(|row| row.sealed_secret.as_slice())
        .collect();
    let mut tx = pool.begin().await?;
    revision::lock_revision(&mut tx).await?;
    match table {
        SealedTable::AccessKeys => {
            sqlx::query!(
                "UPDATE access_keys k
                 SET sealed_secret = n.resealed,
                     seal_key_id = $4
                 FROM unnest($1::text[], $2::bytea[], $3::bytea[])
                     AS n (access_key_id, before, resealed)
                 WHERE k.access_key_id = n.access_key_id
                   AND k.sealed_secret = n.before",
                &ids as &[&str],
                &before as &[&[u8]],
                resealed,
                newest
            )
            .execute(&mut *tx)
            .await?
        }
        SealedTable::Sessions => {
            sqlx::query!(
                "UPDATE sessions s
                 SET sealed_secret = n.resealed,
                     seal_key_id = $4
                 FROM unnest($1::text[], $2::bytea[], $3::bytea[])
                     AS n (access_key_id, before, resealed)
                 WHERE s.access_key_id = n.access_key_id
                   AND s.sealed_secret = n.before",
                &ids as &[&str],
                &before as &[&[u8]],
                resealed,
                newest
            )
            .execute(&mut *tx)
            .await?
        }
    };
    tx.commit().await?;
    Ok(())
}
