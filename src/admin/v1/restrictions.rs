//! `GET /admin/v1/restrictions`, `GET /admin/v1/restrictions/{id}`.

use axum::{Json as Answer, extract::State};
use uuid::Uuid;

use crate::{
    context::AdminApi,
    http::{
        authentication::CanRead,
        etag::WithEtag,
        extract::{Path, Query},
        problem::Problem,
        responses::CommonFaults,
    },
};
use akgate_api::{
    problem::ProblemDetails,
    restrictions::{RestrictionFilter, RestrictionPage, RestrictionView},
};
use akgate_state::restrictions::read::{self, RestrictionCriteria};

/// List restrictions
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/admin/v1/restrictions",
    operation_id = "listRestrictions",
    tag = "restrictions",
    params(RestrictionFilter),
    responses((status = 200, description = "A page of results.", body = RestrictionPage), CommonFaults)
)]
pub async fn list_restrictions(
    State(admin): State<AdminApi>,
    _: CanRead,
    Query(filter): Query<RestrictionFilter>,
) -> Result<Answer<RestrictionPage>, Problem> {
    let criteria = RestrictionCriteria {
        restriction_id: None,
        state: filter.state,
        access_key_id: filter.access_key_id,
        account_id: filter.account_id,
        query: filter.q.map(String::from),
        before: filter.page_token,
        limit: filter.page_size.limit(),
    };
    let reading = admin.reading(async |db| read::list_restrictions(db, &criteria).await);
    let restrictions = reading.await?;
    let (restrictions, next_page_token) = filter
        .page_size
        .paginate(restrictions, |one| one.restriction_id);
    Ok(Answer(RestrictionPage {
        restrictions,
        next_page_token,
    }))
}

/// Show a restriction
///
/// With its key and its leak reports.
#[utoipa::path(
    get,
    path = "/admin/v1/restrictions/{id}",
    operation_id = "getRestriction",
    tag = "restrictions",
    params(("id" = Uuid, Path, description = "The restriction.")),
    responses(
        (status = 200, description = "The restriction.", body = RestrictionView, headers(("ETag", description = "Send it as If-Match with a change."))),
        (status = 404, description = "The restriction does not exist.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn get_restriction(
    State(admin): State<AdminApi>,
    _: CanRead,
    Path(id): Path<Uuid>,
) -> Result<WithEtag<RestrictionView>, Problem> {
    find_restriction(&admin, id).await.map(WithEtag)
}

/// Reads one restriction.
pub async fn find_restriction(admin: &AdminApi, id: Uuid) -> Result<RestrictionView, Problem> {
    let reading = admin.reading(async |db| read::find_restriction(db, id).await);
    reading
        .await?
        .ok_or_else(|| Problem::unknown("restriction"))
}
