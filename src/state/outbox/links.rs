//! Creates the links of letters, for confirming and withdrawing: a token is derived from the key ring when the letter
//! is sent, and only its hash is stored.

use sha2::{Digest, Sha256};
use sqlx::{PgPool, PgTransaction};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::LeasedLetter;
use crate::directory::{StateFault, sealing::KeyRing};

/// How long a link works.
pub const LINK_LIFETIME: Duration = Duration::days(7);

akgate_rules::text_enum! {
    /// What a link is for.
    pub enum LinkPurpose {
        /// To confirm the clean-up.
        Confirm = "Confirm",
        /// To take a confirmation back.
        Withdraw = "Withdraw",
    }
}

/// A contact's link.
pub struct IssuedLink {
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
pub async fn issue_link(
    pool: &PgPool,
    ring: &KeyRing,
    letter: &LeasedLetter,
    purpose: LinkPurpose,
    now: OffsetDateTime,
) -> Result<IssuedLink, StateFault> {
    let restriction_id = letter
        .about
        .restriction()
        .ok_or(StateFault::Corrupt("a link for no restriction"))?;
    let contact_id = letter.contact_id;
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
             purpose = $4 AND used_at IS NULL AND expires_at > $3 AS \"works!\"
         FROM confirmation_links
         WHERE restriction_id = $1
           AND contact_id = $2
         ORDER BY purpose = $4 DESC, generation DESC
         LIMIT 1",
        restriction_id,
        contact_id,
        now,
        purpose.as_str()
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(last) = last.as_ref().filter(|last| last.works) {
        let token = token(last.generation);
        // Another hash: the index key of the ring has been replaced since.
        if token_digest(&token) == last.token_sha256 {
            return Ok(IssuedLink {
                token,
                expires_at: last.expires_at,
            });
        }
    }
    let generation = next_generation(&mut tx, restriction_id, contact_id).await?;
    let link = IssuedLink {
        token: token(generation),
        expires_at: now + LINK_LIFETIME,
    };
    sqlx::query!(
        "INSERT INTO confirmation_links (
             token_sha256,
             restriction_id,
             contact_id,
             generation,
             expires_at,
             purpose
         )
         VALUES ($1, $2, $3, $4, $5, $6)",
        token_digest(&link.token),
        restriction_id,
        contact_id,
        generation,
        link.expires_at,
        purpose.as_str()
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(link)
}

async fn next_generation(
    tx: &mut PgTransaction<'_>,
    restriction_id: Uuid,
    contact_id: Uuid,
) -> Result<i32, StateFault> {
    let last = sqlx::query_scalar!(
        "SELECT max(generation)
         FROM confirmation_links
         WHERE restriction_id = $1
           AND contact_id = $2",
        restriction_id,
        contact_id
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(last.unwrap_or_default() + 1)
}

fn token_digest(token: &str) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}
