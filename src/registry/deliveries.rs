//! The ledger of deliveries: each body once, however often it arrives.

use sqlx::PgTransaction;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{audit::Actor, directory::StateFault};

/// What reports arrived in.
#[derive(Debug, Clone, Copy)]
pub struct Ledger<'a> {
    /// SHA-256 of the body as it was received.
    pub body_sha256: &'a [u8; 32],
    /// Which key of the source signed it.
    pub key_identifier: Option<&'a str>,
}

/// Notes an arrival; gives the delivery's id, which is that of the first arrival.
pub(super) async fn keep(
    tx: &mut PgTransaction<'_>,
    ledger: &Ledger<'_>,
    source: &str,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<Uuid, StateFault> {
    let id = sqlx::query_scalar!(
        "INSERT INTO deliveries AS d (
             delivery_id,
             source,
             body_sha256,
             key_identifier,
             delivered_by,
             received_at,
             last_received_at
         )
         VALUES ($1, $2, $3, $4, $5, $6, $6)
         ON CONFLICT (source, body_sha256) DO UPDATE
         SET times = d.times + 1,
             last_received_at = excluded.last_received_at
         RETURNING delivery_id",
        Uuid::now_v7(),
        source,
        &ledger.body_sha256[..],
        ledger.key_identifier,
        by.to_string(),
        now
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(id)
}
