//! Finds and uses up the links of letters, which confirm a clean-up or withdraw a confirmation. Links are stored as
//! hashes.

use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{directory::StateFault, outbox::links::LinkPurpose};

/// A link that was sent and has not expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContactLink {
    /// What it confirms.
    pub restriction_id: Uuid,
    /// Whose it is.
    pub contact_id: Uuid,
    /// When it was used, after which it only shows how things stand.
    pub used_at: Option<OffsetDateTime>,
}

/// Looks a link up without using it: a mail scanner may have followed it.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn find_link(
    pool: &PgPool,
    purpose: LinkPurpose,
    token_sha256: &[u8],
    now: OffsetDateTime,
) -> Result<Option<ContactLink>, StateFault> {
    let link = sqlx::query_as!(
        ContactLink,
        "SELECT restriction_id, contact_id, used_at
         FROM confirmation_links
         WHERE token_sha256 = $1
           AND purpose = $3
           AND expires_at > $2",
        token_sha256,
        now,
        purpose.as_str()
    )
    .fetch_optional(pool)
    .await?;
    Ok(link)
}

/// Whether a link can still be used.
///
/// # Errors
/// [`StateFault::Database`].
pub(crate) async fn is_usable(
    pool: &PgPool,
    purpose: LinkPurpose,
    token_sha256: &[u8],
    now: OffsetDateTime,
) -> Result<bool, StateFault> {
    let link = find_link(pool, purpose, token_sha256, now).await?;
    Ok(link.is_some_and(|link| link.used_at.is_none()))
}

/// Uses a link up.
///
/// # Errors
/// [`StateFault::Database`].
pub(crate) async fn spend_link(
    tx: &mut PgTransaction<'_>,
    purpose: LinkPurpose,
    token_sha256: &[u8],
    now: OffsetDateTime,
) -> Result<Option<ContactLink>, StateFault> {
    let link = sqlx::query_as!(
        ContactLink,
        "UPDATE confirmation_links
         SET used_at = $2
         WHERE token_sha256 = $1
           AND purpose = $3
           AND used_at IS NULL
           AND expires_at > $2
         RETURNING restriction_id, contact_id, used_at",
        token_sha256,
        now,
        purpose.as_str()
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(link)
}
