//! `GET /admin/v1/policy/observed`: the report of nodes that observe before they enforce.

use axum::{Json as Answer, extract::State};
use time::Duration;

use crate::{
    context::AdminApi,
    http::{authentication::CanRead, extract::Query, problem::Problem, responses::CommonFaults},
};
use akgate_api::observations::{ObservationFilter, ObservationReport};
use akgate_state::calls::observed;

/// The default period of the report.
const DEFAULT_PERIOD: Duration = Duration::DAY;

/// Show what would have been refused
///
/// Reported by nodes that watch before they enforce: from a mirror (`mirror`) or in the path (`shadow`). At most
/// `page_size` rows of each list, the most frequent first.
#[utoipa::path(
    get,
    path = "/admin/v1/policy/observed",
    operation_id = "getObserved",
    tag = "policy",
    params(ObservationFilter),
    responses((status = 200, description = "The report.", body = ObservationReport), CommonFaults)
)]
pub async fn get_observed_calls(
    State(admin): State<AdminApi>,
    _: CanRead,
    Query(filter): Query<ObservationFilter>,
) -> Result<Answer<ObservationReport>, Problem> {
    let until = filter.until.unwrap_or_else(|| admin.clock.now());
    let since = filter
        .since
        .unwrap_or_else(|| until.saturating_sub(DEFAULT_PERIOD));
    let size = filter.page_size.get();
    let report = observed::read_observation_report(
        &admin.pool,
        filter.observation_point,
        since,
        until,
        size,
    );
    Ok(Answer(admin.query(report).await?))
}
