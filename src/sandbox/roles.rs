//! RAM roles.

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

/// A role's row.
struct RoleRow {
    role_id: i64,
    account_id: String,
    role_name: String,
    description: String,
    trust_text: String,
    max_session_duration: i32,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl RoleRow {
    fn shown(self) -> Value {
        json!({
            "RoleId": self.role_id.to_string(),
            "Arn": role_arn(&self.account_id, &self.role_name),
            "RoleName": self.role_name,
            "Description": self.description,
            "AssumeRolePolicyDocument": self.trust_text,
            "MaxSessionDuration": self.max_session_duration,
            "CreateDate": check::format_date(self.created_at),
            "UpdateDate": check::format_date(self.updated_at),
        })
    }
}

/// ARN of a role: the name in lower case, as the service writes it.
pub fn role_arn(account_id: &str, role_name: &str) -> String {
    format!(
        "acs:ram::{account_id}:role/{}",
        role_name.to_ascii_lowercase()
    )
}

/// The role of this name, which stays as long as the transaction.
pub async fn find_role_by_name(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
    name: &str,
) -> Result<i64, SandboxFault> {
    sqlx::query_scalar!(
        "SELECT role_id
         FROM sandbox.roles
         WHERE account_id = $1
           AND lower(role_name) = lower($2)
         FOR UPDATE",
        asked.caller.account_id,
        check::check_name("RoleName", name, ".-")?
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or_else(|| SandboxFault::not_exist("Role"))
}

/// The role that the call is about.
pub async fn find_requested_role(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
) -> Result<i64, SandboxFault> {
    find_role_by_name(tx, asked, asked.must("RoleName")?).await
}

fn parse_session_duration(asked: &SandboxRequest, name: &str) -> Result<Option<i32>, SandboxFault> {
    asked
        .get(name)
        .map(|text| {
            text.parse()
                .ok()
                .filter(|seconds| (3600..=43200).contains(seconds))
                .ok_or_else(|| SandboxFault::incorrect(name))
        })
        .transpose()
}

pub async fn create_role(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let document = asked.must("AssumeRolePolicyDocument")?;
    let tags = Tag::given(asked)?;
    let mut tx = sandbox.pool.begin().await?;
    let role = sqlx::query_as!(
        RoleRow,
        "INSERT INTO sandbox.roles (
             account_id,
             role_name,
             description,
             trust,
             trust_text,
             max_session_duration,
             created_at,
             updated_at
         )
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
         RETURNING
             role_id,
             account_id,
             role_name,
             description,
             trust_text,
             max_session_duration,
             created_at,
             updated_at",
        asked.caller.account_id,
        check::check_name("RoleName", asked.must("RoleName")?, ".-")?,
        check::optional_text(asked, "Description", 1024)?.unwrap_or_default(),
        check::check_policy_document("AssumeRolePolicyDocument", document)?,
        document,
        parse_session_duration(asked, "MaxSessionDuration")?.unwrap_or(3600),
        sandbox.clock.now()
    )
    .fetch_one(&mut *tx)
    .await?;
    tags::upsert_tags(&mut tx, TaggedResource::Role(role.role_id), &tags).await?;
    tx.commit().await?;
    Ok(single_member("Role", role.shown()))
}

pub async fn get_role(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let role_id = find_requested_role(&mut tx, asked).await?;
    let role = sqlx::query_as!(
        RoleRow,
        "SELECT
             role_id,
             account_id,
             role_name,
             description,
             trust_text,
             max_session_duration,
             created_at,
             updated_at
         FROM sandbox.roles
         WHERE role_id = $1",
        role_id
    )
    .fetch_one(&mut *tx)
    .await?;
    let mut shown = role.shown();
    if let Value::Object(members) = &mut shown {
        members.insert("IsServiceLinkedRole".to_owned(), false.into());
    }
    Ok(single_member("Role", shown))
}

pub async fn list_roles(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let page = PageRequest::asked(asked, 100)?;
    let roles = sqlx::query!(
        "SELECT
             r.role_id,
             r.role_name,
             r.description,
             r.max_session_duration,
             r.created_at,
             r.updated_at,
             COALESCE(t.tags, '[]') AS \"tags!\"
         FROM sandbox.roles r
         CROSS JOIN LATERAL (
             SELECT
                 jsonb_agg(
                     jsonb_build_object('TagKey', tag_key, 'TagValue', tag_value)
                     ORDER BY tag_key
                 ) AS tags,
                 COALESCE(jsonb_object_agg(tag_key, tag_value), '{}') AS by_key
             FROM sandbox.tags
             WHERE role_id = r.role_id
         ) t
         WHERE r.account_id = $1
           AND r.role_id > $2
           AND t.by_key @> $3
         ORDER BY r.role_id
         LIMIT $4",
        asked.caller.account_id,
        page.after,
        Tag::as_object(&Tag::given(asked)?),
        page.limit()
    )
    .fetch_all(&sandbox.pool)
    .await?;
    let account_id = &asked.caller.account_id;
    let shown = roles.into_iter().map(|role| {
        let shown = json!({
            "RoleId": role.role_id.to_string(),
            "RoleName": role.role_name,
            "Arn": role_arn(account_id, &role.role_name),
            "Description": role.description,
            "MaxSessionDuration": role.max_session_duration,
            "CreateDate": check::format_date(role.created_at),
            "UpdateDate": check::format_date(role.updated_at),
            "Tags": { "Tag": role.tags },
        });
        (role.role_id, shown)
    });
    Ok(page.write(("Roles", "Role"), shown))
}

pub async fn update_role(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let document = asked.get("NewAssumeRolePolicyDocument");
    let trust = document
        .map(|text| check::check_policy_document("NewAssumeRolePolicyDocument", text))
        .transpose()?;
    let mut tx = sandbox.pool.begin().await?;
    let role_id = find_requested_role(&mut tx, asked).await?;
    let role = sqlx::query_as!(
        RoleRow,
        "UPDATE sandbox.roles
         SET trust = COALESCE($2, trust),
             trust_text = COALESCE($3, trust_text),
             description = COALESCE($4, description),
             max_session_duration = COALESCE($5, max_session_duration),
             updated_at = $6
         WHERE role_id = $1
         RETURNING
             role_id,
             account_id,
             role_name,
             description,
             trust_text,
             max_session_duration,
             created_at,
             updated_at",
        role_id,
        trust,
        document,
        check::optional_text(asked, "NewDescription", 1024)?,
        parse_session_duration(asked, "NewMaxSessionDuration")?,
        sandbox.clock.now()
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(single_member("Role", role.shown()))
}

pub async fn delete_role(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let role_id = find_requested_role(&mut tx, asked).await?;
    sqlx::query!(
        "DELETE FROM sandbox.roles
         WHERE role_id = $1",
        role_id
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(ResponseBody::new())
}
