//! Tags of users, roles and policies.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::PgTransaction;

use super::{
    Sandbox,
    answer::{ResponseBody, single_member},
    asked::SandboxRequest,
    check,
    page::PageRequest,
    policies,
    refused::SandboxFault,
    roles, users,
};

/// Tags per resource.
const MAX_TAGS: i64 = 20;

/// A tag.
pub struct Tag {
    key: String,
    value: String,
}

impl Tag {
    /// The tags that a request gives: `Tag`, each with `Key` and `Value`.
    pub fn given(asked: &SandboxRequest) -> Result<Vec<Self>, SandboxFault> {
        asked.list("Tag")?.iter().map(Self::read).collect()
    }

    fn read(given: &Value) -> Result<Self, SandboxFault> {
        let member = |name| given.get(name).and_then(Value::as_str);
        let key = member("Key").ok_or_else(|| SandboxFault::missing("Tag.Key"))?;
        let value = member("Value").unwrap_or_default();
        if !(1..=128).contains(&key.chars().count()) {
            return Err(SandboxFault::length("Tag.Key"));
        }
        if value.chars().count() > 128 {
            return Err(SandboxFault::length("Tag.Value"));
        }
        Ok(Self {
            key: key.to_owned(),
            value: value.to_owned(),
        })
    }

    /// As JSON, by key: what rows are matched against.
    pub fn as_object(tags: &[Self]) -> Value {
        tags.iter()
            .map(|tag| (tag.key.clone(), Value::from(tag.value.clone())))
            .collect()
    }
}

/// What bears tags.
#[derive(Clone, Copy)]
pub enum TaggedResource {
    /// A user.
    User(i64),
    /// A role.
    Role(i64),
    /// A policy of the account's own.
    Policy(i64),
}

impl TaggedResource {
    /// The ids of user, role and policy: one of them is there.
    fn columns(self) -> (Option<i64>, Option<i64>, Option<i64>) {
        match self {
            Self::User(id) => (Some(id), None, None),
            Self::Role(id) => (None, Some(id), None),
            Self::Policy(id) => (None, None, Some(id)),
        }
    }

    /// Those named by `ResourceType` and `ResourceNames`.
    async fn named(
        tx: &mut PgTransaction<'_>,
        asked: &SandboxRequest,
    ) -> Result<BTreeMap<String, Self>, SandboxFault> {
        let names = asked.texts("ResourceNames")?;
        let mut found = BTreeMap::new();
        for name in names {
            let resource = match asked.must("ResourceType")? {
                "user" => Self::User(users::find_user_by_name(tx, asked, &name).await?),
                "role" => Self::Role(roles::find_role_by_name(tx, asked, &name).await?),
                "policy" => Self::Policy(
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

    async fn must_be_named(
        tx: &mut PgTransaction<'_>,
        asked: &SandboxRequest,
    ) -> Result<BTreeMap<String, Self>, SandboxFault> {
        let named = Self::named(tx, asked).await?;
        if named.is_empty() {
            return Err(SandboxFault::missing("ResourceNames"));
        }
        Ok(named)
    }
}

/// Sets tags; one of the same key gets the new value.
pub async fn upsert_tags(
    tx: &mut PgTransaction<'_>,
    resource: TaggedResource,
    tags: &[Tag],
) -> Result<(), SandboxFault> {
    let (user, role, policy) = resource.columns();
    for tag in tags {
        sqlx::query!(
            "INSERT INTO sandbox.tags (user_id, role_id, policy_id, tag_key, tag_value)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT ON CONSTRAINT sandbox_tags_key
             DO UPDATE SET tag_value = EXCLUDED.tag_value",
            user,
            role,
            policy,
            tag.key,
            tag.value
        )
        .execute(&mut **tx)
        .await?;
    }
    let count = sqlx::query_scalar!(
        "SELECT count(*) AS \"count!\"
         FROM sandbox.tags
         WHERE (user_id, role_id, policy_id) IS NOT DISTINCT FROM ($1, $2, $3)",
        user,
        role,
        policy
    )
    .fetch_one(&mut **tx)
    .await?;
    if count > MAX_TAGS {
        return Err(SandboxFault::too_many("Tag"));
    }
    Ok(())
}

/// The tags of a resource, twice wrapped.
pub async fn find_tags(
    tx: &mut PgTransaction<'_>,
    resource: TaggedResource,
) -> Result<Value, SandboxFault> {
    let (user, role, policy) = resource.columns();
    let tags = sqlx::query!(
        "SELECT tag_key, tag_value
         FROM sandbox.tags
         WHERE (user_id, role_id, policy_id) IS NOT DISTINCT FROM ($1, $2, $3)
         ORDER BY tag_key",
        user,
        role,
        policy
    )
    .fetch_all(&mut **tx)
    .await?;
    let shown: Vec<Value> = tags
        .into_iter()
        .map(|tag| json!({ "TagKey": tag.tag_key, "TagValue": tag.tag_value }))
        .collect();
    Ok(json!({ "Tag": shown }))
}

pub async fn tag_resources(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let tags = Tag::given(asked)?;
    if tags.is_empty() {
        return Err(SandboxFault::missing("Tag"));
    }
    let mut tx = sandbox.pool.begin().await?;
    for resource in TaggedResource::must_be_named(&mut tx, asked)
        .await?
        .into_values()
    {
        upsert_tags(&mut tx, resource, &tags).await?;
    }
    tx.commit().await?;
    Ok(ResponseBody::new())
}

pub async fn untag_resources(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let keys = asked.texts("TagKeys")?;
    let all = check::optional_flag(asked, "All")?.unwrap_or_default();
    if keys.is_empty() && !all {
        return Err(SandboxFault::missing("TagKeys"));
    }
    let mut tx = sandbox.pool.begin().await?;
    for resource in TaggedResource::must_be_named(&mut tx, asked)
        .await?
        .into_values()
    {
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
    let kind = asked.must("ResourceType")?;
    let wanted = Tag::given(asked)?;
    let mut tx = sandbox.pool.begin().await?;
    let named = TaggedResource::named(&mut tx, asked).await?;
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
         SELECT position AS \"position!\", name AS \"name!\", tag_key AS \"tag_key!\", tag_value AS \"tag_value!\"
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
            "TagKey": row.tag_key,
            "TagValue": row.tag_value,
        });
        (row.position, shown)
    });
    let (shown, next) = page.cut(shown);
    let mut answer = single_member("TagResources", shown.into());
    if let Some(next) = next {
        answer.insert("NextToken".to_owned(), next.into());
    }
    Ok(answer)
}
