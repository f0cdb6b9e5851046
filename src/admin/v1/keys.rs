//! `/admin/v1/keys`: AccessKeys, what they come from and what came of them, and disabling one.

use axum::{Json as Answer, extract::State};
use http::StatusCode;

use crate::{
    context::Admin,
    http::{
        authentication::{Acting, Reader},
        extract::{Json, Path, Query, choice, cut, page_size, text},
        problem::Problem,
        responses::CommonFaults,
        verbs::before_verb,
    },
    v1::approvals::waits,
};
use akgate_api::{
    approvals::ApprovalView,
    keys::{DisableKeyRequest, KeyFilter, KeyPage, KeyView},
    lineage::{Lineage, LineageFilter},
    problem::ProblemDetails,
};
use akgate_rules::access_key::AccessKeyId;
use akgate_state::{
    directory::{
        lineage,
        listing::{self, Wanted},
        within,
    },
    restrictions::disable,
};

/// List AccessKeys
///
/// Sorted by id. Secrets are not included.
#[utoipa::path(
    get,
    path = "/admin/v1/keys",
    operation_id = "listKeys",
    tag = "directory",
    params(KeyFilter),
    responses((status = 200, description = "A page of results.", body = KeyPage), CommonFaults)
)]
pub async fn list(
    State(admin): State<Admin>,
    _: Reader,
    Query(filter): Query<KeyFilter>,
) -> Result<Answer<KeyPage>, Problem> {
    let status = choice("status", filter.status.as_deref())?;
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
    Ok(Answer(KeyPage {
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
        (status = 200, description = "The key.", body = KeyView),
        (status = 404, description = "The AccessKey is not in the directory.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn one(
    State(admin): State<Admin>,
    _: Reader,
    Path(id): Path<String>,
) -> Result<Answer<KeyView>, Problem> {
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
        LineageFilter,
    ),
    responses((status = 200, description = "The known lineage; for an unknown id, only the id itself.", body = Lineage), CommonFaults)
)]
pub async fn lineage(
    State(admin): State<Admin>,
    _: Reader,
    Path(id): Path<String>,
    Query(much): Query<LineageFilter>,
) -> Result<Answer<Lineage>, Problem> {
    let id = key_id(&id)?;
    let size = page_size(much.page_size, 1000)?;
    let reading = lineage::of(&admin.pool, &id, size + 1, admin.clock.now());
    let relatives = within(admin.timeout, reading).await?;
    Ok(Answer(Lineage { relatives }))
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
    request_body = DisableKeyRequest,
    responses(
        (status = 202, description = "Waiting for a second operator to approve.", body = ApprovalView),
        (status = 409, description = "The key is not restricted or not active, or another operator has already requested it.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn disable(
    State(admin): State<Admin>,
    Acting(actor): Acting,
    Path(target): Path<String>,
    Json(body): Json<DisableKeyRequest>,
) -> Result<(StatusCode, Answer<ApprovalView>), Problem> {
    let id = key_id(before_verb(&target))?;
    text("reason", &body.reason, 1024)?;
    let (eyes, now) = (admin.settings.four_eyes, admin.clock.now());
    let asking = disable::request_disabling(&admin.pool, &id, &body.reason, &actor, eyes, now);
    let approval = within(admin.timeout, asking).await?;
    waits(&admin, approval).await
}
