//! `/admin/v1/keys`: AccessKeys, what they come from and what came of them, and disabling one.

use axum::{Json as Answer, extract::State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Admin, Problem,
    approvals::waits,
    auth::{Acting, Reader},
    extract::{Json, Path, Query, cut, page_size, text, text_schema},
    openapi::Faults,
    problem::Details,
    verbs::before_verb,
};
use akgate_rules::access_key::AccessKeyId;
use akgate_state::{
    directory::{
        KeyStatus,
        lineage::{self, Relative},
        listing::{self, Listed, Shown, Wanted},
        within,
    },
    four_eyes::approvals::ApprovalView,
    restrictions::disable,
};

/// Which keys are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Of this account.
    #[param(nullable = false)]
    account_id: Option<String>,
    /// Of this RAM user.
    #[param(nullable = false)]
    user_name: Option<String>,
    /// In this status.
    #[param(value_type = Option<StatusName>, inline, nullable = false)]
    status: Option<String>,
    /// Restricted ones alone.
    #[serde(default)]
    #[param(nullable = false)]
    restricted: bool,
    /// How many at most.
    #[param(minimum = 1, maximum = 500, default = 50, nullable = false)]
    page_size: Option<i64>,
    /// Where the last page ended.
    #[param(
        nullable = false,
        pattern = "^[A-Za-z0-9._-]+$",
        min_length = 1,
        max_length = 128
    )]
    page_token: Option<String>,
}

/// Status of a key.
#[derive(ToSchema)]
#[schema(as = KeyStatus)]
#[expect(dead_code, reason = "the schema of a text")]
enum StatusName {
    Active,
    Inactive,
    Deleted,
}

/// One page.
#[derive(Serialize, ToSchema)]
#[schema(as = Keys)]
pub struct Page {
    /// In the order of their ids.
    keys: Vec<Listed>,
    /// Where the next page begins; null where there is none.
    next_page_token: Option<String>,
}

/// List AccessKeys
///
/// In the order of their ids; no secret is read.
#[utoipa::path(
    get,
    path = "/admin/v1/keys",
    operation_id = "listKeys",
    tag = "directory",
    params(Filter),
    responses((status = 200, description = "A page.", body = Page), Faults)
)]
pub async fn list(
    State(admin): State<Admin>,
    _: Reader,
    Query(filter): Query<Filter>,
) -> Result<Answer<Page>, Problem> {
    let status = filter
        .status
        .map(|text| {
            KeyStatus::parse(&text)
                .ok_or_else(|| Problem::invalid("`status` is Active, Inactive or Deleted."))
        })
        .transpose()?;
    let after = filter.page_token.as_deref().map(key_id).transpose()?;
    let size = page_size(filter.page_size, 500)?;
    let wanted = Wanted {
        account_id: filter.account_id.as_deref(),
        user_name: filter.user_name.as_deref(),
        status,
        restricted: filter.restricted,
        after: after.as_ref().map_or("", AccessKeyId::as_str),
        limit: size + 1,
    };
    let mut keys = within(admin.timeout, listing::list(&admin.pool, &wanted)).await?;
    let next_page_token = cut(&mut keys, size, |one| one.access_key_id.clone());
    Ok(Answer(Page {
        keys,
        next_page_token,
    }))
}

fn key_id(text: &str) -> Result<AccessKeyId, Problem> {
    AccessKeyId::parse(text).map_err(|fault| Problem::invalid(fault.to_string()))
}

