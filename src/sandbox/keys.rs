//! AccessKeys: two per user, and two of the account itself. A secret is shown once and kept nowhere.

use rand::{RngExt, distr::Alphanumeric};
use serde_json::{Value, json};
use sqlx::PgTransaction;

use super::{
    Sandbox,
    answer::{Tree, tree},
    asked::Asked,
    caller::Kind,
    check,
    refused::Refused,
    users,
};

/// Keys per user.
const LIMIT: i64 = 2;

/// Whose key is meant: the named user's, or the caller's own. `None` is the account itself.
async fn owner(tx: &mut PgTransaction<'_>, asked: &Asked) -> Result<Option<i64>, Refused> {
    let name = match (users::named(asked)?, &asked.caller.kind) {
        (Some(name), _) => name,
        (None, Kind::User(name)) => name,
        (None, Kind::Root) => {
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
            return Ok(None);
        }
        (None, Kind::Session { .. }) => return Err(Refused::missing("UserName")),
    };
    let id = sqlx::query_scalar!(
        "SELECT user_id
         FROM sandbox.users
         WHERE account_id = $1
           AND user_name = $2
         FOR UPDATE",
        asked.caller.account_id,
        name
    )
    .fetch_optional(&mut **tx)
    .await?;
    id.map(Some).ok_or_else(|| Refused::not_exist("User"))
}

pub async fn create(sandbox: &Sandbox, asked: &Asked) -> Result<Tree, Refused> {
    let mut tx = sandbox.pool.begin().await?;
    let owner = owner(&mut tx, asked).await?;
    let count = sqlx::query_scalar!(
        "SELECT count(*) AS \"count!\"
         FROM sandbox.access_keys
         WHERE account_id = $1
           AND user_id IS NOT DISTINCT FROM $2",
        asked.caller.account_id,
        owner
    )
    .fetch_one(&mut *tx)
    .await?;
    if count >= LIMIT {
        return Err(Refused::too_many_keys());
    }
    let id = format!("LTAI5t{}", letters(sandbox, 18));
    let now = sandbox.clock.now();
    sqlx::query!(
        "INSERT INTO sandbox.access_keys (
             access_key_id,
             account_id,
             user_id,
             status,
             created_at
         )
         VALUES ($1, $2, $3, 'Active', $4)",
        id,
        asked.caller.account_id,
        owner,
        now
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    let shown = json!({
        "AccessKeyId": id,
        "AccessKeySecret": letters(sandbox, 30),
        "Status": "Active",
        "CreateDate": check::date(now),
    });
    Ok(tree("AccessKey", shown))
}

pub async fn update(sandbox: &Sandbox, asked: &Asked) -> Result<Tree, Refused> {
    let status = match asked.must("Status")? {
        "Active" => "Active",
        "Inactive" => "Inactive",
        _ => return Err(Refused::incorrect("Status")),
    };
    let id = asked.must("UserAccessKeyId")?;
    let mut tx = sandbox.pool.begin().await?;
    let owner = owner(&mut tx, asked).await?;
    let changed = sqlx::query!(
        "UPDATE sandbox.access_keys
         SET status = $4
         WHERE access_key_id = $1
           AND account_id = $2
           AND user_id IS NOT DISTINCT FROM $3",
        id,
        asked.caller.account_id,
        owner,
        status
    )
    .execute(&mut *tx)
    .await?;
    if changed.rows_affected() == 0 {
        return Err(Refused::not_exist("User.AccessKey"));
    }
    tx.commit().await?;
    Ok(Tree::new())
}

pub async fn delete(sandbox: &Sandbox, asked: &Asked) -> Result<Tree, Refused> {
    let id = asked.must("UserAccessKeyId")?;
    let mut tx = sandbox.pool.begin().await?;
    let owner = owner(&mut tx, asked).await?;
    let gone = sqlx::query!(
        "DELETE FROM sandbox.access_keys
         WHERE access_key_id = $1
           AND account_id = $2
           AND user_id IS NOT DISTINCT FROM $3",
        id,
        asked.caller.account_id,
        owner
    )
    .execute(&mut *tx)
    .await?;
    if gone.rows_affected() == 0 {
        return Err(Refused::not_exist("User.AccessKey"));
    }
    tx.commit().await?;
    Ok(Tree::new())
}

pub async fn list(sandbox: &Sandbox, asked: &Asked) -> Result<Tree, Refused> {
    let mut tx = sandbox.pool.begin().await?;
    let owner = owner(&mut tx, asked).await?;
    let keys = sqlx::query!(
        "SELECT access_key_id, status, created_at
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
                "CreateDate": check::date(key.created_at),
            })
        })
        .collect();
    Ok(tree("AccessKeys", json!({ "AccessKey": shown })))
}

/// Letters and digits, as ids and secrets have them.
pub(super) fn letters(sandbox: &Sandbox, count: usize) -> String {
    sandbox
        .randomness
        .rng()
        .sample_iter(Alphanumeric)
        .take(count)
        .map(char::from)
        .collect()
}
