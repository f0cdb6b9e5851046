//! Tags of users, roles and policies.

use serde_json::{Value, json};
use sqlx::PgTransaction;

use super::{asked::SandboxRequest, refused::SandboxFault};

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
    pub fn columns(self) -> (Option<i64>, Option<i64>, Option<i64>) {
        match self {
            Self::User(id) => (Some(id), None, None),
            Self::Role(id) => (None, Some(id), None),
            Self::Policy(id) => (None, None, Some(id)),
        }
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
