//! STS: sessions of roles, and who calls.

use serde_json::{Value, json};
use time::Duration;

use super::{
    Sandbox,
    answer::{Tree, tree},
    asked::Asked,
    caller::Kind,
    check,
    keys::letters,
    refused::Refused,
    roles, trust,
};

/// The shortest session, in seconds.
const SHORTEST: i32 = 900;

/// The default length of a session, in seconds.
const DEFAULT: i32 = 3600;

pub async fn assume_role(sandbox: &Sandbox, asked: &Asked) -> Result<Tree, Refused> {
    let arn = asked.must("RoleArn")?;
    let (account_id, name) = arn
        .strip_prefix("acs:ram::")
        .and_then(|rest| rest.split_once(":role/"))
        .ok_or_else(|| Refused::wrongly_formed("RoleArn"))?;
    let session = asked.must("RoleSessionName")?;
    if !(2..=64).contains(&session.len()) || check::name("", session, ".@_-").is_err() {
        return Err(Refused::wrongly_formed("RoleSessionName"));
    }
    // The service lets no account assume a role by its root key.
    if asked.caller.kind == Kind::Root {
        return Err(Refused::no_permission());
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
    .ok_or_else(|| Refused::not_exist("Role"))?;
    if !trust::lets_in(&role.trust, &asked.caller) {
        return Err(Refused::no_permission());
    }
    let seconds = match asked.get("DurationSeconds") {
        None => DEFAULT,
        Some(text) => text
            .parse()
            .ok()
            .filter(|seconds| (SHORTEST..=role.max_session_duration).contains(seconds))
            .ok_or_else(|| Refused::duration(role.max_session_duration))?,
    };
    let expires_at = sandbox.clock.now() + Duration::seconds(seconds.into());
    let mut answer = tree(
        "Credentials",
        json!({
            "AccessKeyId": format!("STS.NT{}", letters(sandbox, 22)),
            "AccessKeySecret": letters(sandbox, 44),
            "SecurityToken": format!("CAIS{}", letters(sandbox, 508)),
            "Expiration": check::date(expires_at),
        }),
    );
    answer.insert(
        "AssumedRoleUser".to_owned(),
        json!({
            "Arn": format!("{}/{session}", roles::arn(account_id, &role.role_name)),
            "AssumedRoleId": format!("{}:{session}", role.role_id),
        }),
    );
    Ok(answer)
}

pub async fn caller_identity(sandbox: &Sandbox, asked: &Asked) -> Result<Tree, Refused> {
    let caller = &asked.caller;
    let (identity_type, principal_id, extra) = match &caller.kind {
        Kind::Root => (
            "Account",
            caller.account_id.clone(),
            ("UserId", caller.account_id.clone()),
        ),
        Kind::User(name) => {
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
            .ok_or_else(|| Refused::not_exist("User"))?
            .to_string();
            ("RAMUser", id.clone(), ("UserId", id))
        }
        Kind::Session { role, session } => {
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
            .ok_or_else(|| Refused::not_exist("Role"))?;
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