/// Show an AccessKey
///
/// Whose it is, whether it works, what restricts it, and how much came of it. Its secret is not read.
#[utoipa::path(
    get,
    path = "/admin/v1/keys/{id}",
    operation_id = "getKey",
    tag = "directory",
    params(("id" = String, Path, description = "The AccessKeyId.", pattern = "^[A-Za-z0-9._-]+$", min_length = 1, max_length = 128)),
    responses(
        (status = 200, description = "The key.", body = Shown),
        (status = 404, description = "The directory knows no such key.", body = Details, content_type = "application/problem+json"),
        Faults,
    )
)]
pub async fn one(
    State(admin): State<Admin>,
    _: Reader,
    Path(id): Path<String>,
) -> Result<Answer<Shown>, Problem> {
    let id = key_id(&id)?;
    let shown = within(
        admin.timeout,
        listing::show(&admin.pool, &id, admin.clock.now()),
    )
    .await?;
    let missing = || {
        Problem::not_found(
            "The directory has no AccessKey of this id; a session is found under /lineage and /activity.",
        )
    };
    shown.map(Answer).ok_or_else(missing)
}

/// How much is wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct HowMuch {
    /// How many descendants at most.
    #[param(minimum = 1, maximum = 1000, default = 50, nullable = false)]
    page_size: Option<i64>,
}

/// Where a key comes from, and what came of it.
#[derive(Serialize, ToSchema)]
#[schema(as = Lineage)]
pub struct Lineage {
    /// What it comes from, the farthest first; itself; what came of it, the nearest first.
    relatives: Vec<Relative>,
}

/// Show the lineage of a key or session
///
/// Which key made it, or minted it, and so on back; and the keys and the sessions that have not ended which came of
/// it.
#[utoipa::path(
    get,
    path = "/admin/v1/keys/{id}/lineage",
    operation_id = "getKeyLineage",
    tag = "directory",
    params(
        ("id" = String, Path, description = "The id of the AccessKey or session.", pattern = "^[A-Za-z0-9._-]+$", min_length = 1, max_length = 128),
        HowMuch,
    ),
    responses((status = 200, description = "What is known; of an id that nobody knows itself alone.", body = Lineage), Faults)
)]
pub async fn lineage(
    State(admin): State<Admin>,
    _: Reader,
    Path(id): Path<String>,
    Query(much): Query<HowMuch>,
) -> Result<Answer<Lineage>, Problem> {
    let id = key_id(&id)?;
    let size = page_size(much.page_size, 1000)?;
    let reading = lineage::of(&admin.pool, &id, size + 1, admin.clock.now());
    let relatives = within(admin.timeout, reading).await?;
    Ok(Answer(Lineage { relatives }))
}

/// Why.
#[derive(Deserialize, ToSchema)]
#[schema(as = Disabling)]
#[serde(deny_unknown_fields)]
pub struct Disabling {
    /// Why, for the audit.
    #[schema(schema_with = text_schema::<1024>)]
    reason: String,
}

/// Ask for a leaked key to be disabled
///
/// It waits for a second operator. The gateway then refuses whatever the key signs, at every node. In the IAM it stays as
/// its owner left it, and the owner can bring it back: with `UpdateAccessKey` by another key.
#[utoipa::path(
    post,
    path = "/admin/v1/keys/{id}:disable",
    operation_id = "askToDisableKey",
    tag = "directory",
    params(("id" = String, Path, description = "The AccessKeyId.", pattern = "^[A-Za-z0-9._-]+$", min_length = 1, max_length = 128)),
    request_body = Disabling,
    responses(
        (status = 202, description = "It waits for a second operator.", body = ApprovalView),
        (status = 409, description = "The key is not restricted or not active, or another operator has asked for it.", body = Details, content_type = "application/problem+json"),
        Faults,
    )
)]
pub async fn disable(
    State(admin): State<Admin>,
    Acting(actor): Acting,
    Path(target): Path<String>,
    Json(body): Json<Disabling>,
) -> Result<(StatusCode, Answer<ApprovalView>), Problem> {
    let id = key_id(before_verb(&target))?;
    text("reason", &body.reason, 1024)?;
    let (eyes, now) = (admin.settings.four_eyes, admin.clock.now());
    let asking = disable::ask(&admin.pool, &id, &body.reason, &actor, eyes, now);
    let approval = within(admin.timeout, asking).await?;
    waits(&admin, approval).await
}
