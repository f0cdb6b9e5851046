//! The confirmation link of a contact: its token is derived from the key ring when a letter is sent, and only
//! its hash is stored.

use sha2::{Digest, Sha256};
use sqlx::PgPool;
use time::{Duration, OffsetDateTime};

use super::Leased;
use crate::directory::{StateFault, sealing::KeyRing};

/// How long a link works.
pub const LIFE: Duration = Duration::days(7);

/// A contact's link.
pub struct Link {
    /// What its address ends with: a secret of its reader.
    pub token: String,
    /// Until when it works.
    pub expires_at: OffsetDateTime,
}

/// The link of a letter's reader that works at `now`; one is made where there is none. A letter that is sent
/// again carries the same one.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn link(
    pool: &PgPool,
    ring: &KeyRing,
    letter: &Leased,
    now: OffsetDateTime,
) -> Result<Link, StateFault> {
    let (restriction_id, contact_id) = (letter.restriction_id, letter.contact_id);
    let token = |generation| ring.confirmation_token(restriction_id, contact_id, generation);
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
             token_sha256,
             expires_at,
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
    if let Some(last) = last.as_ref().filter(|last| last.works) {
        let token = token(last.generation);
        // Another hash: the index key of the ring has been replaced since.
        if digest(&token) == last.token_sha256 {
            return Ok(Link {
                token,
                expires_at: last.expires_at,
            });
        }
    }
    let generation = last.map_or(1, |last| last.generation + 1);
    let link = Link {
        token: token(generation),
        expires_at: now + LIFE,
    };
    sqlx::query!(
        "INSERT INTO confirmation_links (
             token_sha256,
             restriction_id,
             contact_id,
             generation,
             expires_at
         )
         VALUES ($1, $2, $3, $4, $5)",
        digest(&link.token),
        restriction_id,
        contact_id,
        generation,
        link.expires_at
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(link)
}

fn digest(token: &str) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}
