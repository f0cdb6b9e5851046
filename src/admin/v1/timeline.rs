//! `GET /admin/v1/restrictions/{id}/timeline`: what happened, in order.

use axum::{Json as Answer, extract::State};
use uuid::Uuid;

use crate::{
    context::Admin,
    http::{
        authentication::Reader,
        extract::{Path, Query, page_size},
        problem::Problem,
        responses::CommonFaults,
    },
    v1::restrictions::view,
};
use akgate_api::{
    problem::ProblemDetails,
    timeline::{Timeline, TimelineFilter},
};
use akgate_state::{directory::within, restrictions::timeline};

/// Show the timeline of a restriction
///
/// Sightings, reports, refused calls per hour, letters, confirmation, approvals, lift: oldest first.
#[utoipa::path(
    get,
    path = "/admin/v1/restrictions/{id}/timeline",
    operation_id = "getTimeline",
    tag = "restrictions",
    params(("id" = Uuid, Path, description = "The restriction."), TimelineFilter),
    responses(
        (status = 200, description = "The timeline.", body = Timeline),
        (status = 404, description = "The restriction does not exist.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn read(
    State(admin): State<Admin>,
    _: Reader,
    Path(id): Path<Uuid>,
    Query(filter): Query<TimelineFilter>,
) -> Result<Answer<Timeline>, Problem> {
    let size = page_size(filter.page_size, 1000)?;
    view(&admin, id).await?;
    let events = within(admin.timeout, timeline::read(&admin.pool, id, size)).await?;
    Ok(Answer(Timeline { events }))
}
