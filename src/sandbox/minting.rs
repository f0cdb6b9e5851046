//! Minting a session of a role: what all three calls of STS share.

use serde_json::{Value, json};
use time::Duration;

use super::{
    answer::{ResponseBody, single_member},
    asked::SandboxRequest,
    check,
    refused::SandboxFault,
    roles,
    sandbox::Sandbox,
};

/// The shortest session, in seconds.
const MIN_SESSION_SECONDS: i32 = 900;

/// The default length of a session, in seconds.
const DEFAULT_SESSION_SECONDS: i32 = 3600;

/// The longest policy that a session is restricted with, in characters.
const LONGEST_POLICY: usize = 2048;

/// A role that is asked for.
pub struct AssumableRole {
    role_id: i64,
    account_id: String,
    role_name: String,
    /// `AssumeRolePolicyDocument`, read.
    pub trust: Value,
    max_session_duration: i32,
}

impl AssumableRole {
    /// The ARN.
    pub fn arn(&self) -> String {
        roles::role_arn(&self.account_id, &self.role_name)
    }
}

/// The role that `RoleArn` names, of whichever account.
pub async fn find_assumable_role(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<AssumableRole, SandboxFault> {
    let (account_id, name) = asked
        .must("RoleArn")?
        .strip_prefix("acs:ram::")
        .and_then(|rest| rest.split_once(":role/"))
        .ok_or_else(|| SandboxFault::wrongly_formed("RoleArn"))?;
    sqlx::query_as!(
        AssumableRole,
        "SELECT role_id, account_id, role_name, trust, max_session_duration
         FROM sandbox.roles
         WHERE account_id = $1
           AND lower(role_name) = lower($2)",
        account_id,
        name
    )
    .fetch_optional(&sandbox.pool)
    .await?
    .ok_or_else(|| SandboxFault::not_exist("Role"))
}

/// A name of 2 to 64 characters that a session or its source has.
pub fn check_session_text<'a>(parameter: &str, text: &'a str) -> Result<&'a str, SandboxFault> {
    if (2..=64).contains(&text.len()) && check::check_name("", text, ".@_-").is_ok() {
        Ok(text)
    } else {
        Err(SandboxFault::wrongly_formed(parameter))
    }
}

/// A policy is looked at, and evaluated by nobody.
fn check_session_policy(asked: &SandboxRequest) -> Result<(), SandboxFault> {
    let Some(policy) = asked.get("Policy") else {
        return Ok(());
    };
    if policy.chars().count() > LONGEST_POLICY {
        return Err(SandboxFault::policy_size(LONGEST_POLICY));
    }
    check::check_policy_document("Policy", policy)
        .map(drop)
        .map_err(|_| SandboxFault::policy_grammar())
}

/// Mints a session, whose caller the trust policy has let in.
///
/// # Errors
/// `DurationSeconds` or `Policy` is not valid.
pub fn mint_session(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
    role: &AssumableRole,
    session: &str,
    source_identity: &str,
) -> Result<ResponseBody, SandboxFault> {
    check_session_policy(asked)?;
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
    let user = json!({
        "Arn": format!("{}/{session}", role.arn()),
        "AssumedRoleId": format!("{}:{session}", role.role_id),
    });
    answer.insert("AssumedRoleUser".to_owned(), user);
    answer.insert("SourceIdentity".to_owned(), source_identity.into());
    Ok(answer)
}
