//! The account's alias and its default domain.

use serde_json::Value;

use super::{
    answer::{ResponseBody, single_member},
    asked::SandboxRequest,
    refused::SandboxFault,
    sandbox::Sandbox,
};

pub fn get_account_alias(asked: &SandboxRequest) -> ResponseBody {
    let alias = asked.domains.alias.clone().unwrap_or_default();
    single_member("AccountAlias", alias.into())
}

/// An alias has 3 to 32 lower-case letters, digits and inner hyphens.
pub async fn set_account_alias(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let alias = asked.must("AccountAlias")?;
    let is_formed = (3..=32).contains(&alias.len())
        && !alias.starts_with('-')
        && !alias.ends_with('-')
        && alias
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !is_formed {
        return Err(SandboxFault::format("AccountAlias"));
    }
    update_alias(sandbox, asked, Some(alias)).await
}

pub async fn clear_account_alias(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    update_alias(sandbox, asked, None).await
}

/// Sets or clears the alias. A default domain that was made of the old one ends with it.
async fn update_alias(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
    alias: Option<&str>,
) -> Result<ResponseBody, SandboxFault> {
    sqlx::query!(
        "UPDATE sandbox.accounts
         SET alias = $2,
             default_domain = NULLIF(default_domain, alias || '.onaliyun.com')
         WHERE account_id = $1",
        asked.caller.account_id,
        alias
    )
    .execute(&sandbox.pool)
    .await?;
    Ok(ResponseBody::new())
}

pub fn get_default_domain(asked: &SandboxRequest) -> ResponseBody {
    let domain = asked.domains.default_of(&asked.caller.account_id);
    single_member("DefaultDomainName", domain.into())
}

pub async fn set_default_domain(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let domain = asked.must("DefaultDomainName")?;
    if !asked.domains.includes(&asked.caller.account_id, domain) {
        return Err(SandboxFault::not_exist("Domain"));
    }
    sqlx::query!(
        "UPDATE sandbox.accounts
         SET default_domain = $2
         WHERE account_id = $1",
        asked.caller.account_id,
        domain
    )
    .execute(&sandbox.pool)
    .await?;
    Ok(single_member(
        "DefaultDomainName",
        Value::String(domain.to_owned()),
    ))
}
