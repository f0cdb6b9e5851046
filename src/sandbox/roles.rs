//! RAM roles.

use serde_json::{Value, json};
use sqlx::PgTransaction;
use time::OffsetDateTime;

use super::{
    Sandbox,
    answer::{Tree, tree},
    asked::Asked,
    check,
    page::Page,
    refused::Refused,
    tags::{self, Resource, Tag},
};

/// A role's row.
struct Role {
    role_id: i64,
    account_id: String,
    role_name: String,
    description: String,
    trust_text: String,
    max_session_duration: i32,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl Role {
    fn shown(self) -> Value {
        json!({
            "RoleId": self.role_id.to_string(),
            "Arn": arn(&self.account_id, &self.role_name),
            "RoleName": self.role_name,
            "Description": self.description,
            "AssumeRolePolicyDocument": self.trust_text,
            "MaxSessionDuration": self.max_session_duration,
            "CreateDate": check::date(self.created_at),
            "UpdateDate": check::date(self.updated_at),
        })
    }
}

/// ARN of a role: the name in lower case, as the service writes it.
pub fn arn(account_id: &str, role_name: &str) -> String {
    format!(
        "acs:ram::{account_id}:role/{}",
        role_name.to_ascii_lowercase()
    )
}

/// The role of this name, which stays as long as the transaction.
pub async fn of_name(
    tx: &mut PgTransaction<'_>,
    asked: &Asked,
    name: &str,
) -> Result<i64, Refused> {
    sqlx::query_scalar!(
        "SELECT role_id
         FROM sandbox.roles
         WHERE account_id = $1
           AND lower(role_name) = lower($2)
         FOR UPDATE",
        asked.caller.account_id,
        check::name("RoleName", name, ".-")?
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or_else(|| Refused::not_exist("Role"))
}

/// The role that the call is about.
pub async fn meant(tx: &mut PgTransaction<'_>, asked: &Asked) -> Result<i64, Refused> {
    of_name(tx, asked, asked.must("RoleName")?).await
}

fn duration(asked: &Asked, name: &str) -> Result<Option<i32>, Refused> {
    asked
        .get(name)
        .map(|text| {
            text.parse()
                .ok()
                .filter(|seconds| (3600..=43200).contains(seconds))
                .ok_or_else(|| Refused::incorrect(name))
        })
        .transpose()
}

pub async fn create(sandbox: &Sandbox, asked: &Asked) -> Result<Tree, Refused> {
    let document = asked.must("AssumeRolePolicyDocument")?;
    let tags = Tag::given(asked)?;
    let mut tx = sandbox.pool.begin().await?;
    let role = sqlx::query_as!(
        Role,
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
        check::name("RoleName", asked.must("RoleName")?, ".-")?,
        check::text(asked, "Description", 1024)?.unwrap_or_default(),
        check::document("AssumeRolePolicyDocument", document)?,
        document,
        duration(asked, "MaxSessionDuration")?.unwrap_or(3600),
        sandbox.clock.now()
    )
    .fetch_one(&mut *tx)
    .await?;
    tags::set(&mut tx, Resource::Role(role.role_id), &tags).await?;
    tx.commit().await?;
    Ok(tree("Role", role.shown()))
}

pub async fn get(sandbox: &Sandbox, asked: &Asked) -> Result<Tree, Refused> {
    let mut tx = sandbox.pool.begin().await?;
    let role_id = meant(&mut tx, asked).await?;
    let role = sqlx::query_as!(
        Role,
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
    Ok(tree("Role", shown))
}

pub async fn list(sandbox: &Sandbox, asked: &Asked) -> Result<Tree, Refused> {
    let page = Page::asked(asked, 100)?;
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
            "Arn": arn(account_id, &role.role_name),
            "Description": role.description,
            "MaxSessionDuration": role.max_session_duration,
            "CreateDate": check::date(role.created_at),
            "UpdateDate": check::date(role.updated_at),
            "Tags": { "Tag": role.tags },
        });
        (role.role_id, shown)
    });
    Ok(page.write(("Roles", "Role"), shown))
}

pub async fn update(sandbox: &Sandbox, asked: &Asked) -> Result<Tree, Refused> {
    let document = asked.get("NewAssumeRolePolicyDocument");
    let trust = document
        .map(|text| check::document("NewAssumeRolePolicyDocument", text))
        .transpose()?;
    let mut tx = sandbox.pool.begin().await?;
    let role_id = meant(&mut tx, asked).await?;
    let role = sqlx::query_as!(
        Role,
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
        check::text(asked, "NewDescription", 1024)?,
        duration(asked, "NewMaxSessionDuration")?,
        sandbox.clock.now()
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(tree("Role", role.shown()))
}

pub async fn delete(sandbox: &Sandbox, asked: &Asked) -> Result<Tree, Refused> {
    let mut tx = sandbox.pool.begin().await?;
    let role_id = meant(&mut tx, asked).await?;
    sqlx::query!(
        "DELETE FROM sandbox.roles
         WHERE role_id = $1",
        role_id
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Tree::new())
}
