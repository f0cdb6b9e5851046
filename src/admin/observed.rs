//! `GET /admin/v1/policy/observed`: what would have become of calls while nothing is refused yet.

use axum::{Json as Answer, extract::State};
use serde::Deserialize;
use time::{Duration, OffsetDateTime};
use utoipa::{IntoParams, ToSchema};

use super::{
    Admin, Problem,
    auth::Reader,
    extract::{Query, page_size},
    openapi::Faults,
};
use akgate_state::{
    calls::observed::{self, Report, Watch},
    directory::within,
};

/// What is looked back at where nothing else is asked for.
const DAY: Duration = Duration::DAY;

/// Which calls to report.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Start, rounded down to the hour; by default, one day before `until`.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(nullable = false)]
    since: Option<OffsetDateTime>,
    /// End; by default, now.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(nullable = false)]
    until: Option<OffsetDateTime>,
    /// Only calls seen at mirrors (`mirror`), or in the path (`shadow`).
    #[param(value_type = Option<WatchName>, inline, nullable = false)]
    watch: Option<Watch>,
    /// Maximum number of rows of each list.
    #[param(minimum = 1, maximum = 1000, default = 50, nullable = false)]
    page_size: Option<i64>,
}

/// From where a node watches.
#[derive(ToSchema)]
#[schema(as = Watch, rename_all = "lowercase")]
#[expect(dead_code, reason = "the schema of a text")]
enum WatchName {
    Mirror,
    Shadow,
}

/// Show what would have been refused
///
/// Reported by nodes that watch before they enforce: from a mirror (`mirror`) or in the path (`shadow`). At most
/// `page_size` rows of each list, the most frequent first.
#[utoipa::path(
    get,
    path = "/admin/v1/policy/observed",
    operation_id = "getObserved",
    tag = "policy",
    params(Filter),
    responses((status = 200, description = "The report.", body = Report), Faults)
)]
pub async fn read(
    State(admin): State<Admin>,
    _: Reader,
    Query(filter): Query<Filter>,
) -> Result<Answer<Report>, Problem> {
    let until = filter.until.unwrap_or_else(|| admin.clock.now());
    let since = filter.since.unwrap_or_else(|| until.saturating_sub(DAY));
    let size = page_size(filter.page_size, 1000)?;
    let report = observed::report(&admin.pool, filter.watch, since, until, size);
    Ok(Answer(within(admin.timeout, report).await?))
}
