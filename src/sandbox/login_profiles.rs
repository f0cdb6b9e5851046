//! Console log-ins of RAM users. A password is checked but not stored: the sandbox has no console.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{
    answer::{ResponseBody, single_member},
    asked::SandboxRequest,
    check,
    refused::SandboxFault,
    sandbox::Sandbox,
    users,
};

/// A log-in's row.
struct LoginProfileRow {
    user_name: String,
    password_reset_required: bool,
    mfa_bind_required: bool,
    created_at: OffsetDateTime,
}

impl LoginProfileRow {
    fn shown(self) -> Value {
        json!({
            "UserName": self.user_name,
            "PasswordResetRequired": self.password_reset_required,
            "MFABindRequired": self.mfa_bind_required,
            "CreateDate": check::format_date(self.created_at),
        })
    }
}

/// Eight characters and two kinds of them.
fn check_password(password: &str) -> Result<(), SandboxFault> {
    let kinds: [fn(char) -> bool; 4] = [
        |c| c.is_ascii_lowercase(),
        |c| c.is_ascii_uppercase(),
        |c| c.is_ascii_digit(),
        |c| !c.is_ascii_alphanumeric(),
    ];
    let used = kinds
        .iter()
        .filter(|kind| password.chars().any(kind))
        .count();
    if (8..=32).contains(&password.chars().count()) && used >= 2 {
        Ok(())
    } else {
        Err(SandboxFault::weak_password())
    }
}

pub async fn create_login_profile(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    check_password(asked.must("Password")?)?;
    let mut tx = sandbox.pool.begin().await?;
    let user = users::find_requested_user(&mut tx, asked).await?;
    let profile = sqlx::query_as!(
        LoginProfileRow,
        "WITH made AS (
             INSERT INTO sandbox.login_profiles (
                 user_id,
                 password_reset_required,
                 mfa_bind_required,
                 created_at
             )
             VALUES ($1, $2, $3, $4)
             RETURNING *
         )
         SELECT u.user_name, m.password_reset_required, m.mfa_bind_required, m.created_at
         FROM made m
         JOIN sandbox.users u USING (user_id)",
        user,
        check::optional_flag(asked, "PasswordResetRequired")?.unwrap_or_default(),
        check::optional_flag(asked, "MFABindRequired")?.unwrap_or_default(),
        sandbox.clock.now()
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(single_member("LoginProfile", profile.shown()))
}

pub async fn get_login_profile(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let user = users::find_user_or_caller(&mut tx, asked).await?;
    let profile = sqlx::query_as!(
        LoginProfileRow,
        "SELECT u.user_name, l.password_reset_required, l.mfa_bind_required, l.created_at
         FROM sandbox.login_profiles l
         JOIN sandbox.users u USING (user_id)
         WHERE l.user_id = $1",
        user
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or_else(|| SandboxFault::not_exist("User.LoginProfile"))?;
    Ok(single_member("LoginProfile", profile.shown()))
}

pub async fn update_login_profile(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    if let Some(password) = asked.get("Password") {
        check_password(password)?;
    }
    let mut tx = sandbox.pool.begin().await?;
    let user = users::find_requested_user(&mut tx, asked).await?;
    let changed = sqlx::query!(
        "UPDATE sandbox.login_profiles
         SET password_reset_required = COALESCE($2, password_reset_required),
             mfa_bind_required = COALESCE($3, mfa_bind_required)
         WHERE user_id = $1",
        user,
        check::optional_flag(asked, "PasswordResetRequired")?,
        check::optional_flag(asked, "MFABindRequired")?
    )
    .execute(&mut *tx)
    .await?;
    if changed.rows_affected() == 0 {
        return Err(SandboxFault::not_exist("User.LoginProfile"));
    }
    tx.commit().await?;
    Ok(ResponseBody::new())
}

pub async fn delete_login_profile(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let user = users::find_requested_user(&mut tx, asked).await?;
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
