//! Attaching policies, which nobody evaluates here.

use super::{Sandbox, answer::Tree, asked::Asked, check, refused::Refused};

pub async fn attach_to_user(sandbox: &Sandbox, asked: &Asked) -> Result<Tree, Refused> {
    let policy = policy(sandbox, asked).await?;
    let name = check::name("UserName", asked.must("UserName")?, "._-")?;
    let attached = sqlx::query!(
        "INSERT INTO sandbox.user_policies (user_id, policy_id, attached_at)
         SELECT user_id, $3, $4
         FROM sandbox.users
         WHERE account_id = $1
           AND user_name = $2",
        asked.caller.account_id,
        name,
        policy,
        sandbox.clock.now()
    )
    .execute(&sandbox.pool)
    .await?;
    match attached.rows_affected() {
        0 => Err(Refused::not_exist("User")),
        _ => Ok(Tree::new()),
    }
}

pub async fn attach_to_role(sandbox: &Sandbox, asked: &Asked) -> Result<Tree, Refused> {
    let policy = policy(sandbox, asked).await?;
    let name = check::name("RoleName", asked.must("RoleName")?, ".-")?;
    let attached = sqlx::query!(
        "INSERT INTO sandbox.role_policies (role_id, policy_id, attached_at)
         SELECT role_id, $3, $4
         FROM sandbox.roles
         WHERE account_id = $1
           AND lower(role_name) = lower($2)",
        asked.caller.account_id,
        name,
        policy,
        sandbox.clock.now()
    )
    .execute(&sandbox.pool)
    .await?;
    match attached.rows_affected() {
        0 => Err(Refused::not_exist("Role")),
        _ => Ok(Tree::new()),
    }
}

/// The policy that is named: a System one, or one of the account's own.
async fn policy(sandbox: &Sandbox, asked: &Asked) -> Result<i64, Refused> {
    let owner = match asked.must("PolicyType")? {
        "System" => None,
        "Custom" => Some(asked.caller.account_id.as_str()),
        _ => return Err(Refused::incorrect("PolicyType")),
    };
    let name = asked.must("PolicyName")?;
    if name.len() > 128 {
        return Err(Refused::length("PolicyName"));
    }
    sqlx::query_scalar!(
        "SELECT policy_id
         FROM sandbox.policies
         WHERE account_id IS NOT DISTINCT FROM $1
           AND policy_name = $2",
        owner,
        name
    )
    .fetch_optional(&sandbox.pool)
    .await?
    .ok_or_else(|| Refused::not_exist("Policy"))
}
