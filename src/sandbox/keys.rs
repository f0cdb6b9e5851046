//! AccessKeys: two per user, and two of the account itself. A secret is shown once and kept nowhere.

use serde_json::{Value, json};
use sqlx::PgTransaction;

use super::{
    answer::{ResponseBody, single_member},
    asked::SandboxRequest,
    check,
    owned_key::{OwnedKey, insert_key},
    recycle_bin,
    refused::SandboxFault,
    sandbox::Sandbox,
    user_lookup,
};
use akgate_rules::access_key::AccessKeyId;

/// Whose key is meant: the named user's, or the caller's own. `None` is the account itself.
pub async fn find_key_owner(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
) -> Result<Option<i64>, SandboxFault> {
    let owner = user_lookup::find_user_or_caller(tx, asked).await?;
    if owner.is_none() {
        // Calls about the account's own keys wait for each other, as those about a user's do.
        sqlx::query!(
            "SELECT 1 AS one
             FROM sandbox.accounts
             WHERE account_id = $1
             FOR UPDATE",
            asked.caller.account_id
        )
        .fetch_optional(&mut **tx)
        .await?;
    }
    Ok(owner)
}

pub async fn create_access_key(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let owner = find_key_owner(&mut tx, asked).await?;
    let key = OwnedKey {
        access_key_id: format!("LTAI5t{}", sandbox.random_text(18)),
        created_at: sandbox.clock.now(),
    };
    insert_key(&mut tx, asked, owner, &key).await?;
    tx.commit().await?;
    let shown = json!({
        "AccessKeyId": key.access_key_id,
        "AccessKeySecret": sandbox.random_text(30),
        "Status": "Active",
        "CreateDate": check::format_date(key.created_at),
    });
    Ok(single_member("AccessKey", shown))
}

pub async fn update_access_key(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let status = match asked.must("Status")? {
        "Active" => "Active",
        "Inactive" => "Inactive",
        _ => return Err(SandboxFault::incorrect("Status")),
    };
    let id = asked.must("UserAccessKeyId")?;
    let mut tx = sandbox.pool.begin().await?;
    let owner = find_key_owner(&mut tx, asked).await?;
    let changed = sqlx::query!(
        "UPDATE sandbox.access_keys
         SET status = $4,
             updated_at = $5
         WHERE access_key_id = $1
           AND account_id = $2
           AND user_id IS NOT DISTINCT FROM $3",
        id,
        asked.caller.account_id,
        owner,
        status,
        sandbox.clock.now()
    )
    .execute(&mut *tx)
    .await?;
    if changed.rows_affected() == 0 {
        return Err(SandboxFault::not_exist("User.AccessKey"));
    }
    tx.commit().await?;
    Ok(ResponseBody::new())
}

pub async fn delete_access_key(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let id = asked.must("UserAccessKeyId")?;
    let mut tx = sandbox.pool.begin().await?;
    let owner = find_key_owner(&mut tx, asked).await?;
    let gone = sqlx::query_as!(
        OwnedKey,
        "DELETE FROM sandbox.access_keys
         WHERE access_key_id = $1
           AND account_id = $2
           AND user_id IS NOT DISTINCT FROM $3
         RETURNING access_key_id, created_at",
        id,
        asked.caller.account_id,
        owner
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or_else(|| SandboxFault::not_exist("User.AccessKey"))?;
    if let Some(user_id) = owner {
        recycle_bin::recycle_key(&mut tx, asked, user_id, &gone, sandbox.clock.now()).await?;
    }
    tx.commit().await?;
    Ok(ResponseBody::new())
}

pub async fn list_access_keys(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let owner = find_key_owner(&mut tx, asked).await?;
    let keys = sqlx::query!(
        "SELECT access_key_id, status, created_at, updated_at
         FROM sandbox.access_keys
         WHERE account_id = $1
           AND user_id IS NOT DISTINCT FROM $2
         ORDER BY created_at, access_key_id",
        asked.caller.account_id,
        owner
    )
    .fetch_all(&mut *tx)
    .await?;
    let shown: Vec<Value> = keys
        .into_iter()
        .map(|key| {
            json!({
                "AccessKeyId": key.access_key_id,
                "Status": key.status,
                "CreateDate": check::format_date(key.created_at),
                "UpdateDate": check::format_date(key.updated_at),
            })
        })
        .collect();
    Ok(single_member("AccessKeys", json!({ "AccessKey": shown })))
}

pub async fn get_key_last_used(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let id = asked.must("UserAccessKeyId")?;
    let mut tx = sandbox.pool.begin().await?;
    let owner = find_key_owner(&mut tx, asked).await?;
    let key = sqlx::query!(
        "SELECT last_used_at, last_used_product
         FROM sandbox.access_keys
         WHERE access_key_id = $1
           AND account_id = $2
           AND user_id IS NOT DISTINCT FROM $3",
        id,
        asked.caller.account_id,
        owner
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or_else(|| SandboxFault::not_exist("User.AccessKey"))?;
    let shown = json!({
        "LastUsedDate": key.last_used_at.map(check::format_date).unwrap_or_default(),
        "ServiceName": key.last_used_product.unwrap_or_default(),
    });
    Ok(single_member("AccessKeyLastUsed", shown))
}

/// Notes that a key was used, once a minute at most.
pub async fn record_use(sandbox: &Sandbox, asked: &SandboxRequest) -> Result<(), SandboxFault> {
    let now = sandbox.clock.now();
    sqlx::query!(
        "UPDATE sandbox.access_keys
         SET last_used_at = $2,
             last_used_product = $3
         WHERE access_key_id = $1
           AND (last_used_at IS NULL OR last_used_at < $4)",
        asked
            .identity
            .access_key_id
            .as_ref()
            .map(AccessKeyId::as_str),
        now,
        asked.identity.product,
        now - time::Duration::MINUTE
    )
    .execute(&sandbox.pool)
    .await?;
    Ok(())
}
