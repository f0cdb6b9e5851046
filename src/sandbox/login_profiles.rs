//! Console log-ins of RAM users. A password is checked but not stored: the sandbox has no console.

use serde_json::{Value, json};
use sqlx::PgTransaction;
use time::OffsetDateTime;

use super::{
    answer::{ResponseBody, single_member},
    asked::SandboxRequest,
    caller::PrincipalKind,
    check,
    refused::SandboxFault,
    sandbox::Sandbox,
    settings::{PASSWORD_POLICY, SECURITY_PREFERENCE, find_settings},
    user_lookup,
};

/// A log-in's row.
struct LoginProfileRow {
    user_name: String,
    password_reset_required: bool,
    mfa_bind_required: bool,
    status: String,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl LoginProfileRow {
    fn shown(self, asked: &SandboxRequest) -> ResponseBody {
        let shown = json!({
            "UserPrincipalName": asked.principal_name(&self.user_name),
            "UserName": self.user_name,
            "PasswordResetRequired": self.password_reset_required,
            "MFABindRequired": self.mfa_bind_required,
            "Status": self.status,
            "CreateDate": check::format_date(self.created_at),
            "UpdateDate": check::format_date(self.updated_at),
            // Nobody logs in to the sandbox, and no password in it gets old.
            "PasswordStatus": "Effective",
            "AutoDisableLoginStatus": "Inactive",
            "LastLoginTime": "",
        });
        single_member("LoginProfile", shown)
    }
}

/// A password that the account's policy allows: by default eight characters and two kinds of them.
async fn check_password(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
    password: &str,
) -> Result<(), SandboxFault> {
    let has = |kind: fn(&char) -> bool| password.chars().any(|c| kind(&c));
    let kinds = [
        ("RequireLowercaseCharacters", has(char::is_ascii_lowercase)),
        ("RequireUppercaseCharacters", has(char::is_ascii_uppercase)),
        ("RequireNumbers", has(char::is_ascii_digit)),
        ("RequireSymbols", has(|c| !c.is_ascii_alphanumeric())),
    ];
    let policy = find_settings(tx, asked, &PASSWORD_POLICY).await?;
    let lacks_required = kinds
        .iter()
        .any(|(name, has)| !has && policy.get(*name) == Some(&Value::Bool(true)));
    let used = kinds.iter().filter(|(_, has)| *has).count();
    let shortest = policy.get("MinimumPasswordLength").and_then(Value::as_u64);
    let length = password.chars().count();
    let is_long = shortest.is_none_or(|shortest| length as u64 >= shortest) && length <= 32;
    if is_long && used >= 2 && !lacks_required {
        Ok(())
    } else {
        Err(SandboxFault::weak_password())
    }
}

fn optional_status(asked: &SandboxRequest) -> Result<Option<&str>, SandboxFault> {
    match asked.get("Status") {
        Some("Active" | "Inactive") | None => Ok(asked.get("Status")),
        Some(_) => Err(SandboxFault::incorrect("Status")),
    }
}

async fn find_profile(
    tx: &mut PgTransaction<'_>,
    user_id: Option<i64>,
) -> Result<LoginProfileRow, SandboxFault> {
    sqlx::query_as!(
        LoginProfileRow,
        "SELECT
             u.user_name,
             l.password_reset_required,
             l.mfa_bind_required,
             l.status,
             l.created_at,
             l.updated_at
         FROM sandbox.login_profiles l
         JOIN sandbox.users u USING (user_id)
         WHERE l.user_id = $1",
        user_id
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or_else(|| SandboxFault::not_exist("User.LoginProfile"))
}

pub async fn create_login_profile(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let password = asked.must("Password")?;
    let mut tx = sandbox.pool.begin().await?;
    check_password(&mut tx, asked, password).await?;
    let user = user_lookup::find_requested_user(&mut tx, asked).await?;
    sqlx::query!(
        "INSERT INTO sandbox.login_profiles (
             user_id,
             password_reset_required,
             mfa_bind_required,
             status,
             created_at,
             updated_at
         )
         VALUES ($1, $2, $3, $4, $5, $5)",
        user,
        check::optional_flag(asked, "PasswordResetRequired")?.unwrap_or_default(),
        check::optional_flag(asked, "MFABindRequired")?.unwrap_or_default(),
        optional_status(asked)?.unwrap_or("Active"),
        sandbox.clock.now()
    )
    .execute(&mut *tx)
    .await?;
    let profile = find_profile(&mut tx, Some(user)).await?;
    tx.commit().await?;
    Ok(profile.shown(asked))
}

pub async fn get_login_profile(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let user = user_lookup::find_user_or_caller(&mut tx, asked).await?;
    Ok(find_profile(&mut tx, user).await?.shown(asked))
}

pub async fn update_login_profile(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    if let Some(password) = asked.get("Password") {
        check_password(&mut tx, asked, password).await?;
    }
    let user = user_lookup::find_requested_user(&mut tx, asked).await?;
    sqlx::query!(
        "UPDATE sandbox.login_profiles
         SET password_reset_required = COALESCE($2, password_reset_required),
             mfa_bind_required = COALESCE($3, mfa_bind_required),
             status = COALESCE($4, status),
             updated_at = $5
         WHERE user_id = $1",
        user,
        check::optional_flag(asked, "PasswordResetRequired")?,
        check::optional_flag(asked, "MFABindRequired")?,
        optional_status(asked)?,
        sandbox.clock.now()
    )
    .execute(&mut *tx)
    .await?;
    let profile = find_profile(&mut tx, Some(user)).await?;
    tx.commit().await?;
    Ok(profile.shown(asked))
}

/// A RAM user changes its own password, if the account lets users do so. The old one is kept nowhere, so any is right.
pub async fn change_password(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    asked.must("OldPassword")?;
    let password = asked.must("NewPassword")?;
    let PrincipalKind::User(name) = &asked.caller.kind else {
        return Err(SandboxFault::no_permission());
    };
    let mut tx = sandbox.pool.begin().await?;
    let user = user_lookup::find_user_by_name(&mut tx, asked, name).await?;
    find_profile(&mut tx, Some(user)).await?;
    let preference = find_settings(&mut tx, asked, &SECURITY_PREFERENCE).await?;
    if preference.get("AllowUserToChangePassword") != Some(&Value::Bool(true)) {
        return Err(SandboxFault::no_permission());
    }
    check_password(&mut tx, asked, password).await?;
    sqlx::query!(
        "UPDATE sandbox.login_profiles
         SET password_reset_required = false,
             updated_at = $2
         WHERE user_id = $1",
        user,
        sandbox.clock.now()
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(ResponseBody::new())
}

pub async fn delete_login_profile(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let user = user_lookup::find_requested_user(&mut tx, asked).await?;
    let gone = sqlx::query!(
        "DELETE FROM sandbox.login_profiles
         WHERE user_id = $1",
        user
    )
    .execute(&mut *tx)
    .await?;
    if gone.rows_affected() == 0 {
        return Err(SandboxFault::not_exist("User.LoginProfile"));
    }
    tx.commit().await?;
    Ok(ResponseBody::new())
}
