//! The list of deliveries: each body once, however often it arrives.

use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{audit::Actor, directory::StateFault};
use akgate_api::deliveries::DeliveryView;

/// What reports arrived in.
#[derive(Debug, Clone, Copy)]
pub enum DeliveryOrigin<'a> {
    /// A body: each counts once.
    Body {
        /// SHA-256 of it as it was received.
        sha256: &'a [u8; 32],
        /// Which key of the source signed it.
        key_identifier: Option<&'a str>,
    },
    /// A batch that was begun before ([`begin_delivery`]).
    Existing(Uuid),
}

/// Records an arrival; returns the id of the delivery, which is that of its first arrival.
pub(crate) async fn upsert_delivery(
    tx: &mut PgTransaction<'_>,
    ledger: DeliveryOrigin<'_>,
    source: &str,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<Uuid, StateFault> {
    let (sha256, key_identifier) = match ledger {
        DeliveryOrigin::Body {
            sha256,
            key_identifier,
        } => (sha256, key_identifier),
        DeliveryOrigin::Existing(id) => return Ok(id),
    };
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
        &sha256[..],
        key_identifier,
        by.to_string(),
        now
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(id)
}

/// Begins a batch whose reports arrive in any number of transactions.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn begin_delivery(
    pool: &PgPool,
    source: &str,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<Uuid, StateFault> {
    let id = Uuid::now_v7();
    sqlx::query!(
        "INSERT INTO deliveries (delivery_id, source, delivered_by, received_at, last_received_at)
         VALUES ($1, $2, $3, $4, $4)",
        id,
        source,
        by.to_string(),
        now
    )
    .execute(pool)
    .await?;
    Ok(id)
}

/// Continues a batch that was begun before; returns its source, or `None` if the batch does not exist or was undone.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn resume_delivery(
    pool: &PgPool,
    delivery_id: Uuid,
    now: OffsetDateTime,
) -> Result<Option<String>, StateFault> {
    let source = sqlx::query_scalar!(
        "UPDATE deliveries
         SET times = times + 1,
             last_received_at = $2
         WHERE delivery_id = $1
           AND body_sha256 IS NULL
           AND undone_at IS NULL
         RETURNING source",
        delivery_id,
        now
    )
    .fetch_optional(pool)
    .await?;
    Ok(source)
}

/// Reads deliveries, the newest first, from those before `before` on.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn list_deliveries(
    pool: &PgPool,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<DeliveryView>, StateFault> {
    let deliveries = sqlx::query_as!(
        DeliveryView,
        "SELECT
             d.delivery_id,
             d.source,
             d.delivered_by,
             d.key_identifier,
             d.received_at,
             d.last_received_at,
             d.times,
             l.reports AS \"reports!\",
             l.proven AS \"proven!\",
             l.restrictions AS \"restrictions!\",
             d.undone_at,
             d.undone_by,
             d.undone_reason
         FROM deliveries d
         CROSS JOIN LATERAL (
             SELECT
                 count(*) AS reports,
                 count(restriction_id) AS proven,
                 count(DISTINCT restriction_id) AS restrictions
             FROM leak_reports
             WHERE delivery_id = d.delivery_id
         ) AS l
         WHERE ($1::uuid IS NULL OR d.delivery_id < $1)
         ORDER BY d.delivery_id DESC
         LIMIT $2",
        before,
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(deliveries)
}
