//! Policies attached to users, roles and groups. The sandbox does not evaluate them.

use serde_json::{Value, json};
use sqlx::PgTransaction;

use super::{
    answer::{ResponseBody, single_member},
    asked::SandboxRequest,
    check, groups,
    policies::{self, format_version_id, policy_type},
    refused::SandboxFault,
    roles,
    sandbox::Sandbox,
    user_lookup,
};

/// What a policy can be attached to.
#[derive(Clone, Copy)]
pub enum PolicyHolder {
    /// A RAM user.
    User,
    /// A role.
    Role,
    /// A group.
    Group,
}

/// The ids of user, role and group: one of them is there.
type HolderColumns = (Option<i64>, Option<i64>, Option<i64>);

impl PolicyHolder {
    async fn meant(
        self,
        tx: &mut PgTransaction<'_>,
        asked: &SandboxRequest,
    ) -> Result<HolderColumns, SandboxFault> {
        Ok(match self {
            Self::User => (
                Some(user_lookup::find_requested_user(tx, asked).await?),
                None,
                None,
            ),
            Self::Role => (
                None,
                Some(roles::find_requested_role(tx, asked).await?),
                None,
            ),
            Self::Group => (
                None,
                None,
                Some(groups::find_requested_group(tx, asked).await?),
            ),
        })
    }

    /// What is missing where nothing is attached, and there twice where it is.
    fn attachment(self) -> &'static str {
        match self {
            Self::User => "User.Policy",
            Self::Role => "Role.Policy",
            Self::Group => "Group.Policy",
        }
    }
}

pub async fn attach_policy(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
    holder: PolicyHolder,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let policy = policies::find_requested_policy(&mut tx, asked).await?;
    let (user, role, group) = holder.meant(&mut tx, asked).await?;
    let attached = sqlx::query!(
        "INSERT INTO sandbox.attachments (policy_id, user_id, role_id, group_id, attached_at)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING",
        policy.policy_id,
        user,
        role,
        group,
        sandbox.clock.now()
    )
    .execute(&mut *tx)
    .await?;
    if attached.rows_affected() == 0 {
        return Err(SandboxFault::already_exists(holder.attachment()));
    }
    tx.commit().await?;
    Ok(ResponseBody::new())
}

pub async fn detach_policy(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
    holder: PolicyHolder,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let policy = policies::find_requested_policy(&mut tx, asked).await?;
    let (user, role, group) = holder.meant(&mut tx, asked).await?;
    let gone = sqlx::query!(
        "DELETE FROM sandbox.attachments
         WHERE policy_id = $1
           AND (user_id, role_id, group_id) IS NOT DISTINCT FROM ($2, $3, $4)",
        policy.policy_id,
        user,
        role,
        group
    )
    .execute(&mut *tx)
    .await?;
    if gone.rows_affected() == 0 {
        return Err(SandboxFault::not_exist(holder.attachment()));
    }
    tx.commit().await?;
    Ok(ResponseBody::new())
}

pub async fn list_policies_for(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
    holder: PolicyHolder,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let (user, role, group) = holder.meant(&mut tx, asked).await?;
    let policies = sqlx::query!(
        "SELECT
             p.account_id IS NULL AS \"is_system!\",
             p.policy_name,
             p.description,
             p.default_version,
             a.attached_at
         FROM sandbox.attachments a
         JOIN sandbox.policies p USING (policy_id)
         WHERE (a.user_id, a.role_id, a.group_id) IS NOT DISTINCT FROM ($1, $2, $3)
         ORDER BY a.attached_at, p.policy_id",
        user,
        role,
        group
    )
    .fetch_all(&mut *tx)
    .await?;
    let shown: Vec<Value> = policies
        .into_iter()
        .map(|policy| {
            json!({
                "PolicyName": policy.policy_name,
                "PolicyType": policy_type(policy.is_system),
                "DefaultVersion": format_version_id(policy.default_version),
                "Description": policy.description,
                "AttachDate": check::format_date(policy.attached_at),
            })
        })
        .collect();
    Ok(single_member("Policies", json!({ "Policy": shown })))
}

pub async fn list_entities_for_policy(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let policy = policies::find_requested_policy(&mut tx, asked).await?;
    let account_id = &asked.caller.account_id;
    let rows = sqlx::query!(
        "SELECT
             a.attached_at,
             u.user_id AS \"user_id?\",
             u.user_name AS \"user_name?\",
             u.display_name AS \"display_name?\",
             r.role_id AS \"role_id?\",
             r.role_name AS \"role_name?\",
             r.description AS \"description?\",
             g.group_name AS \"group_name?\",
             g.comments AS \"comments?\"
         FROM sandbox.attachments a
         LEFT JOIN sandbox.users u USING (user_id)
         LEFT JOIN sandbox.roles r USING (role_id)
         LEFT JOIN sandbox.groups g USING (group_id)
         WHERE a.policy_id = $1
           AND COALESCE(u.account_id, r.account_id, g.account_id) = $2
         ORDER BY a.attached_at",
        policy.policy_id,
        account_id
    )
    .fetch_all(&mut *tx)
    .await?;
    let (mut of_users, mut of_roles, mut of_groups) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        let attached = check::format_date(row.attached_at);
        if let Some(id) = row.user_id {
            of_users.push(json!({
                "UserId": id.to_string(),
                "UserName": row.user_name,
                "DisplayName": row.display_name,
                "AttachDate": attached,
            }));
        } else if let (Some(id), Some(name)) = (row.role_id, row.role_name) {
            of_roles.push(json!({
                "RoleId": id.to_string(),
                "Arn": roles::role_arn(account_id, &name),
                "RoleName": name,
                "Description": row.description,
                "AttachDate": attached,
            }));
        } else {
            of_groups.push(json!({
                "GroupName": row.group_name,
                "Comments": row.comments,
                "AttachDate": attached,
            }));
        }
    }
    let mut answer = single_member("Users", json!({ "User": of_users }));
    answer.insert("Roles".to_owned(), json!({ "Role": of_roles }));
    answer.insert("Groups".to_owned(), json!({ "Group": of_groups }));
    Ok(answer)
}
