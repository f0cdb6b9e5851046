//! Policies. The sandbox does not evaluate them.

use serde_json::{Value, json};
use sqlx::PgTransaction;
use time::OffsetDateTime;

use super::{
    answer::{ResponseBody, single_member},
    asked::SandboxRequest,
    check,
    page::PageRequest,
    refused::SandboxFault,
    sandbox::Sandbox,
    tags::{self, Tag, TaggedResource},
};

/// A policy's row.
pub struct PolicyRow {
    /// Ours.
    pub policy_id: i64,
    is_system: bool,
    policy_name: String,
    description: String,
    /// The version in force.
    pub default_version: i32,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl PolicyRow {
    /// As the service shows it.
    pub fn shown(&self) -> Value {
        json!({
            "PolicyName": self.policy_name,
            "PolicyType": policy_type(self.is_system),
            "DefaultVersion": format_version_id(self.default_version),
            "Description": self.description,
            "CreateDate": check::format_date(self.created_at),
            "UpdateDate": check::format_date(self.updated_at),
        })
    }
}

/// `PolicyType`.
pub fn policy_type(is_system: bool) -> &'static str {
    if is_system { "System" } else { "Custom" }
}

/// `VersionId`.
pub fn format_version_id(version: i32) -> String {
    format!("v{version}")
}

/// The policy of the account's own that has this name; it stays as long as the transaction.
pub async fn find_custom_policy(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
    name: &str,
) -> Result<PolicyRow, SandboxFault> {
    find_policy(tx, Some(&asked.caller.account_id), name).await
}

/// The policy that the call is about, by `PolicyType` and `PolicyName`.
pub async fn find_requested_policy(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
) -> Result<PolicyRow, SandboxFault> {
    let owner = match asked.must("PolicyType")? {
        "System" => None,
        "Custom" => Some(asked.caller.account_id.as_str()),
        _ => return Err(SandboxFault::incorrect("PolicyType")),
    };
    find_policy(tx, owner, asked.must("PolicyName")?).await
}

async fn find_policy(
    tx: &mut PgTransaction<'_>,
    owner: Option<&str>,
    name: &str,
) -> Result<PolicyRow, SandboxFault> {
    sqlx::query_as!(
        PolicyRow,
        "SELECT
             policy_id,
             account_id IS NULL AS \"is_system!\",
             policy_name,
             description,
             default_version,
             created_at,
             updated_at
         FROM sandbox.policies
         WHERE account_id IS NOT DISTINCT FROM $1
           AND policy_name = $2
         FOR UPDATE",
        owner,
        check::check_name_length(128, "PolicyName", name, "-")?
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or_else(|| SandboxFault::not_exist("Policy"))
}

pub async fn create_policy(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let document = asked.must("PolicyDocument")?;
    check::check_policy_document("PolicyDocument", document)?;
    let tags = Tag::given(asked)?;
    let now = sandbox.clock.now();
    let mut tx = sandbox.pool.begin().await?;
    let policy = sqlx::query_as!(
        PolicyRow,
        "INSERT INTO sandbox.policies (
             account_id,
             policy_name,
             description,
             default_version,
             last_version,
             created_at,
             updated_at
         )
         VALUES ($1, $2, $3, 1, 1, $4, $4)
         RETURNING
             policy_id,
             false AS \"is_system!\",
             policy_name,
             description,
             default_version,
             created_at,
             updated_at",
        asked.caller.account_id,
        check::check_name_length(128, "PolicyName", asked.must("PolicyName")?, "-")?,
        check::optional_text(asked, "Description", 1024)?.unwrap_or_default(),
        now
    )
    .fetch_one(&mut *tx)
    .await?;
    sqlx::query!(
        "INSERT INTO sandbox.policy_versions (policy_id, version, document, created_at)
         VALUES ($1, 1, $2, $3)",
        policy.policy_id,
        document,
        now
    )
    .execute(&mut *tx)
    .await?;
    tags::upsert_tags(&mut tx, TaggedResource::Policy(policy.policy_id), &tags).await?;
    tx.commit().await?;
    Ok(single_member("Policy", policy.shown()))
}

pub async fn get_policy(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let policy = find_requested_policy(&mut tx, asked).await?;
    let version = sqlx::query!(
        "SELECT
             version,
             document,
             created_at,
             (SELECT count(*) FROM sandbox.attachments WHERE policy_id = $1) AS \"attachments!\"
         FROM sandbox.policy_versions
         WHERE policy_id = $1
           AND version = $2",
        policy.policy_id,
        policy.default_version
    )
    .fetch_one(&mut *tx)
    .await?;
    let mut shown = policy.shown();
    if let Value::Object(members) = &mut shown {
        members.insert("AttachmentCount".to_owned(), version.attachments.into());
        members.insert("PolicyDocument".to_owned(), version.document.clone().into());
    }
    let mut answer = single_member("Policy", shown);
    answer.insert(
        "DefaultPolicyVersion".to_owned(),
        json!({
            "VersionId": format_version_id(version.version),
            "IsDefaultVersion": true,
            "PolicyDocument": version.document,
            "CreateDate": check::format_date(version.created_at),
        }),
    );
    Ok(answer)
}

