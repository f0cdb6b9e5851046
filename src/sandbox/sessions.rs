//! STS: sessions of roles, and who calls.

use serde_json::Value;

use super::{
    answer::ResponseBody,
    asked::SandboxRequest,
    caller::PrincipalKind,
    diagnosis::not_trusted,
    minting::{check_session_text, find_assumable_role, mint_session},
    refused::SandboxFault,
    sandbox::Sandbox,
    trust::{TrustRequest, TrustVerdict, evaluate_trust},
};

pub async fn assume_role(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let session = check_session_text("RoleSessionName", asked.must("RoleSessionName")?)?;
    let source = match asked.get("SourceIdentity") {
        None => "",
        Some(text) => check_session_text("SourceIdentity", text)?,
    };
    let role = find_assumable_role(sandbox, asked).await?;
    // The service lets no account assume a role by its root key.
    if asked.caller.kind == PrincipalKind::Root {
        return Err(not_trusted(asked, &role.arn(), true));
    }
    let external_id = asked.get("ExternalId").map(str::to_owned);
    let request = TrustRequest {
        member: "RAM",
        arns: &asked.caller.trusted_as(),
        context: &[("sts:ExternalId", Vec::from_iter(external_id))],
    };
    match evaluate_trust(&role.trust, &request) {
        TrustVerdict::Allowed => mint_session(sandbox, asked, &role, session, source),
        verdict => {
            let is_denied = verdict == TrustVerdict::Denied;
            Err(not_trusted(asked, &role.arn(), is_denied))
        }
    }
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
        PrincipalKind::Anonymous => return Err(SandboxFault::no_permission()),
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
