//! RAM users, as RAM and as IMS shows them.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{
    Sandbox,
    answer::{Tree, tree},
    asked::Asked,
    check,
    refused::Refused,
};
use crate::operation::Product;

/// A user's row.
struct User {
    user_id: i64,
    user_name: String,
    display_name: String,
    mobile_phone: String,
    email: String,
    comments: String,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl User {
    fn shown(self, asked: &Asked) -> Value {
        let mut shown = json!({
            "UserId": self.user_id.to_string(),
            "DisplayName": self.display_name,
            "MobilePhone": self.mobile_phone,
            "Email": self.email,
            "Comments": self.comments,
            "CreateDate": check::date(self.created_at),
            "UpdateDate": check::date(self.updated_at),
        });
        let name = if is_ims(asked) {
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

fn is_ims(asked: &Asked) -> bool {
    Product::from_code(&asked.identity.product) == Product::Ims
}

/// The user that is meant, in the form of RAM or of IMS; `None` where none is named.
pub(super) fn named(asked: &Asked) -> Result<Option<&str>, Refused> {
    if !is_ims(asked) {
        return asked
            .get("UserName")
            .map(|text| check::name("UserName", text, "._-"))
            .transpose();
    }
    let Some(principal) = asked.get("UserPrincipalName") else {
        return Ok(None);
    };
    let (user, domain) = principal
        .split_once('@')
        .ok_or_else(|| Refused::incorrect("UserPrincipalName"))?;
    if domain != format!("{}.onaliyun.com", asked.caller.account_id) {
        return Err(Refused::incorrect("UserPrincipalName"));
    }
    check::name("UserPrincipalName", user, "._-").map(Some)
}

fn must_be_named(asked: &Asked) -> Result<&str, Refused> {
    let name = if is_ims(asked) {
        "UserPrincipalName"
    } else {
        "UserName"
    };
    named(asked)?.ok_or_else(|| Refused::missing(name))
}

pub async fn create(sandbox: &Sandbox, asked: &Asked) -> Result<Tree, Refused> {
    let user_name = must_be_named(asked)?;
    let text = |name, longest| check::text(asked, name, longest);
    let user = sqlx::query_as!(
        User,
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
    .fetch_one(&sandbox.pool)
    .await?;
    Ok(tree("User", user.shown(asked)))
}

pub async fn get(sandbox: &Sandbox, asked: &Asked) -> Result<Tree, Refused> {
    let user = sqlx::query_as!(
        User,
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
           AND user_name = $2",
        asked.caller.account_id,
        must_be_named(asked)?
    )
    .fetch_optional(&sandbox.pool)
    .await?
    .ok_or_else(|| Refused::not_exist("User"))?;
    Ok(tree("User", user.shown(asked)))
}

pub async fn list(sandbox: &Sandbox, asked: &Asked) -> Result<Tree, Refused> {
    let limit = check::max_items(asked, if is_ims(asked) { 1000 } else { 100 })?;
    let after = match asked.get("Marker") {
        None => 0,
        Some(marker) => marker.parse().map_err(|_| Refused::incorrect("Marker"))?,
    };
    let mut users = sqlx::query_as!(
        User,
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
        after,
        limit + 1
    )
    .fetch_all(&sandbox.pool)
    .await?;
    let full = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = users.len() > full;
    users.truncate(full);
    let last = users.last().map(|user| user.user_id.to_string());
    let shown: Vec<Value> = users.into_iter().map(|user| user.shown(asked)).collect();
    let mut answer = tree("Users", json!({ "User": shown }));
    answer.insert("IsTruncated".to_owned(), more.into());
    if let Some(marker) = last.filter(|_| more) {
        answer.insert("Marker".to_owned(), marker.into());
    }
    Ok(answer)
}

pub async fn update(sandbox: &Sandbox, asked: &Asked) -> Result<Tree, Refused> {
    let new_name = asked
        .get("NewUserName")
        .map(|text| check::name("NewUserName", text, "._-"))
        .transpose()?;
    let text = |name, longest| check::text(asked, name, longest);
    let user = sqlx::query_as!(
        User,
        "UPDATE sandbox.users
         SET user_name = COALESCE($3, user_name),
             display_name = COALESCE($4, display_name),
             mobile_phone = COALESCE($5, mobile_phone),
             email = COALESCE($6, email),
             comments = COALESCE($7, comments),
             updated_at = $8
         WHERE account_id = $1
           AND user_name = $2
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
        must_be_named(asked)?,
        new_name,
        text("NewDisplayName", 128)?,
        text("NewMobilePhone", 64)?,
        text("NewEmail", 256)?,
        text("NewComments", 128)?,
        sandbox.clock.now()
    )
    .fetch_optional(&sandbox.pool)
    .await?
    .ok_or_else(|| Refused::not_exist("User"))?;
    Ok(tree("User", user.shown(asked)))
}

pub async fn delete(sandbox: &Sandbox, asked: &Asked) -> Result<Tree, Refused> {
    // What hangs on the user keeps it, by constraint.
    let gone = sqlx::query!(
        "DELETE FROM sandbox.users
         WHERE account_id = $1
           AND user_name = $2",
        asked.caller.account_id,
        must_be_named(asked)?
    )
    .execute(&sandbox.pool)
    .await?;
    if gone.rows_affected() == 0 {
        return Err(Refused::not_exist("User"));
    }
    Ok(Tree::new())
}
