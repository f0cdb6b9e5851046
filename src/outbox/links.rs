//! The confirmation link of a contact: its token is derived from the key ring when a letter is sent, and only
//! its hash is stored.

use sha2::{Digest, Sha256};
use sqlx::PgPool;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::directory::{StateFault, sealing::KeyRing};

/// How long a link works.
pub const LIFE: Duration = Duration::days(7);

/// The token of a contact's link that works at `now`; a link is made where there is none. A letter that is sent
/// again carries the same one.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn token(
    pool: &PgPool,
    ring: &KeyRing,
    restriction_id: Uuid,
    contact_id: Uuid,
    now: OffsetDateTime,
) -> Result<String, StateFault> {
    let mut tx = pool.begin().await?;
    // Two workers with letters to the same contact: one makes the link, the other finds it.
    sqlx::query!(
        "SELECT 1 AS one
         FROM contacts
         WHERE contact_id = $1
         FOR NO KEY UPDATE",
        contact_id
    )
    .fetch_one(&mut *tx)
    .await?;
    let last = sqlx::query!(
        "SELECT
             generation,
             used_at IS NULL AND expires_at > $3 AS \"works!\"
         FROM confirmation_links
         WHERE restriction_id = $1
           AND contact_id = $2
         ORDER BY generation DESC
         LIMIT 1",
        restriction_id,
        contact_id,
        now
    )
    .fetch_optional(&mut *tx)
    .await?;
    let generation = match last {
        Some(last) if last.works => {
            return Ok(ring.confirmation_token(restriction_id, contact_id, last.generation));
        }
        Some(last) => last.generation + 1,
        None => 1,
    };
    let token = ring.confirmation_token(restriction_id, contact_id, generation);
    sqlx::query!(
        "INSERT INTO confirmation_links (
             token_sha256,
             restriction_id,
             contact_id,
             generation,
             expires_at
         )
         VALUES ($1, $2, $3, $4, $5)",
        Sha256::digest(&token).to_vec(),
        restriction_id,
        contact_id,
        generation,
        now + LIFE
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(token)
}
