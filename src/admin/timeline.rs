//! `GET /admin/v1/restrictions/{id}/timeline`: what happened, in order.

use axum::{Json as Answer, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    Admin, Problem,
    auth::Reader,
    extract::{Path, Query, page_size},
    openapi::Faults,
    problem::Details,
    restrictions::view,
};
use akgate_state::{
    directory::within,
    restrictions::timeline::{self, Event},
};

/// How much to show.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Maximum number of events; the newest are kept.
    #[param(minimum = 1, maximum = 1000, default = 50, nullable = false)]
    page_size: Option<i64>,
}

/// A restriction's history.
#[derive(Serialize, ToSchema)]
pub struct Timeline {
    /// Oldest first.
    events: Vec<Event>,
}

/// Show the timeline of a restriction
///
/// Sightings, reports, refused calls per hour, letters, confirmation, approvals, lift: oldest first.
#[utoipa::path(
    get,
    path = "/admin/v1/restrictions/{id}/timeline",
    operation_id = "getTimeline",
    tag = "restrictions",
    params(("id" = Uuid, Path, description = "The restriction."), Filter),
    responses(
        (status = 200, description = "The timeline.", body = Timeline),
        (status = 404, description = "The restriction does not exist.", body = Details, content_type = "application/problem+json"),
        Faults,
    )
)]
pub async fn read(
    State(admin): State<Admin>,
    _: Reader,
    Path(id): Path<Uuid>,
    Query(filter): Query<Filter>,
) -> Result<Answer<Timeline>, Problem> {
    let size = page_size(filter.page_size, 1000)?;
    view(&admin, id).await?;
    let events = within(admin.timeout, timeline::read(&admin.pool, id, size)).await?;
    Ok(Answer(Timeline { events }))
}
