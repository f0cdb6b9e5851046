//! Accounts and their RAM users.

use sqlx::PgTransaction;
use time::OffsetDateTime;

use super::{StateFault, revision::WriteStamp};
use akgate_rules::lineage::user_origin;

/// ARN of an account itself, or of one of its RAM users.
#[must_use]
pub fn principal_arn(account_id: &str, user_name: Option<&str>) -> String {
    match user_name {
        Some(name) => format!("acs:ram::{account_id}:user/{name}"),
        None => format!("acs:ram::{account_id}:root"),
    }
}

/// Adds an account, if it is not known yet.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn ensure_account(
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

/// Adds many principals and their accounts, if not known yet: account, RAM user, and the user's id where it is given.
/// An id that belongs to another user is ignored.
///
/// # Errors
/// [`StateFault::Corrupt`] for an empty user name, which would be taken for the account itself; [`StateFault::Database`].
pub async fn ensure_principals(
    tx: &mut PgTransaction<'_>,
    accounts: &[&str],
    user_names: &[Option<&str>],
    user_ids: &[Option<&str>],
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    if user_names.contains(&Some("")) {
        return Err(StateFault::Corrupt("user_name"));
    }
    // Sorted: transactions that insert the same rows cannot deadlock.
    sqlx::query!(
        "INSERT INTO accounts (account_id, created_at)
         SELECT DISTINCT account_id, $2::timestamptz
         FROM unnest($1::text[]) AS n (account_id)
         ORDER BY account_id
         ON CONFLICT DO NOTHING",
        accounts as &[&str],
        now
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "INSERT INTO principals (account_id, user_name)
         SELECT DISTINCT account_id, user_name
         FROM unnest($1::text[], $2::text[]) AS n (account_id, user_name)
         ORDER BY account_id, user_name
         ON CONFLICT DO NOTHING",
        accounts as &[&str],
        user_names as &[Option<&str>]
    )
    .execute(&mut **tx)
    .await?;
    if user_ids.iter().all(Option::is_none) {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE principals p
         SET user_id = n.user_id
         FROM (
             SELECT DISTINCT ON (account_id, user_id) account_id, user_name, user_id
             FROM unnest($1::text[], $2::text[], $3::text[]) AS n (account_id, user_name, user_id)
             WHERE user_id IS NOT NULL
               AND user_name IS NOT NULL
             ORDER BY account_id, user_id, user_name
         ) n
         WHERE p.account_id = n.account_id
           AND COALESCE(p.user_name, '') = n.user_name
           AND p.deleted_at IS NULL
           AND p.user_id IS DISTINCT FROM n.user_id
           AND NOT EXISTS (
               SELECT 1
               FROM principals o
               WHERE o.account_id = n.account_id
                 AND o.user_id = n.user_id
                 AND o.deleted_at IS NULL
           )",
        accounts as &[&str],
        user_names as &[Option<&str>],
        user_ids as &[Option<&str>]
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The name of the RAM user that the IAM has under this id.
///
/// # Errors
/// [`StateFault::UnknownUser`] where the directory has not seen it made; [`StateFault::Database`].
pub async fn find_user_name(
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

/// Renames a RAM user; its keys and its lineage follow.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn rename_user(
    tx: &mut PgTransaction<'_>,
    account_id: &str,
    from: &str,
    to: &str,
    at: WriteStamp,
) -> Result<(), StateFault> {
    sqlx::query!(
        "WITH renamed AS (
             UPDATE principals
             SET user_name = $3
             WHERE account_id = $1
               AND user_name = $2
               AND deleted_at IS NULL
             RETURNING principal_id
         ),
         lineage AS (
             UPDATE creations
             SET origin = CASE origin WHEN $5 THEN $6 ELSE origin END,
                 made = CASE made WHEN $5 THEN $6 ELSE made END
             WHERE origin = $5
                OR made = $5
         )
         UPDATE access_keys k
         SET revision = $4
         FROM renamed r
         WHERE k.principal_id = r.principal_id",
        account_id,
        from,
        to,
        at.revision,
        user_origin(account_id, from),
        user_origin(account_id, to)
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Takes a deleted RAM user's keys out of service. A later user of that name is another principal.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn delete_user(
    tx: &mut PgTransaction<'_>,
    account_id: &str,
    user_name: &str,
    at: WriteStamp,
) -> Result<(), StateFault> {
    sqlx::query!(
        "WITH gone AS (
             UPDATE principals
             SET deleted_at = $4
             WHERE account_id = $1
               AND user_name = $2
               AND deleted_at IS NULL
             RETURNING principal_id
         ),
         lineage AS (
             UPDATE creations
             SET origin = CASE origin WHEN $5 THEN $5 || '#' || g.principal_id ELSE origin END,
                 made = CASE made WHEN $5 THEN $5 || '#' || g.principal_id ELSE made END
             FROM gone g
             WHERE origin = $5
                OR made = $5
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
        at.now,
        user_origin(account_id, user_name)
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
