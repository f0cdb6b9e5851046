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

/// Which calls are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// From the hour of this instant on; a day before `until` where it is not given.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(nullable = false)]
    since: Option<OffsetDateTime>,
    /// Until this instant; now where it is not given.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(nullable = false)]
    until: Option<OffsetDateTime>,
    /// At mirrors, or in the path, alone.
    #[param(value_type = Option<WatchName>, inline, nullable = false)]
    watch: Option<Watch>,
    /// How many rows of each list at most.
    #[param(minimum = 1, maximum = 1000, default = 50, nullable = false)]
    page_size: Option<i64>,
}

/// Where a node watches from.
#[derive(ToSchema)]
#[schema(as = Watch, rename_all = "lowercase")]
#[expect(dead_code, reason = "the schema of a text")]
enum WatchName {
    Mirror,
    Shadow,
}

/// Show what would have become of calls
///
/// What nodes saw that watch before they enforce: beside the path (`mirror`) or in it (`shadow`). At most `page_size`
/// rows of each list, the most frequent first.
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