pub async fn list_policies(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let page = PageRequest::asked(asked, 100)?;
    let only_system = match asked.get("PolicyType") {
        None => None,
        Some("System") => Some(true),
        Some("Custom") => Some(false),
        Some(_) => return Err(SandboxFault::incorrect("PolicyType")),
    };
    let policies = sqlx::query!(
        "SELECT
             p.policy_id,
             p.account_id IS NULL AS \"is_system!\",
             p.policy_name,
             p.description,
             p.default_version,
             p.created_at,
             p.updated_at,
             COALESCE(t.tags, '[]') AS \"tags!\",
             (
                 SELECT count(*)
                 FROM sandbox.attachments a
                 LEFT JOIN sandbox.users u USING (user_id)
                 LEFT JOIN sandbox.roles r USING (role_id)
                 LEFT JOIN sandbox.groups g USING (group_id)
                 WHERE a.policy_id = p.policy_id
                   AND COALESCE(u.account_id, r.account_id, g.account_id) = $1
             ) AS \"attachments!\"
         FROM sandbox.policies p
         CROSS JOIN LATERAL (
             SELECT
                 jsonb_agg(
                     jsonb_build_object('TagKey', tag_key, 'TagValue', tag_value)
                     ORDER BY tag_key
                 ) AS tags,
                 COALESCE(jsonb_object_agg(tag_key, tag_value), '{}') AS by_key
             FROM sandbox.tags
             WHERE policy_id = p.policy_id
         ) t
         WHERE (p.account_id IS NULL OR p.account_id = $1)
           AND ($2::boolean IS NULL OR (p.account_id IS NULL) = $2)
           AND p.policy_id > $3
           AND t.by_key @> $4
         ORDER BY p.policy_id
         LIMIT $5",
        asked.caller.account_id,
        only_system,
        page.after,
        Tag::as_object(&Tag::given(asked)?),
        page.limit()
    )
    .fetch_all(&sandbox.pool)
    .await?;
    let shown = policies.into_iter().map(|policy| {
        let shown = json!({
            "PolicyName": policy.policy_name,
            "PolicyType": policy_type(policy.is_system),
            "DefaultVersion": format_version_id(policy.default_version),
            "Description": policy.description,
            "AttachmentCount": policy.attachments,
            "CreateDate": check::format_date(policy.created_at),
            "UpdateDate": check::format_date(policy.updated_at),
            "Tags": { "Tag": policy.tags },
        });
        (policy.policy_id, shown)
    });
    Ok(page.write(("Policies", "Policy"), shown))
}

pub async fn delete_policy(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let cascading = check::optional_flag(asked, "CascadingDelete")?.unwrap_or_default();
    let mut tx = sandbox.pool.begin().await?;
    let policy = find_custom_policy(&mut tx, asked, asked.must("PolicyName")?).await?;
    let holds = sqlx::query!(
        "SELECT
             EXISTS (SELECT 1 FROM sandbox.attachments WHERE policy_id = $1 AND user_id IS NOT NULL) AS \"user!\",
             EXISTS (SELECT 1 FROM sandbox.attachments WHERE policy_id = $1 AND group_id IS NOT NULL) AS \"group!\",
             EXISTS (SELECT 1 FROM sandbox.attachments WHERE policy_id = $1 AND role_id IS NOT NULL) AS \"role!\",
             (SELECT count(*) FROM sandbox.policy_versions WHERE policy_id = $1) AS \"versions!\"",
        policy.policy_id
    )
    .fetch_one(&mut *tx)
    .await?;
    let conflict = [
        (holds.user, "Policy.User"),
        (holds.group, "Policy.Group"),
        (holds.role, "Policy.Role"),
        (holds.versions > 1 && !cascading, "Policy.Version"),
    ]
    .into_iter()
    .find(|(holds, _)| *holds);
    if let Some((_, what)) = conflict {
        return Err(SandboxFault::delete_conflict(what));
    }
    sqlx::query!(
        "DELETE FROM sandbox.policies
         WHERE policy_id = $1",
        policy.policy_id
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(ResponseBody::new())
}

pub async fn update_policy_description(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let description = check::optional_text(asked, "NewDescription", 1024)?.unwrap_or_default();
    let mut tx = sandbox.pool.begin().await?;
    let mut policy = find_custom_policy(&mut tx, asked, asked.must("PolicyName")?).await?;
    policy.updated_at = sandbox.clock.now();
    sqlx::query!(
        "UPDATE sandbox.policies
         SET description = $2,
             updated_at = $3
         WHERE policy_id = $1",
        policy.policy_id,
        description,
        policy.updated_at
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    policy.description = description;
    Ok(single_member("Policy", policy.shown()))
}
