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

/// Which access keys to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Only those of this account.
    #[param(nullable = false)]
    account_id: Option<String>,
    /// Only those of this RAM user.
    #[param(nullable = false)]
    user_name: Option<String>,
    /// Only those with this status.
    #[param(value_type = Option<StatusName>, inline, nullable = false)]
    status: Option<String>,
    /// Only restricted ones.
    #[serde(default)]
    #[param(nullable = false)]
    restricted: bool,
    /// The page size.
    #[param(minimum = 1, maximum = 500, default = 50, nullable = false)]
    page_size: Option<i64>,
    /// The `next_page_token` of the previous page.
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

/// A page of results.
#[derive(Serialize, ToSchema)]
#[schema(as = Keys)]
pub struct Page {
    /// Sorted by id.
    keys: Vec<Listed>,
    /// Send this as `page_token` to get the next page; null on the last page.
    next_page_token: Option<String>,
}

/// List AccessKeys
///
/// Sorted by id. Secrets are not included.
#[utoipa::path(
    get,
    path = "/admin/v1/keys",
    operation_id = "listKeys",
    tag = "directory",
    params(Filter),
    responses((status = 200, description = "A page of results.", body = Page), Faults)
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
                .ok_or_else(|| Problem::invalid("`status` must be Active, Inactive or Deleted."))
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
/// Its owner, its status, its restriction, and how many keys and sessions descend from it. The secret is not included.
#[utoipa::path(
    get,
    path = "/admin/v1/keys/{id}",
    operation_id = "getKey",
    tag = "directory",
    params(("id" = String, Path, description = "The AccessKeyId.", pattern = "^[A-Za-z0-9._-]+$", min_length = 1, max_length = 128)),
    responses(
        (status = 200, description = "The key.", body = Shown),
        (status = 404, description = "The AccessKey is not in the directory.", body = Details, content_type = "application/problem+json"),
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
            "No AccessKey in the directory has this id. For a session, see /lineage and /activity.",
        )
    };
    shown.map(Answer).ok_or_else(missing)
}

/// How much to show.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct HowMuch {
    /// Maximum number of descendants.
    #[param(minimum = 1, maximum = 1000, default = 50, nullable = false)]
    page_size: Option<i64>,
}

/// Where a key comes from, and what descends from it.
#[derive(Serialize, ToSchema)]
#[schema(as = Lineage)]
pub struct Lineage {
    /// Its ancestors, the farthest first; the key itself; its descendants, the nearest first.
    relatives: Vec<Relative>,
}

/// Show the lineage of a key or session
///
/// The chain of keys that created or minted it, and all keys and all sessions still valid that descend from it.
#[utoipa::path(
    get,
    path = "/admin/v1/keys/{id}/lineage",
    operation_id = "getKeyLineage",
    tag = "directory",
    params(
        ("id" = String, Path, description = "The id of the AccessKey or session.", pattern = "^[A-Za-z0-9._-]+$", min_length = 1, max_length = 128),
        HowMuch,
    ),
    responses((status = 200, description = "The known lineage; for an unknown id, only the id itself.", body = Lineage), Faults)
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

/// Why it is disabled.
#[derive(Deserialize, ToSchema)]
#[schema(as = Disabling)]
#[serde(deny_unknown_fields)]
pub struct Disabling {
    /// The reason, kept in the audit log.
    #[schema(schema_with = text_schema::<1024>)]
    reason: String,
}

/// Request to disable a leaked key
///
/// A second operator must approve. Every node of the gateway then refuses every call that the key signs. In the IAM the
/// key stays active, and its owner can reinstate it: with `UpdateAccessKey`, signed by another key.
#[utoipa::path(
    post,
    path = "/admin/v1/keys/{id}:disable",
    operation_id = "askToDisableKey",
    tag = "directory",
    params(("id" = String, Path, description = "The AccessKeyId.", pattern = "^[A-Za-z0-9._-]+$", min_length = 1, max_length = 128)),
    request_body = Disabling,
    responses(
        (status = 202, description = "Waiting for a second operator to approve.", body = ApprovalView),
        (status = 409, description = "The key is not restricted or not active, or another operator has already requested it.", body = Details, content_type = "application/problem+json"),
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
    let asking = disable::request_disabling(&admin.pool, &id, &body.reason, &actor, eyes, now);
    let approval = within(admin.timeout, asking).await?;
    waits(&admin, approval).await
}
