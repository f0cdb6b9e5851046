//! `GET /admin/v1/restrictions/{id}/timeline`: the events of a restriction, in order.

use axum::{Json as Answer, extract::State};
use uuid::Uuid;

use crate::{
    context::AdminApi,
    http::{
        authentication::CanRead,
        extract::{Path, Query},
        problem::Problem,
        responses::CommonFaults,
    },
    v1::restrictions::find_restriction,
};
use akgate_api::{
    problem::ProblemDetails,
    timeline::{Timeline, TimelineFilter},
};
use akgate_state::restrictions::timeline;

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
pub async fn get_timeline(
    State(admin): State<AdminApi>,
    _: CanRead,
    Path(id): Path<Uuid>,
    Query(filter): Query<TimelineFilter>,
) -> Result<Answer<Timeline>, Problem> {
    find_restriction(&admin, id).await?;
    let reading = timeline::list_timeline(&admin.pool, id, filter.page_size.get());
    let events = admin.query(reading).await?;
    Ok(Answer(Timeline { events }))
}
