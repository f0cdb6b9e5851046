//! RAM users, as RAM and as IMS shows them.

use serde_json::{Value, json};
use sqlx::PgTransaction;
use time::OffsetDateTime;

use super::{
    answer::{ResponseBody, single_member},
    asked::SandboxRequest,
    caller::PrincipalKind,
    check,
    page::PageRequest,
    refused::SandboxFault,
    sandbox::Sandbox,
    tags::{self, Tag, TaggedResource},
};

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
}

impl UserRow {
    fn shown(self, asked: &SandboxRequest) -> Value {
        let mut shown = json!({
            "UserId": self.user_id.to_string(),
            "DisplayName": self.display_name,
            "MobilePhone": self.mobile_phone,
            "Email": self.email,
            "Comments": self.comments,
            "CreateDate": check::format_date(self.created_at),
            "UpdateDate": check::format_date(self.updated_at),
        });
        let name = if asked.is_ims() {
            let account_id = &asked.caller.account_id;
            (
                "UserPrincipalName",
                format!("{}@{account_id}.onaliyun.com", self.user_name),
            )
        } else {
            ("UserName", self.user_name)
        };
        if let Value::Object(members) = &mut shown {
            members.insert(name.0.to_owned(), name.1.into());
        }
        shown
    }
}

/// A user's name in the form of RAM, or of IMS: `NAME@ACCOUNT.onaliyun.com`.
fn parse_user_name<'a>(
    asked: &'a SandboxRequest,
    ram: &str,
    ims: &str,
) -> Result<Option<&'a str>, SandboxFault> {
    if !asked.is_ims() {
        return asked
            .get(ram)
            .map(|text| check::check_name(ram, text, "._-"))
            .transpose();
    }
    let Some(principal) = asked.get(ims) else {
        return Ok(None);
    };
    let (user, domain) = principal
        .split_once('@')
        .ok_or_else(|| SandboxFault::incorrect(ims))?;
    if domain != format!("{}.onaliyun.com", asked.caller.account_id) {
        return Err(SandboxFault::incorrect(ims));
    }
    check::check_name(ims, user, "._-").map(Some)
}

/// The name of the user that is meant; `None` where none is named.
fn requested_user_name(asked: &SandboxRequest) -> Result<Option<&str>, SandboxFault> {
    parse_user_name(asked, "UserName", "UserPrincipalName")
}

fn require_user_name(asked: &SandboxRequest) -> Result<&str, SandboxFault> {
    let parameter = if asked.is_ims() {
        "UserPrincipalName"
    } else {
        "UserName"
    };
    requested_user_name(asked)?.ok_or_else(|| SandboxFault::missing(parameter))
}

/// The id of the user that is meant, who stays as long as the transaction: by name, and in IMS also by
/// UserId or by the id of one of the user's keys. What is given must agree.
pub async fn find_requested_user(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
) -> Result<i64, SandboxFault> {
    let by_id = asked.is_ims().then(|| asked.get("UserId")).flatten();
    let by_key = (asked.identity.action == "GetUser" && asked.is_ims())
        .then(|| asked.get("UserAccessKeyId"))
        .flatten();
    let by_name = if by_id.is_some() || by_key.is_some() {
        requested_user_name(asked)?
    } else {
        Some(require_user_name(asked)?)
    };
    find_user(tx, &asked.caller.account_id, by_name, by_id, by_key).await
}

/// The user named, or the caller where the caller is one; `None` is the account itself.
pub async fn find_user_or_caller(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
) -> Result<Option<i64>, SandboxFault> {
    let name = match (requested_user_name(asked)?, &asked.caller.kind) {
        (Some(name), _) => name,
        (None, PrincipalKind::User(name)) => name,
        (None, PrincipalKind::Root) => return Ok(None),
        (None, PrincipalKind::Session { .. }) => require_user_name(asked)?,
    };
    let id = find_user(tx, &asked.caller.account_id, Some(name), None, None).await?;
    Ok(Some(id))
}

/// The user of this id, or the caller where none is given. The account itself has to give one.
pub async fn find_id_or_caller(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
) -> Result<i64, SandboxFault> {
    let (name, id) = match (asked.get("UserId"), &asked.caller.kind) {
        (Some(id), _) => (None, Some(id)),
        (None, PrincipalKind::User(name)) => (Some(name.as_str()), None),
        (None, PrincipalKind::Root | PrincipalKind::Session { .. }) => {
            return Err(SandboxFault::missing("UserId"));
        }
    };
    find_user(tx, &asked.caller.account_id, name, id, None).await
}

