//! The recycle bin: deleted AccessKeys of RAM users, three of a user at most. What they become when they
//! are brought back is documented nowhere; here they work again, as the directory assumes.

use serde_json::{Value, json};
use sqlx::PgTransaction;
use time::Duration;

use super::{
    Sandbox,
    answer::{Tree, tree},
    asked::Asked,
    check,
    keys::{self, Key},
    refused::Refused,
    users,
};

/// Keys of one user that are kept; the oldest makes room.
const LIMIT: i64 = 3;

/// How long a key is kept.
const KEPT: Duration = Duration::days(31);

/// Keeps a deleted key.
pub async fn keep(
    tx: &mut PgTransaction<'_>,
    user_id: i64,
    key: &Key,
    now: time::OffsetDateTime,
) -> Result<(), Refused> {
    sqlx::query!(
        "INSERT INTO sandbox.recycled_keys (access_key_id, user_id, created_at, recycled_at)
         VALUES ($1, $2, $3, $4)",
        key.access_key_id,
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
        LIMIT
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub async fn list(sandbox: &Sandbox, asked: &Asked) -> Result<Tree, Refused> {
    let mut tx = sandbox.pool.begin().await?;
    let user = users::of_id_or_caller(&mut tx, asked).await?;
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
                "CreateDate": check::date(key.created_at),
                "RecycleDate": check::date(key.recycled_at),
                "DeleteDate": check::date(key.recycled_at + KEPT),
            })
        })
        .collect();
    Ok(tree("AccessKeys", json!({ "AccessKey": shown })))
}

pub async fn restore(sandbox: &Sandbox, asked: &Asked) -> Result<Tree, Refused> {
    let mut tx = sandbox.pool.begin().await?;
    let user = users::of_id_or_caller(&mut tx, asked).await?;
    let key = take(&mut tx, asked, user).await?;
    keys::put(&mut tx, asked, Some(user), &key).await?;
    tx.commit().await?;
    Ok(Tree::new())
}

pub async fn delete(sandbox: &Sandbox, asked: &Asked) -> Result<Tree, Refused> {
    let mut tx = sandbox.pool.begin().await?;
    let user = users::of_id_or_caller(&mut tx, asked).await?;
    take(&mut tx, asked, user).await?;
    tx.commit().await?;
    Ok(Tree::new())
}

async fn take(tx: &mut PgTransaction<'_>, asked: &Asked, user_id: i64) -> Result<Key, Refused> {
    sqlx::query_as!(
        Key,
        "DELETE FROM sandbox.recycled_keys
         WHERE access_key_id = $1
           AND user_id = $2
         RETURNING access_key_id, created_at",
        asked.must("UserAccessKeyId")?,
        user_id
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or_else(|| Refused::not_exist("User.AccessKey"))
}
