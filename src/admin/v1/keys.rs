//! `/admin/v1/keys`: AccessKeys, their ancestors and descendants, and disabling one.

use axum::{Json as Answer, extract::State, response::Response};

use crate::{
    context::AdminApi,
    http::{
        authentication::{CanAct, CanRead},
        extract::{Json, Path, Query},
        problem::Problem,
        responses::CommonFaults,
    },
    v1::approvals::pending_approval_response,
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
        listing::{self, KeyCriteria},
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
pub async fn list_keys(
    State(admin): State<AdminApi>,
    _: CanRead,
    Query(filter): Query<KeyFilter>,
) -> Result<Answer<KeyPage>, Problem> {
    let criteria = KeyCriteria {
        account_id: filter.account_id.as_deref(),
        user_name: filter.user_name.as_deref(),
        status: filter.status,
        restricted: filter.restricted,
        after: filter.page_token.as_ref().map_or("", AccessKeyId::as_str),
        limit: filter.page_size.limit(),
    };
    let keys = admin
        .query(listing::list_keys(&admin.pool, &criteria))
        .await?;
    let (keys, next_page_token) = filter
        .page_size
        .paginate(keys, |one| one.access_key_id.clone());
    Ok(Answer(KeyPage {
        keys,
        next_page_token,
    }))
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
pub async fn get_key(
    State(admin): State<AdminApi>,
    _: CanRead,
    Path(id): Path<AccessKeyId>,
) -> Result<Answer<KeyView>, Problem> {
    let finding = listing::find_key_view(&admin.pool, &id, admin.clock.now());
    let shown = admin.query(finding).await?;
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
pub async fn get_key_lineage(
    State(admin): State<AdminApi>,
    _: CanRead,
    Path(id): Path<AccessKeyId>,
    Query(much): Query<LineageFilter>,
) -> Result<Answer<Lineage>, Problem> {
    let reading =
        lineage::list_relatives(&admin.pool, &id, much.page_size.limit(), admin.clock.now());
    let relatives = admin.query(reading).await?;
    Ok(Answer(Lineage { relatives }))
}

/// Request to disable a leaked key
///
/// A second operator must approve. Every node of the gateway then refuses every call that the key signs. In the IAM the
/// key stays active, and its owner can reinstate it: with `UpdateAccessKey`, signed by another key.
#[utoipa::path(
    post,
    path = "/admin/v1/keys/{id}:disable",
    operation_id = "requestKeyDisabling",
    tag = "directory",
    params(("id" = String, Path, description = "The AccessKeyId.", pattern = "^[A-Za-z0-9._-]+$", min_length = 1, max_length = 128)),
    request_body = DisableKeyRequest,
    responses(
        (status = 202, description = "Waiting for a second operator to approve.", body = ApprovalView),
        (status = 409, description = "The key is not restricted or not active, or another operator has already requested it.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn request_key_disabling(
    State(admin): State<AdminApi>,
    CanAct(actor): CanAct,
    Path(id): Path<AccessKeyId>,
    Json(body): Json<DisableKeyRequest>,
) -> Result<Response, Problem> {
    let (eyes, now) = (admin.settings.four_eyes, admin.clock.now());
    let asking = disable::request_disabling(&admin.pool, &id, &body.reason, &actor, eyes, now);
    let approval = admin.query(asking).await?;
    pending_approval_response(&admin, approval).await
}
