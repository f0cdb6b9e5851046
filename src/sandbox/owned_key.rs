//! An AccessKey of a user, or of the account itself: two at most.

use sqlx::PgTransaction;
use time::OffsetDateTime;

use super::{asked::SandboxRequest, refused::SandboxFault};

/// Keys per user.
const MAX_KEYS_PER_USER: i64 = 2;

/// A key, as its owner gets it.
pub struct OwnedKey {
    /// `AccessKeyId`.
    pub access_key_id: String,
    /// `CreateDate`.
    pub created_at: OffsetDateTime,
}

/// Gives a key to its owner, who has room for it.
pub async fn insert_key(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
    owner: Option<i64>,
    key: &OwnedKey,
) -> Result<(), SandboxFault> {
    let count = sqlx::query_scalar!(
        "SELECT count(*) AS \"count!\"
         FROM sandbox.access_keys
         WHERE account_id = $1
           AND user_id IS NOT DISTINCT FROM $2",
        asked.caller.account_id,
        owner
    )
    .fetch_one(&mut **tx)
    .await?;
    if count >= MAX_KEYS_PER_USER {
        return Err(SandboxFault::too_many("User.AccessKey"));
    }
    sqlx::query!(
        "INSERT INTO sandbox.access_keys (
             access_key_id,
             account_id,
             user_id,
             status,
             created_at,
             updated_at
         )
         VALUES ($1, $2, $3, 'Active', $4, $4)",
        key.access_key_id,
        asked.caller.account_id,
        owner,
        key.created_at
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
