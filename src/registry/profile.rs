//! What the restricted keys of one account are refused.

use sqlx::PgPool;
use time::OffsetDateTime;

use crate::{
    audit::{self, Actor, Deed, Entry},
    directory::{StateFault, revision},
    verdict::Profile,
};

/// A profile to be set.
#[derive(Debug, Clone, Copy)]
pub struct SetProfile<'a> {
    /// The account.
    pub account_id: &'a str,
    /// Its profile; `None` for the configured default.
    pub profile: Option<Profile>,
    /// Who sets it.
    pub actor: &'a Actor,
}

/// Sets the profile of an account; gives the revision, or `None` where nobody knows the account.
///
/// # Errors
/// [`StateFault`]; nothing is changed then.
pub async fn set(
    pool: &PgPool,
    wanted: SetProfile<'_>,
    now: OffsetDateTime,
) -> Result<Option<i64>, StateFault> {
    let SetProfile {
        account_id,
        profile,
        actor,
    } = wanted;
    let mut tx = pool.begin().await?;
    let at = revision::advance(&mut tx, now).await?;
    let changed = sqlx::query!(
        "UPDATE accounts
         SET profile = $2,
             revision = $3
         WHERE account_id = $1",
        account_id,
        profile.map(Profile::as_str),
        at.revision
    )
    .execute(&mut *tx)
    .await?;
    if changed.rows_affected() == 0 {
        return Ok(None);
    }
    audit::write(
        &mut tx,
        Entry {
            at: now,
            actor,
            deed: Deed::SetProfile,
            access_key_id: None,
            restriction_id: None,
            detail: serde_json::json!({ "account_id": account_id, "profile": profile }),
        },
    )
    .await?;
    tx.commit().await?;
    Ok(Some(at.revision))
}
