//! `GET /admin/v1/restrictions`, `GET /admin/v1/restrictions/{id}`.

use axum::{Json as Answer, extract::State};
use uuid::Uuid;

use crate::{
    context::AdminApi,
    http::{
        authentication::CanRead,
        etag::WithEtag,
        extract::{Path, Query, check_text, checked_page_size, choice, paginate},
        problem::Problem,
        responses::CommonFaults,
        verbs,
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
    let state = choice("state", filter.state.as_deref())?;
    if let Some(query) = &filter.q {
        check_text("q", query, 128)?;
    }
    let size = checked_page_size(filter.page_size, 500)?;
    let wanted = RestrictionCriteria {
        restriction_id: None,
        state,
        access_key_id: filter.access_key_id,
        account_id: filter.account_id,
        query: filter.q,
        before: filter.page_token,
        // One more than asked for tells whether there is another page.
        limit: size + 1,
    };
    let reading = admin.reading(async |db| read::list_restrictions(db, &wanted).await);
    let mut restrictions = reading.await?;
    let next_page_token = paginate(&mut restrictions, size, |one| one.restriction_id);
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

/// The id before a verb.
pub fn parse_restriction_id(target: &str) -> Result<Uuid, Problem> {
    verbs::parse_id(target).ok_or_else(|| Problem::not_found("No restriction has this id."))
}

/// Reads one restriction.
pub async fn find_restriction(admin: &AdminApi, id: Uuid) -> Result<RestrictionView, Problem> {
    let reading = admin.reading(async |db| read::find_restriction(db, id).await);
    reading
        .await?
        .ok_or_else(|| Problem::not_found("No restriction has this id."))
}
