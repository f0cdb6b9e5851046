//! `GET /admin/v1/restrictions`, `GET /admin/v1/restrictions/{id}`.

use axum::{Json as Answer, extract::State};
use uuid::Uuid;

use crate::{
    context::Admin,
    http::{
        authentication::Reader,
        etag::Tagged,
        extract::{Path, Query, choice, cut, page_size, text},
        problem::Problem,
        responses::CommonFaults,
        verbs,
    },
};
use akgate_api::{
    problem::ProblemDetails,
    restrictions::{RestrictionFilter, RestrictionPage, RestrictionView},
};
use akgate_state::restrictions::read::{self, Wanted};

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
pub async fn list(
    State(admin): State<Admin>,
    _: Reader,
    Query(filter): Query<RestrictionFilter>,
) -> Result<Answer<RestrictionPage>, Problem> {
    let state = choice("state", filter.state.as_deref())?;
    if let Some(query) = &filter.q {
        text("q", query, 128)?;
    }
    let size = page_size(filter.page_size, 500)?;
    let wanted = Wanted {
        restriction_id: None,
        state,
        access_key_id: filter.access_key_id,
        account_id: filter.account_id,
        query: filter.q,
        before: filter.page_token,
        // One more than asked for tells whether there is another page.
        limit: size + 1,
    };
    let reading = admin.reading(async |db| read::list(db, &wanted).await);
    let mut restrictions = reading.await?;
    let next_page_token = cut(&mut restrictions, size, |one| one.restriction_id);
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
pub async fn one(
    State(admin): State<Admin>,
    _: Reader,
    Path(id): Path<Uuid>,
) -> Result<Tagged<RestrictionView>, Problem> {
    view(&admin, id).await.map(Tagged)
}

/// The id before a verb.
pub fn id_of(target: &str) -> Result<Uuid, Problem> {
    verbs::id_of(target).ok_or_else(|| Problem::not_found("No restriction has this id."))
}

/// Reads one restriction.
pub async fn view(admin: &Admin, id: Uuid) -> Result<RestrictionView, Problem> {
    let reading = admin.reading(async |db| read::one(db, id).await);
    reading
        .await?
        .ok_or_else(|| Problem::not_found("No restriction has this id."))
}
