//! The recycle bin: deleted AccessKeys of RAM users, three of a user at most. What they become when they
//! are brought back is documented nowhere; here they work again, as the directory assumes.

use serde_json::{Value, json};
use sqlx::PgTransaction;

use super::{
    answer::{ResponseBody, single_member},
    asked::SandboxRequest,
    check,
    owned_key::{OwnedKey, insert_key},
    recycled_users::RETENTION,
    refused::SandboxFault,
    sandbox::Sandbox,
    user_lookup,
};

/// Keys of one user that are kept; the oldest makes room.
const MAX_RECYCLED_KEYS: i64 = 3;

/// Keeps a deleted key.
pub async fn recycle_key(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
    user_id: i64,
    key: &OwnedKey,
    now: time::OffsetDateTime,
) -> Result<(), SandboxFault> {
    sqlx::query!(
        "INSERT INTO sandbox.recycled_keys (access_key_id, account_id, user_id, created_at, recycled_at)
         VALUES ($1, $2, $3, $4, $5)",
        key.access_key_id,
        asked.caller.account_id,
        user_id,
        key.created_at,
        now
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "DELETE FROM sandbox.recycled_keys
         WHERE access_key_id IN (
             SELECT access_key_id
             FROM sandbox.recycled_keys
             WHERE user_id = $1
             ORDER BY recycled_at DESC, access_key_id
             OFFSET $2
         )",
        user_id,
        MAX_RECYCLED_KEYS
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub async fn list_recycled_keys(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let user = user_lookup::find_id_or_caller(&mut tx, asked).await?;
    let keys = sqlx::query!(
        "SELECT access_key_id, created_at, recycled_at
         FROM sandbox.recycled_keys
         WHERE user_id = $1
         ORDER BY recycled_at, access_key_id",
        user
    )
    .fetch_all(&mut *tx)
    .await?;
    let shown: Vec<Value> = keys
        .into_iter()
        .map(|key| {
            json!({
                "AccessKeyId": key.access_key_id,
                "CreateDate": check::format_date(key.created_at),
                "RecycleDate": check::format_date(key.recycled_at),
                "DeleteDate": check::format_date(key.recycled_at + RETENTION),
            })
        })
        .collect();
    Ok(single_member("AccessKeys", json!({ "AccessKey": shown })))
}

/// A key in the bin, whether or not its user is in the bin too.
pub async fn get_recycled_key(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let key = sqlx::query!(
        "SELECT
             k.access_key_id,
             k.user_id,
             k.created_at,
             k.recycled_at,
             COALESCE(u.user_name, r.user_name) AS \"user_name!\",
             r.user_id IS NOT NULL AS \"is_user_recycled!\"
         FROM sandbox.recycled_keys k
         LEFT JOIN sandbox.users u ON u.user_id = k.user_id
         LEFT JOIN sandbox.recycled_users r ON r.user_id = k.user_id
         WHERE k.account_id = $1
           AND k.access_key_id = $2",
        asked.caller.account_id,
        asked.must("UserAccessKeyId")?
    )
    .fetch_optional(&sandbox.pool)
    .await?
    .ok_or_else(|| SandboxFault::not_exist("User.AccessKey"))?;
    let shown = json!({
        "AccessKeyId": key.access_key_id,
        "UserId": key.user_id.to_string(),
        "UserPrincipalName": asked.principal_name(&key.user_name),
        "UserRecycled": key.is_user_recycled,
        "CreateDate": check::format_date(key.created_at),
        "RecycleDate": check::format_date(key.recycled_at),
        "DeleteDate": check::format_date(key.recycled_at + RETENTION),
    });
    Ok(single_member("AccessKey", shown))
}

pub async fn restore_recycled_key(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let user = user_lookup::find_id_or_caller(&mut tx, asked).await?;
    let key = remove_recycled_key(&mut tx, asked, user).await?;
    insert_key(&mut tx, asked, Some(user), &key).await?;
    tx.commit().await?;
    Ok(ResponseBody::new())
}

pub async fn delete_recycled_key(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let user = user_lookup::find_id_or_caller(&mut tx, asked).await?;
    remove_recycled_key(&mut tx, asked, user).await?;
    tx.commit().await?;
    Ok(ResponseBody::new())
}

async fn remove_recycled_key(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
    user_id: i64,
) -> Result<OwnedKey, SandboxFault> {
    sqlx::query_as!(
        OwnedKey,
        "DELETE FROM sandbox.recycled_keys
         WHERE access_key_id = $1
           AND user_id = $2
         RETURNING access_key_id, created_at",
        asked.must("UserAccessKeyId")?,
        user_id
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or_else(|| SandboxFault::not_exist("User.AccessKey"))
}
