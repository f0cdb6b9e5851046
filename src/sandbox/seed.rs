//! Initial data for demos and tests. Calling it twice changes nothing.

use sqlx::PgPool;
use time::OffsetDateTime;

use super::record_kind::RecordKind;
use akgate_rules::access_key::AccessKeyId;
use akgate_state::directory::StateFault;

/// Creates an account.
///
/// # Errors
/// The database failed.
pub async fn seed_account(
    pool: &PgPool,
    account_id: &str,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    sqlx::query!(
        "INSERT INTO sandbox.accounts (account_id, created_at)
         VALUES ($1, $2)
         ON CONFLICT DO NOTHING",
        account_id,
        now
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Creates a RAM user of an account.
///
/// # Errors
/// The database failed.
pub async fn seed_user(
    pool: &PgPool,
    account_id: &str,
    user_name: &str,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    sqlx::query!(
        "INSERT INTO sandbox.users (
             account_id,
             user_name,
             display_name,
             mobile_phone,
             email,
             comments,
             created_at,
             updated_at
         )
         VALUES ($1, $2, $2, '', '', '', $3, $3)
         ON CONFLICT DO NOTHING",
        account_id,
        user_name,
        now
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Creates a passkey of a RAM user: browsers do that, and no call of the API.
///
/// # Errors
/// The database failed.
pub async fn seed_passkey(
    pool: &PgPool,
    account_id: &str,
    user_name: &str,
    passkey_id: &str,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    sqlx::query!(
        "INSERT INTO sandbox.records (account_id, kind, name, user_id, body, created_at, updated_at)
         SELECT account_id, $3, $4, user_id, jsonb_build_object('PasskeyName', $4::text), $5, $5
         FROM sandbox.users
         WHERE account_id = $1
           AND user_name = $2
         ON CONFLICT DO NOTHING",
        account_id,
        user_name,
        RecordKind::Passkey.code(),
        passkey_id,
        now
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Creates an active key of a RAM user, or of the account itself.
///
/// # Errors
/// The database failed.
pub async fn seed_access_key(
    pool: &PgPool,
    account_id: &str,
    user_name: Option<&str>,
    access_key_id: &AccessKeyId,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    sqlx::query!(
        "INSERT INTO sandbox.access_keys (
             access_key_id,
             account_id,
             user_id,
             status,
             created_at,
             updated_at
         )
         SELECT $1, a.account_id, u.user_id, 'Active', $4, $4
         FROM sandbox.accounts a
         LEFT JOIN sandbox.users u
             ON u.account_id = a.account_id
             AND u.user_name = $3
         WHERE a.account_id = $2
         ON CONFLICT DO NOTHING",
        access_key_id.as_str(),
        account_id,
        user_name,
        now
    )
    .execute(pool)
    .await?;
    Ok(())
}
