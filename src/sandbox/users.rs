//! RAM users, as RAM and as IMS shows them.

use serde_json::{Value, json};
use sqlx::PgTransaction;
use time::OffsetDateTime;

use super::{
    answer::{ResponseBody, single_member},
    asked::SandboxRequest,
    check,
    page::PageRequest,
    record_kind::RecordKind,
    recycled_users::recycle_user,
    refused::SandboxFault,
    sandbox::Sandbox,
    tags::{self, Tag, TaggedResource},
    user_lookup::{find_requested_user, parse_user_name, require_user_name},
};

/// `Status` of every user.
const ACTIVE: &str = "Active";

/// A user's row.
struct UserRow {
    user_id: i64,
    user_name: String,
    display_name: String,
    mobile_phone: String,
    email: String,
    comments: String,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    tags: Value,
}

impl UserRow {
    fn shown(self, asked: &SandboxRequest) -> Value {
        json!({
            "UserId": self.user_id.to_string(),
            "UserPrincipalName": asked.principal_name(&self.user_name),
            "UserName": self.user_name,
            "DisplayName": self.display_name,
            "MobilePhone": self.mobile_phone,
            "Email": self.email,
            "Comments": self.comments,
            "CreateDate": check::format_date(self.created_at),
            "UpdateDate": check::format_date(self.updated_at),
            "Tags": { "Tag": self.tags },
            // Nobody logs in to the sandbox, and no directory is synchronised with it.
            "LastLoginDate": "",
            "ProvisionType": "Manual",
            "Status": ACTIVE,
        })
    }
}

async fn read_user(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
    user_id: i64,
) -> Result<ResponseBody, SandboxFault> {
    let user = sqlx::query_as!(
        UserRow,
        "SELECT
             user_id,
             user_name,
             display_name,
             mobile_phone,
             email,
             comments,
             created_at,
             updated_at,
             '[]'::jsonb AS \"tags!\"
         FROM sandbox.users
         WHERE user_id = $1",
        user_id
    )
    .fetch_one(&mut **tx)
    .await?;
    let mut shown = user.shown(asked);
    if let Value::Object(members) = &mut shown {
        let tags = tags::find_tags(tx, TaggedResource::User(user_id)).await?;
        members.insert("Tags".to_owned(), tags);
    }
    Ok(single_member("User", shown))
}

pub async fn create_user(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let user_name = require_user_name(asked)?;
    let tags = Tag::given(asked)?;
    let text = |name, longest| check::optional_text(asked, name, longest);
    let mut tx = sandbox.pool.begin().await?;
    let user_id = sqlx::query_scalar!(
        "INSERT INTO sandbox.users (
             account_id,
             user_name,
             display_name,
             mobile_phone,
             email,
             comments,
             created_at,
             updated_at
         )
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
         RETURNING user_id",
        asked.caller.account_id,
        user_name,
        text("DisplayName", 128)?.unwrap_or_else(|| user_name.to_owned()),
        text("MobilePhone", 64)?.unwrap_or_default(),
        text("Email", 256)?.unwrap_or_default(),
        text("Comments", 128)?.unwrap_or_default(),
        sandbox.clock.now()
    )
    .fetch_one(&mut *tx)
    .await?;
    tags::upsert_tags(&mut tx, TaggedResource::User(user_id), &tags).await?;
    let shown = read_user(&mut tx, asked, user_id).await?;
    tx.commit().await?;
    Ok(shown)
}

pub async fn get_user(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let user_id = find_requested_user(&mut tx, asked).await?;
    read_user(&mut tx, asked, user_id).await
}

/// A page of users, under the list's two names: `ListUsers`, and `ListUserBasicInfos` of IMS.
pub async fn list_users(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
    names: (&str, &str),
) -> Result<ResponseBody, SandboxFault> {
    let page = PageRequest::asked(asked, if asked.is_ims() { 1000 } else { 100 })?;
    let status = asked.get("Status").unwrap_or(ACTIVE);
    let users = sqlx::query_as!(
        UserRow,
        "SELECT
             u.user_id,
             u.user_name,
             u.display_name,
             u.mobile_phone,
             u.email,
             u.comments,
             u.created_at,
             u.updated_at,
             COALESCE(t.tags, '[]') AS \"tags!\"
         FROM sandbox.users u
         CROSS JOIN LATERAL (
             SELECT
                 jsonb_agg(
                     jsonb_build_object('TagKey', tag_key, 'TagValue', tag_value)
                     ORDER BY tag_key
                 ) AS tags,
                 COALESCE(jsonb_object_agg(tag_key, tag_value), '{}') AS by_key
             FROM sandbox.tags
             WHERE user_id = u.user_id
         ) t
         WHERE u.account_id = $1
           AND u.user_id > $2
           AND t.by_key @> $3
           AND $4
         ORDER BY u.user_id
         LIMIT $5",
        asked.caller.account_id,
        page.after,
        Tag::as_object(&Tag::given(asked)?),
        status.eq_ignore_ascii_case(ACTIVE),
        page.limit()
    )
    .fetch_all(&sandbox.pool)
    .await?;
    let shown = |user: UserRow| (user.user_id, user.shown(asked));
    Ok(page.write(names, users.into_iter().map(shown)))
}

pub async fn update_user(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let new_name = parse_user_name(asked, "NewUserName", "NewUserPrincipalName")?;
    let text = |name, longest| check::optional_text(asked, name, longest);
    let mut tx = sandbox.pool.begin().await?;
    let user_id = find_requested_user(&mut tx, asked).await?;
    sqlx::query!(
        "UPDATE sandbox.users
         SET user_name = COALESCE($2, user_name),
             display_name = COALESCE($3, display_name),
             mobile_phone = COALESCE($4, mobile_phone),
             email = COALESCE($5, email),
             comments = COALESCE($6, comments),
             updated_at = $7
         WHERE user_id = $1",
        user_id,
        new_name,
        text("NewDisplayName", 128)?,
        text("NewMobilePhone", 64)?,
        text("NewEmail", 256)?,
        text("NewComments", 128)?,
        sandbox.clock.now()
    )
    .execute(&mut *tx)
    .await?;
    let shown = read_user(&mut tx, asked, user_id).await?;
    tx.commit().await?;
    Ok(shown)
}

/// Moves a user to the recycle bin.
pub async fn delete_user(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let user_id = find_requested_user(&mut tx, asked).await?;
    // What else hangs on the user keeps it by constraint; a device would be deleted with it.
    let has_device = sqlx::query_scalar!(
        "SELECT EXISTS (
             SELECT 1
             FROM sandbox.records
             WHERE user_id = $1
               AND kind = $2
         ) AS \"has_device!\"",
        user_id,
        RecordKind::MfaDevice.code()
    )
    .fetch_one(&mut *tx)
    .await?;
    if has_device {
        return Err(SandboxFault::delete_conflict("User.MFADevice"));
    }
    recycle_user(&mut tx, user_id, sandbox.clock.now()).await?;
    tx.commit().await?;
    Ok(ResponseBody::new())
}
