//! The recycle bin of RAM users. A restored user has its id, name and AccessKeys' bin again, and nothing that had hung
//! on it.

use serde_json::{Value, json};
use sqlx::PgTransaction;
use time::{Duration, OffsetDateTime};

use super::{
    answer::{ResponseBody, single_member},
    asked::SandboxRequest,
    check,
    page::PageRequest,
    refused::SandboxFault,
    sandbox::Sandbox,
};

/// How long a user is kept.
pub const RETENTION: Duration = Duration::days(31);

/// A recycled user's row.
struct RecycledUserRow {
    user_id: i64,
    user_name: String,
    display_name: String,
    created_at: OffsetDateTime,
    recycled_at: OffsetDateTime,
}

impl RecycledUserRow {
    fn shown(self, asked: &SandboxRequest) -> Value {
        json!({
            "UserId": self.user_id.to_string(),
            "UserPrincipalName": asked.principal_name(&self.user_name),
            "DisplayName": self.display_name,
            "CreateDate": check::format_date(self.created_at),
            "RecycleDate": check::format_date(self.recycled_at),
            "DeleteDate": check::format_date(self.recycled_at + RETENTION),
        })
    }
}

/// Moves a user to the recycle bin. What hangs on the user keeps it, by constraint.
pub async fn recycle_user(
    tx: &mut PgTransaction<'_>,
    user_id: i64,
    now: OffsetDateTime,
) -> Result<(), SandboxFault> {
    sqlx::query!(
        "WITH gone AS (
             DELETE FROM sandbox.users
             WHERE user_id = $1
             RETURNING *
         )
         INSERT INTO sandbox.recycled_users (
             user_id,
             account_id,
             user_name,
             display_name,
             mobile_phone,
             email,
             comments,
             created_at,
             recycled_at
         )
         SELECT user_id, account_id, user_name, display_name, mobile_phone, email, comments, created_at, $2
         FROM gone",
        user_id,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The user in the bin that the call is about: by `UserId`, or where the action takes it by the id of a deleted key.
async fn find_recycled_user(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
) -> Result<RecycledUserRow, SandboxFault> {
    let by_key = (asked.identity.action == "GetUserInRecycleBin")
        .then(|| asked.get("UserAccessKeyId"))
        .flatten();
    let by_id = match by_key {
        Some(_) => asked.get("UserId"),
        None => Some(asked.must("UserId")?),
    };
    sqlx::query_as!(
        RecycledUserRow,
        "SELECT user_id, user_name, display_name, created_at, recycled_at
         FROM sandbox.recycled_users u
         WHERE account_id = $1
           AND ($2::text IS NULL OR user_id::text = $2)
           AND ($3::text IS NULL OR EXISTS (
               SELECT 1
               FROM sandbox.recycled_keys k
               WHERE k.user_id = u.user_id
                 AND k.access_key_id = $3
           ))
         FOR UPDATE OF u",
        asked.caller.account_id,
        by_id,
        by_key
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or_else(|| SandboxFault::not_exist("User"))
}

pub async fn get_recycled_user(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let user = find_recycled_user(&mut tx, asked).await?;
    Ok(single_member("User", user.shown(asked)))
}

pub async fn list_recycled_users(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let page = PageRequest::asked(asked, 100)?;
    let users = sqlx::query_as!(
        RecycledUserRow,
        "SELECT user_id, user_name, display_name, created_at, recycled_at
         FROM sandbox.recycled_users
         WHERE account_id = $1
           AND user_id > $2
           AND ($3::text IS NULL OR strpos(user_name, $3) > 0)
         ORDER BY user_id
         LIMIT $4",
        asked.caller.account_id,
        page.after,
        asked.get("Filter"),
        page.limit()
    )
    .fetch_all(&sandbox.pool)
    .await?;
    let shown = |user: RecycledUserRow| (user.user_id, user.shown(asked));
    Ok(page.write(("Users", "User"), users.into_iter().map(shown)))
}

pub async fn restore_recycled_user(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let user = find_recycled_user(&mut tx, asked).await?;
    sqlx::query!(
        "WITH restored AS (
             DELETE FROM sandbox.recycled_users
             WHERE user_id = $1
             RETURNING *
         )
         INSERT INTO sandbox.users (
             user_id,
             account_id,
             user_name,
             display_name,
             mobile_phone,
             email,
             comments,
             created_at,
             updated_at
         )
         OVERRIDING SYSTEM VALUE
         SELECT user_id, account_id, user_name, display_name, mobile_phone, email, comments, created_at, $2
         FROM restored",
        user.user_id,
        sandbox.clock.now()
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(ResponseBody::new())
}

/// Deletes a user for good, with its deleted keys.
pub async fn delete_recycled_user(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let user = find_recycled_user(&mut tx, asked).await?;
    sqlx::query!(
        "WITH keys AS (
             DELETE FROM sandbox.recycled_keys
             WHERE user_id = $1
         )
         DELETE FROM sandbox.recycled_users
         WHERE user_id = $1",
        user.user_id
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(ResponseBody::new())
}
