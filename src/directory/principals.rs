//! Accounts and their RAM users.

use sqlx::PgTransaction;
use time::OffsetDateTime;

use super::{StateFault, revision::At};

/// ARN of an account itself, or of one of its RAM users.
#[must_use]
pub fn arn(account_id: &str, user_name: Option<&str>) -> String {
    match user_name {
        Some(name) => format!("acs:ram::{account_id}:user/{name}"),
        None => format!("acs:ram::{account_id}:root"),
    }
}

/// Makes an account known.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn keep_account(
    tx: &mut PgTransaction<'_>,
    account_id: &str,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    sqlx::query!(
        "INSERT INTO accounts (account_id, created_at)
         VALUES ($1, $2)
         ON CONFLICT DO NOTHING",
        account_id,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Makes a principal known, and its account; gives its id. `user_name` is `None` for the account itself.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn keep(
    tx: &mut PgTransaction<'_>,
    account_id: &str,
    user_name: Option<&str>,
    now: OffsetDateTime,
) -> Result<i64, StateFault> {
    keep_account(tx, account_id, now).await?;
    sqlx::query!(
        "INSERT INTO principals (account_id, user_name)
         VALUES ($1, $2)
         ON CONFLICT DO NOTHING",
        account_id,
        user_name
    )
    .execute(&mut **tx)
    .await?;
    let id = sqlx::query_scalar!(
        "SELECT principal_id
         FROM principals
         WHERE account_id = $1
           AND user_name IS NOT DISTINCT FROM $2
           AND deleted_at IS NULL",
        account_id,
        user_name
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(id)
}

/// Notes the id under which the IAM has a RAM user.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn set_user_id(
    tx: &mut PgTransaction<'_>,
    principal_id: i64,
    user_id: &str,
) -> Result<(), StateFault> {
    sqlx::query!(
        "UPDATE principals
         SET user_id = $2
         WHERE principal_id = $1",
        principal_id,
        user_id
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The name of the RAM user that the IAM has under this id.
///
/// # Errors
/// [`StateFault::UnknownUser`] where the directory has not seen it made; [`StateFault::Database`].
pub async fn name_of(
    tx: &mut PgTransaction<'_>,
    account_id: &str,
    user_id: &str,
) -> Result<String, StateFault> {
    sqlx::query_scalar!(
        "SELECT user_name AS \"user_name!\"
         FROM principals
         WHERE account_id = $1
           AND user_id = $2
           AND deleted_at IS NULL",
        account_id,
        user_id
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(StateFault::UnknownUser)
}

/// Renames a RAM user; its keys follow.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn rename(
    tx: &mut PgTransaction<'_>,
    account_id: &str,
    from: &str,
    to: &str,
    at: At,
) -> Result<(), StateFault> {
    sqlx::query!(
        "WITH renamed AS (
             UPDATE principals
             SET user_name = $3
             WHERE account_id = $1
               AND user_name = $2
               AND deleted_at IS NULL
             RETURNING principal_id
         )
         UPDATE access_keys k
         SET revision = $4
         FROM renamed r
         WHERE k.principal_id = r.principal_id",
        account_id,
        from,
        to,
        at.revision
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Takes a deleted RAM user's keys out of service. A later user of that name is another principal.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn delete(
    tx: &mut PgTransaction<'_>,
    account_id: &str,
    user_name: &str,
    at: At,
) -> Result<(), StateFault> {
    sqlx::query!(
        "WITH gone AS (
             UPDATE principals
             SET deleted_at = $4
             WHERE account_id = $1
               AND user_name = $2
               AND deleted_at IS NULL
             RETURNING principal_id
         )
         UPDATE access_keys k
         SET status = 'Deleted',
             revision = $3
         FROM gone g
         WHERE k.principal_id = g.principal_id
           AND k.status <> 'Deleted'",
        account_id,
        user_name,
        at.revision,
        at.now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