/// The user of this name.
pub async fn find_user_by_name(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
    name: &str,
) -> Result<i64, SandboxFault> {
    let name = check::check_name("UserName", name, "._-")?;
    find_user(tx, &asked.caller.account_id, Some(name), None, None).await
}

async fn find_user(
    tx: &mut PgTransaction<'_>,
    account_id: &str,
    name: Option<&str>,
    id: Option<&str>,
    key: Option<&str>,
) -> Result<i64, SandboxFault> {
    sqlx::query_scalar!(
        "SELECT user_id
         FROM sandbox.users u
         WHERE account_id = $1
           AND ($2::text IS NULL OR user_name = $2)
           AND ($3::text IS NULL OR user_id::text = $3)
           AND ($4::text IS NULL OR EXISTS (
               SELECT 1
               FROM sandbox.access_keys k
               WHERE k.user_id = u.user_id
                 AND k.access_key_id = $4
           ))
         FOR UPDATE OF u",
        account_id,
        name,
        id,
        key
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or_else(|| SandboxFault::not_exist("User"))
}

pub async fn create_user(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let user_name = require_user_name(asked)?;
    let tags = Tag::given(asked)?;
    let text = |name, longest| check::optional_text(asked, name, longest);
    let mut tx = sandbox.pool.begin().await?;
    let user = sqlx::query_as!(
        UserRow,
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
         RETURNING
             user_id,
             user_name,
             display_name,
             mobile_phone,
             email,
             comments,
             created_at,
             updated_at",
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
    tags::upsert_tags(&mut tx, TaggedResource::User(user.user_id), &tags).await?;
    tx.commit().await?;
    Ok(single_member("User", user.shown(asked)))
}

pub async fn get_user(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let user_id = find_requested_user(&mut tx, asked).await?;
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
             updated_at
         FROM sandbox.users
         WHERE user_id = $1",
        user_id
    )
    .fetch_one(&mut *tx)
    .await?;
    let mut shown = user.shown(asked);
    if let Value::Object(members) = &mut shown
        && asked.is_ims()
    {
        let tags = tags::find_tags(&mut tx, TaggedResource::User(user_id)).await?;
        members.insert("Tags".to_owned(), tags);
    }
    Ok(single_member("User", shown))
}

pub async fn list_users(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let page = PageRequest::asked(asked, if asked.is_ims() { 1000 } else { 100 })?;
    let users = sqlx::query_as!(
        UserRow,
        "SELECT
             user_id,
             user_name,
             display_name,
             mobile_phone,
             email,
             comments,
             created_at,
             updated_at
         FROM sandbox.users
         WHERE account_id = $1
           AND user_id > $2
         ORDER BY user_id
         LIMIT $3",
        asked.caller.account_id,
        page.after,
        page.limit()
    )
    .fetch_all(&sandbox.pool)
    .await?;
    let shown = |user: UserRow| (user.user_id, user.shown(asked));
    Ok(page.write(("Users", "User"), users.into_iter().map(shown)))
}

pub async fn update_user(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let new_name = parse_user_name(asked, "NewUserName", "NewUserPrincipalName")?;
    let text = |name, longest| check::optional_text(asked, name, longest);
    let mut tx = sandbox.pool.begin().await?;
    let user_id = find_requested_user(&mut tx, asked).await?;
    let user = sqlx::query_as!(
        UserRow,
        "UPDATE sandbox.users
         SET user_name = COALESCE($2, user_name),
             display_name = COALESCE($3, display_name),
             mobile_phone = COALESCE($4, mobile_phone),
             email = COALESCE($5, email),
             comments = COALESCE($6, comments),
             updated_at = $7
         WHERE user_id = $1
         RETURNING
             user_id,
             user_name,
             display_name,
             mobile_phone,
             email,
             comments,
             created_at,
             updated_at",
        user_id,
        new_name,
        text("NewDisplayName", 128)?,
        text("NewMobilePhone", 64)?,
        text("NewEmail", 256)?,
        text("NewComments", 128)?,
        sandbox.clock.now()
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(single_member("User", user.shown(asked)))
}

pub async fn delete_user(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let user_id = find_requested_user(&mut tx, asked).await?;
    // What hangs on the user keeps it, by constraint.
    sqlx::query!(
        "DELETE FROM sandbox.users
         WHERE user_id = $1",
        user_id
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(ResponseBody::new())
}
