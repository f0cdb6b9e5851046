//! STS: sessions of roles, and who calls.

use serde_json::{Value, json};
use time::Duration;

use super::{
    answer::{ResponseBody, single_member},
    asked::SandboxRequest,
    caller::PrincipalKind,
    check,
    refused::SandboxFault,
    roles,
    sandbox::Sandbox,
    trust,
};

/// The shortest session, in seconds.
const MIN_SESSION_SECONDS: i32 = 900;

/// The default length of a session, in seconds.
const DEFAULT_SESSION_SECONDS: i32 = 3600;

pub async fn assume_role(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let arn = asked.must("RoleArn")?;
    let (account_id, name) = arn
        .strip_prefix("acs:ram::")
        .and_then(|rest| rest.split_once(":role/"))
        .ok_or_else(|| SandboxFault::wrongly_formed("RoleArn"))?;
    let session = asked.must("RoleSessionName")?;
    if !(2..=64).contains(&session.len()) || check::check_name("", session, ".@_-").is_err() {
        return Err(SandboxFault::wrongly_formed("RoleSessionName"));
    }
    // The service lets no account assume a role by its root key.
    if asked.caller.kind == PrincipalKind::Root {
        return Err(SandboxFault::no_permission());
    }
    let role = sqlx::query!(
        "SELECT role_id, role_name, trust, max_session_duration
         FROM sandbox.roles
         WHERE account_id = $1
           AND lower(role_name) = lower($2)",
        account_id,
        name
    )
    .fetch_optional(&sandbox.pool)
    .await?
    .ok_or_else(|| SandboxFault::not_exist("Role"))?;
    if !trust::allows_caller(&role.trust, &asked.caller) {
        return Err(SandboxFault::no_permission());
    }
    let seconds = match asked.get("DurationSeconds") {
        None => DEFAULT_SESSION_SECONDS,
        Some(text) => text
            .parse()
            .ok()
            .filter(|seconds| (MIN_SESSION_SECONDS..=role.max_session_duration).contains(seconds))
            .ok_or_else(|| SandboxFault::duration(role.max_session_duration))?,
    };
    let expires_at = sandbox.clock.now() + Duration::seconds(seconds.into());
    let mut answer = single_member(
        "Credentials",
        json!({
            "AccessKeyId": format!("STS.NT{}", sandbox.random_text(22)),
            "AccessKeySecret": sandbox.random_text(44),
            "SecurityToken": format!("CAIS{}", sandbox.random_text(508)),
            "Expiration": check::format_date(expires_at),
        }),
    );
    answer.insert(
        "AssumedRoleUser".to_owned(),
        json!({
            "Arn": format!("{}/{session}", roles::role_arn(account_id, &role.role_name)),
            "AssumedRoleId": format!("{}:{session}", role.role_id),
        }),
    );
    Ok(answer)
}

pub async fn get_caller_identity(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let caller = &asked.caller;
    let (identity_type, principal_id, extra) = match &caller.kind {
        PrincipalKind::Root => (
            "Account",
            caller.account_id.clone(),
            ("UserId", caller.account_id.clone()),
        ),
        PrincipalKind::User(name) => {
            let id = sqlx::query_scalar!(
                "SELECT user_id
                 FROM sandbox.users
                 WHERE account_id = $1
                   AND user_name = $2",
                caller.account_id,
                name
            )
            .fetch_optional(&sandbox.pool)
            .await?
            .ok_or_else(|| SandboxFault::not_exist("User"))?
            .to_string();
            ("RAMUser", id.clone(), ("UserId", id))
        }
        PrincipalKind::Session { role, session } => {
            let id = sqlx::query_scalar!(
                "SELECT role_id
                 FROM sandbox.roles
                 WHERE account_id = $1
                   AND lower(role_name) = lower($2)",
                caller.account_id,
                role
            )
            .fetch_optional(&sandbox.pool)
            .await?
            .ok_or_else(|| SandboxFault::not_exist("Role"))?;
            (
                "AssumedRoleUser",
                format!("{id}:{session}"),
                ("RoleId", id.to_string()),
            )
        }
    };
    let members = [
        ("AccountId", caller.account_id.clone()),
        ("IdentityType", identity_type.to_owned()),
        ("PrincipalId", principal_id),
        ("Arn", caller.arn.clone()),
        extra,
    ];
    Ok(members
        .into_iter()
        .map(|(name, text)| (name.to_owned(), Value::String(text)))
        .collect())
}
