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
    allow_console_login: bool,
    service_name: Option<String>,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    tags: Value,
}

impl RoleRow {
    fn shown(self) -> Value {
        json!({
            "RoleId": self.role_id.to_string(),
            "Arn": role_arn(&self.account_id, &self.role_name),
            "RolePrincipalName": format!("{}@role.{}.onaliyunservice.com", self.role_name, self.account_id),
            "RoleName": self.role_name,
            "Description": self.description,
            "AssumeRolePolicyDocument": self.trust_text,
            "MaxSessionDuration": self.max_session_duration,
            "AllowConsoleLogin": self.allow_console_login,
            "IsServiceLinkedRole": self.service_name.is_some(),
            "CreateDate": check::format_date(self.created_at),
            "UpdateDate": check::format_date(self.updated_at),
            "Tags": { "Tag": self.tags },
            // The sandbox deletes a service-linked role at once: there is never a task.
            "LatestDeletionTask": { "DeletionTaskId": "", "CreateDate": "" },
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

async fn read_role(tx: &mut PgTransaction<'_>, role_id: i64) -> Result<ResponseBody, SandboxFault> {
    let role = sqlx::query_as!(
        RoleRow,
        "SELECT
             role_id,
             account_id,
             role_name,
             description,
             trust_text,
             max_session_duration,
             allow_console_login,
             service_name,
             created_at,
             updated_at,
             '[]'::jsonb AS \"tags!\"
         FROM sandbox.roles
         WHERE role_id = $1",
        role_id
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(single_member("Role", role.shown()))
}

/// A role to be created.
pub struct NewRole<'a> {
    /// `RoleName`.
    pub role_name: &'a str,
    /// `Description`.
    pub description: &'a str,
    /// `AssumeRolePolicyDocument`.
    pub document: &'a str,
    /// `MaxSessionDuration`, seconds.
    pub max_session_duration: i32,
    /// `AllowConsoleLogin`.
    pub allow_console_login: bool,
    /// `ServiceName` of a service-linked role.
    pub service_name: Option<&'a str>,
}

/// Creates a role with its tags.
pub async fn insert_role(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
    role: &NewRole<'_>,
) -> Result<ResponseBody, SandboxFault> {
    let tags = Tag::given(asked)?;
    let mut tx = sandbox.pool.begin().await?;
    let role_id = sqlx::query_scalar!(
        "INSERT INTO sandbox.roles (
             account_id,
             role_name,
             description,
             trust,
             trust_text,
             max_session_duration,
             allow_console_login,
             service_name,
             created_at,
             updated_at
         )
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
         RETURNING role_id",
        asked.caller.account_id,
        check::check_name("RoleName", role.role_name, ".-")?,
        role.description,
        check::check_policy_document("AssumeRolePolicyDocument", role.document)?,
        role.document,
        role.max_session_duration,
        role.allow_console_login,
        role.service_name,
        sandbox.clock.now()
    )
    .fetch_one(&mut *tx)
    .await?;
    tags::upsert_tags(&mut tx, TaggedResource::Role(role_id), &tags).await?;
    let shown = read_role(&mut tx, role_id).await?;
    tx.commit().await?;
    Ok(shown)
}

pub async fn create_role(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let description = check::optional_text(asked, "Description", 1024)?;
    let role = NewRole {
        role_name: asked.must("RoleName")?,
        description: description.as_deref().unwrap_or_default(),
        document: asked.must("AssumeRolePolicyDocument")?,
        max_session_duration: parse_session_duration(asked, "MaxSessionDuration")?.unwrap_or(3600),
        allow_console_login: check::optional_flag(asked, "AllowConsoleLogin")?.unwrap_or(true),
        service_name: None,
    };
    insert_role(sandbox, asked, &role).await
}

pub async fn get_role(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let role_id = find_requested_role(&mut tx, asked).await?;
    read_role(&mut tx, role_id).await
}

pub async fn list_roles(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let page = PageRequest::asked(asked, 100)?;
    let roles = sqlx::query_as!(
        RoleRow,
        "SELECT
             r.role_id,
             r.account_id,
             r.role_name,
             r.description,
             r.trust_text,
             r.max_session_duration,
             r.allow_console_login,
             r.service_name,
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
    let shown = |role: RoleRow| (role.role_id, role.shown());
    Ok(page.write(("Roles", "Role"), roles.into_iter().map(shown)))
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
    sqlx::query!(
        "UPDATE sandbox.roles
         SET trust = COALESCE($2, trust),
             trust_text = COALESCE($3, trust_text),
             description = COALESCE($4, description),
             max_session_duration = COALESCE($5, max_session_duration),
             allow_console_login = COALESCE($6, allow_console_login),
             updated_at = $7
         WHERE role_id = $1",
        role_id,
        trust,
        document,
        check::optional_text(asked, "NewDescription", 1024)?,
        parse_session_duration(asked, "NewMaxSessionDuration")?,
        check::optional_flag(asked, "NewAllowConsoleLogin")?,
        sandbox.clock.now()
    )
    .execute(&mut *tx)
    .await?;
    let shown = read_role(&mut tx, role_id).await?;
    tx.commit().await?;
    Ok(shown)
}

/// Deletes a role that is linked to a service, or one that is not.
pub async fn delete_role_row(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
    is_service_linked: bool,
) -> Result<(), SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let role_id = find_requested_role(&mut tx, asked).await?;
    let deleted = sqlx::query!(
        "DELETE FROM sandbox.roles
         WHERE role_id = $1
           AND (service_name IS NOT NULL) = $2",
        role_id,
        is_service_linked
    )
    .execute(&mut *tx)
    .await?;
    if deleted.rows_affected() == 0 {
        return Err(SandboxFault::other_kind_of_role(is_service_linked));
    }
    tx.commit().await?;
    Ok(())
}

pub async fn delete_role(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    delete_role_row(sandbox, asked, false).await?;
    Ok(ResponseBody::new())
}
