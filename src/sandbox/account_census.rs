//! What an account has: counted in one statement, for its summary and for the reports on it.

use super::{
    asked::SandboxRequest, record_kind::RecordKind, refused::SandboxFault, sandbox::Sandbox,
};

/// A key that has not been used, or not been changed, for this long is old.
const OLD_KEY: time::Duration = time::Duration::days(90);

/// The counts.
pub struct AccountCensus {
    /// RAM users.
    pub users: i64,
    /// RAM users with an MFA device.
    pub users_with_mfa: i64,
    /// RAM users that can log in to the console.
    pub users_with_login: i64,
    /// Groups.
    pub groups: i64,
    /// Roles.
    pub roles: i64,
    /// Policies of the account's own.
    pub policies: i64,
    /// MFA devices.
    pub mfa_devices: i64,
    /// Active keys of the account itself.
    pub root_keys: i64,
    /// Active keys of RAM users that were made 90 days ago or earlier.
    pub old_keys: i64,
    /// Active keys of RAM users that were not used for 90 days.
    pub unused_keys: i64,
    /// RAM users with such an old key.
    pub users_with_old_key: i64,
    /// RAM users with such an unused key.
    pub users_with_unused_key: i64,
}

/// Counts what the caller's account has.
pub async fn count_account(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<AccountCensus, SandboxFault> {
    let census = sqlx::query_as!(
        AccountCensus,
        "WITH users AS (
             SELECT user_id
             FROM sandbox.users
             WHERE account_id = $1
         ),
         devices AS (
             SELECT user_id
             FROM sandbox.records
             WHERE account_id = $1
               AND kind = $2
         ),
         keys AS (
             SELECT
                 user_id,
                 created_at <= $3 AS is_old,
                 COALESCE(last_used_at, created_at) <= $3 AS is_unused
             FROM sandbox.access_keys
             WHERE account_id = $1
               AND status = 'Active'
         )
         SELECT
             (SELECT count(*) FROM users) AS \"users!\",
             (SELECT count(DISTINCT user_id) FROM devices) AS \"users_with_mfa!\",
             (SELECT count(*) FROM users JOIN sandbox.login_profiles USING (user_id)) AS \"users_with_login!\",
             (SELECT count(*) FROM sandbox.groups WHERE account_id = $1) AS \"groups!\",
             (SELECT count(*) FROM sandbox.roles WHERE account_id = $1) AS \"roles!\",
             (SELECT count(*) FROM sandbox.policies WHERE account_id = $1) AS \"policies!\",
             (SELECT count(*) FROM devices) AS \"mfa_devices!\",
             (SELECT count(*) FROM keys WHERE user_id IS NULL) AS \"root_keys!\",
             (SELECT count(user_id) FROM keys WHERE is_old) AS \"old_keys!\",
             (SELECT count(user_id) FROM keys WHERE is_unused) AS \"unused_keys!\",
             (SELECT count(DISTINCT user_id) FROM keys WHERE is_old) AS \"users_with_old_key!\",
             (SELECT count(DISTINCT user_id) FROM keys WHERE is_unused) AS \"users_with_unused_key!\"",
        asked.caller.account_id,
        RecordKind::MfaDevice.code(),
        sandbox.clock.now() - OLD_KEY
    )
    .fetch_one(&sandbox.pool)
    .await?;
    Ok(census)
}
