//! Groups of RAM users.

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
    user_lookup,
};

/// A group's row.
struct GroupRow {
    group_id: i64,
    group_name: String,
    display_name: String,
    comments: String,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl GroupRow {
    fn shown(self) -> Value {
        json!({
            "GroupId": format_group_id(self.group_id),
            "GroupName": self.group_name,
            "DisplayName": self.display_name,
            "Comments": self.comments,
            "CreateDate": check::format_date(self.created_at),
            "UpdateDate": check::format_date(self.updated_at),
        })
    }
}

fn format_group_id(id: i64) -> String {
    format!("g-{id:016}")
}

/// The group that the call is about, which stays as long as the transaction.
pub async fn find_requested_group(
    tx: &mut PgTransaction<'_>,
    asked: &SandboxRequest,
) -> Result<i64, SandboxFault> {
    sqlx::query_scalar!(
        "SELECT group_id
         FROM sandbox.groups
         WHERE account_id = $1
           AND group_name = $2
         FOR UPDATE",
        asked.caller.account_id,
        check::check_name("GroupName", asked.must("GroupName")?, "._-")?
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or_else(|| SandboxFault::not_exist("Group"))
}

pub async fn create_group(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let group = sqlx::query_as!(
        GroupRow,
        "INSERT INTO sandbox.groups (account_id, group_name, display_name, comments, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $5)
         RETURNING group_id, group_name, display_name, comments, created_at, updated_at",
        asked.caller.account_id,
        check::check_name("GroupName", asked.must("GroupName")?, "._-")?,
        check::optional_text(asked, "DisplayName", 128)?.unwrap_or_default(),
        check::optional_text(asked, "Comments", 128)?.unwrap_or_default(),
        sandbox.clock.now()
    )
    .fetch_one(&sandbox.pool)
    .await?;
    Ok(single_member("Group", group.shown()))
}

pub async fn get_group(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let id = find_requested_group(&mut tx, asked).await?;
    let group = sqlx::query_as!(
        GroupRow,
        "SELECT group_id, group_name, display_name, comments, created_at, updated_at
         FROM sandbox.groups
         WHERE group_id = $1",
        id
    )
    .fetch_one(&mut *tx)
    .await?;
    Ok(single_member("Group", group.shown()))
}

pub async fn list_groups(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let page = PageRequest::asked(asked, 100)?;
    let groups = sqlx::query_as!(
        GroupRow,
        "SELECT group_id, group_name, display_name, comments, created_at, updated_at
         FROM sandbox.groups
         WHERE account_id = $1
           AND group_id > $2
         ORDER BY group_id
         LIMIT $3",
        asked.caller.account_id,
        page.after,
        page.limit()
    )
    .fetch_all(&sandbox.pool)
    .await?;
    let shown = |group: GroupRow| (group.group_id, group.shown());
    Ok(page.write(("Groups", "Group"), groups.into_iter().map(shown)))
}

pub async fn update_group(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let new_name = asked
        .get("NewGroupName")
        .map(|text| check::check_name("NewGroupName", text, "._-"))
        .transpose()?;
    let mut tx = sandbox.pool.begin().await?;
    let id = find_requested_group(&mut tx, asked).await?;
    let group = sqlx::query_as!(
        GroupRow,
        "UPDATE sandbox.groups
         SET group_name = COALESCE($2, group_name),
             display_name = COALESCE($3, display_name),
             comments = COALESCE($4, comments),
             updated_at = $5
         WHERE group_id = $1
         RETURNING group_id, group_name, display_name, comments, created_at, updated_at",
        id,
        new_name,
        check::optional_text(asked, "NewDisplayName", 128)?,
        check::optional_text(asked, "NewComments", 128)?,
        sandbox.clock.now()
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(single_member("Group", group.shown()))
}

pub async fn delete_group(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let id = find_requested_group(&mut tx, asked).await?;
    sqlx::query!(
        "DELETE FROM sandbox.groups
         WHERE group_id = $1",
        id
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(ResponseBody::new())
}

pub async fn add_user_to_group(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let (group, user) = (
        find_requested_group(&mut tx, asked).await?,
        user_lookup::find_requested_user(&mut tx, asked).await?,
    );
    let joined = sqlx::query!(
        "INSERT INTO sandbox.group_members (group_id, user_id, joined_at)
         VALUES ($1, $2, $3)
         ON CONFLICT DO NOTHING",
        group,
        user,
        sandbox.clock.now()
    )
    .execute(&mut *tx)
    .await?;
    if joined.rows_affected() == 0 {
        return Err(SandboxFault::already_exists("User.Group"));
    }
    tx.commit().await?;
    Ok(ResponseBody::new())
}

pub async fn remove_user_from_group(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let (group, user) = (
        find_requested_group(&mut tx, asked).await?,
        user_lookup::find_requested_user(&mut tx, asked).await?,
    );
    let left = sqlx::query!(
        "DELETE FROM sandbox.group_members
         WHERE group_id = $1
           AND user_id = $2",
        group,
        user
    )
    .execute(&mut *tx)
    .await?;
    if left.rows_affected() == 0 {
        return Err(SandboxFault::not_exist("User.Group"));
    }
    tx.commit().await?;
    Ok(ResponseBody::new())
}

pub async fn list_groups_for_user(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let mut tx = sandbox.pool.begin().await?;
    let user = user_lookup::find_requested_user(&mut tx, asked).await?;
    let groups = sqlx::query!(
        "SELECT g.group_id, g.group_name, g.display_name, g.comments, m.joined_at
         FROM sandbox.group_members m
         JOIN sandbox.groups g USING (group_id)
         WHERE m.user_id = $1
         ORDER BY g.group_id",
        user
    )
    .fetch_all(&mut *tx)
    .await?;
    let shown: Vec<Value> = groups
        .into_iter()
        .map(|group| {
            json!({
                "GroupId": format_group_id(group.group_id),
                "GroupName": group.group_name,
                "DisplayName": group.display_name,
                "Comments": group.comments,
                "JoinDate": check::format_date(group.joined_at),
            })
        })
        .collect();
    Ok(single_member("Groups", json!({ "Group": shown })))
}

pub async fn list_users_for_group(
    sandbox: &Sandbox,
    asked: &SandboxRequest,
) -> Result<ResponseBody, SandboxFault> {
    let page = PageRequest::asked(asked, 100)?;
    let mut tx = sandbox.pool.begin().await?;
    let group = find_requested_group(&mut tx, asked).await?;
    let members = sqlx::query!(
        "SELECT u.user_id, u.user_name, u.display_name, m.joined_at
         FROM sandbox.group_members m
         JOIN sandbox.users u USING (user_id)
         WHERE m.group_id = $1
           AND u.user_id > $2
         ORDER BY u.user_id
         LIMIT $3",
        group,
        page.after,
        page.limit()
    )
    .fetch_all(&mut *tx)
    .await?;
    let shown = members.into_iter().map(|member| {
        let shown = json!({
            "UserId": member.user_id.to_string(),
            "UserPrincipalName": asked.principal_name(&member.user_name),
            "UserName": member.user_name,
            "DisplayName": member.display_name,
            "JoinDate": check::format_date(member.joined_at),
        });
        (member.user_id, shown)
    });
    Ok(page.write(("Users", "User"), shown))
}
