//! Tagging users, roles and policies.

use std::collections::BTreeMap;

use serde_json::json;
use sqlx::PgTransaction;

use super::{
    answer::{ResponseBody, single_member},
    asked::SandboxRequest,
    check,
    page::PageRequest,
    policies,
    refused::SandboxFault,
    roles,
    sandbox::Sandbox,
    tags::{Tag, TaggedResource, upsert_tags},
    user_lookup,
};

/// Those named by `ResourceType` and `ResourceNames`; in IMS, users named by `ResourceId` or `ResourcePrincipalName`.
async fn find_named(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
) -> Result<BTreeMap<String, TaggedResource>, SandboxFault> {
    if asked.is_ims() {
        return find_named_users(tx, asked).await;
    }
    let names = asked.texts("ResourceNames")?;
    let mut found = BTreeMap::new();
    for name in names {
        let resource = match asked.must("ResourceType")? {
            "user" => TaggedResource::User(user_lookup::find_user_by_name(tx, asked, &name).await?),
            "role" => TaggedResource::Role(roles::find_role_by_name(tx, asked, &name).await?),
            "policy" => TaggedResource::Policy(
                policies::find_custom_policy(tx, asked, &name)
                    .await?
                    .policy_id,
            ),
            _ => return Err(SandboxFault::incorrect("ResourceType")),
        };
        found.insert(name, resource);
    }
    Ok(found)
}

async fn find_named_users(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
) -> Result<BTreeMap<String, TaggedResource>, SandboxFault> {
    let mut found = BTreeMap::new();
    for id in asked.texts("ResourceId")? {
        let user = user_lookup::find_user_by_id(tx, asked, &id).await?;
        found.insert(id, TaggedResource::User(user));
    }
    for name in asked.texts("ResourcePrincipalName")? {
        let user = user_lookup::find_user_by_principal_name(tx, asked, &name).await?;
        found.insert(name, TaggedResource::User(user));
    }
    Ok(found)
}

/// `ResourceType`, which IMS has for users alone.
fn resource_type(asked: &SandboxRequest) -> Result<&str, SandboxFault> {
    match (asked.is_ims(), asked.get("ResourceType")) {
        (false, _) => asked.must("ResourceType"),
        (true, Some("user") | None) => Ok("user"),
        (true, Some(_)) => Err(SandboxFault::incorrect("ResourceType")),
    }
}

async fn require_named(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
) -> Result<BTreeMap<String, TaggedResource>, SandboxFault> {
    let named = find_named(tx, asked).await?;
    if named.is_empty() {
        let parameter = if asked.is_ims() {
            "ResourceId"
        } else {
            "ResourceNames"
        };
        return Err(SandboxFault::missing(parameter));
    }
    Ok(named)
}

pub async fn tag_resources(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let tags = Tag::given(asked)?;
    if tags.is_empty() {
        return Err(SandboxFault::missing("Tag"));
    }
    resource_type(asked)?;
    let mut tx = sandbox.pool.begin().await?;
    for resource in require_named(&mut tx, asked).await?.into_values() {
        upsert_tags(&mut tx, resource, &tags).await?;
    }
    tx.commit().await?;
    Ok(ResponseBody::new())
}

pub async fn untag_resources(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let parameter = if asked.is_ims() { "TagKey" } else { "TagKeys" };
    let keys = asked.texts(parameter)?;
    let all = check::optional_flag(asked, "All")?.unwrap_or_default();
    if keys.is_empty() && !all {
        return Err(SandboxFault::missing(parameter));
    }
    resource_type(asked)?;
    let mut tx = sandbox.pool.begin().await?;
    for resource in require_named(&mut tx, asked).await?.into_values() {
        let (user, role, policy) = resource.columns();
        sqlx::query!(
            "DELETE FROM sandbox.tags
             WHERE (user_id, role_id, policy_id) IS NOT DISTINCT FROM ($1, $2, $3)
               AND ($4 OR tag_key = ANY($5))",
            user,
            role,
            policy,
            all,
            &keys
        )
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await?;
    Ok(ResponseBody::new())
}

pub async fn list_tag_resources(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let page = PageRequest::read(asked, ("NextToken", "PageSize"), 100)?;
    let kind = resource_type(asked)?;
    let wanted = Tag::given(asked)?;
    let mut tx = sandbox.pool.begin().await?;
    let named = find_named(&mut tx, asked).await?;
    let ids = |of: fn(TaggedResource) -> Option<i64>| -> Vec<i64> {
        named.values().copied().filter_map(of).collect()
    };
    let (users, roles, policies) = (
        ids(|one| one.columns().0),
        ids(|one| one.columns().1),
        ids(|one| one.columns().2),
    );
    let rows = sqlx::query!(
        "WITH resources AS (
             SELECT 'user' AS kind, user_name AS name, user_id, NULL::bigint AS role_id, NULL::bigint AS policy_id
             FROM sandbox.users
             WHERE account_id = $1
             UNION ALL
             SELECT 'role', role_name, NULL, role_id, NULL
             FROM sandbox.roles
             WHERE account_id = $1
             UNION ALL
             SELECT 'policy', policy_name, NULL, NULL, policy_id
             FROM sandbox.policies
             WHERE account_id = $1
         ),
         numbered AS (
             SELECT
                 row_number() OVER (ORDER BY r.name, t.tag_key) AS position,
                 r.name,
                 COALESCE(r.user_id, r.role_id, r.policy_id) AS id,
                 t.tag_key,
                 t.tag_value
             FROM sandbox.tags t
             JOIN resources r
                 ON (r.user_id, r.role_id, r.policy_id)
                     IS NOT DISTINCT FROM (t.user_id, t.role_id, t.policy_id)
             WHERE r.kind = $2
               AND ($3 OR r.user_id = ANY($4) OR r.role_id = ANY($5) OR r.policy_id = ANY($6))
               AND ($7::jsonb = '{}' OR $7 @> jsonb_build_object(t.tag_key, t.tag_value))
         )
         SELECT
             position AS \"position!\",
             name AS \"name!\",
             id AS \"id!\",
             tag_key AS \"tag_key!\",
             tag_value AS \"tag_value!\"
         FROM numbered
         WHERE position > $8
         ORDER BY position
         LIMIT $9",
        asked.caller.account_id,
        kind,
        named.is_empty(),
        &users,
        &roles,
        &policies,
        Tag::as_object(&wanted),
        page.after,
        page.limit()
    )
    .fetch_all(&mut *tx)
    .await?;
    let shown = rows.into_iter().map(|row| {
        let shown = json!({
            "ResourceType": kind,
            "ResourceName": row.name,
            "ResourceId": row.id.to_string(),
            "TagKey": row.tag_key,
            "TagValue": row.tag_value,
        });
        (row.position, shown)
    });
    let (shown, next) = page.cut(shown);
    let mut answer = if asked.is_ims() {
        single_member("TagResources", json!({ "TagResource": shown }))
    } else {
        single_member("TagResources", shown.into())
    };
    answer.insert("IsTruncated".to_owned(), next.is_some().into());
    if let Some(next) = next {
        answer.insert("NextToken".to_owned(), next.into());
    }
    Ok(answer)
}
