//! `GET /admin/v1/policy/observed`: what would have become of calls while nothing is refused yet.

use axum::{Json as Answer, extract::State};
use serde::Deserialize;
use time::{Duration, OffsetDateTime};

use super::{
    Admin, Problem,
    auth::Reader,
    extract::{Query, page_size},
};
use crate::{
    calls::observed::{self, Report, Watch},
    directory::within,
};

/// What is looked back at where nothing else is asked for.
const DAY: Duration = Duration::DAY;

/// Which calls are wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    #[serde(default, with = "time::serde::rfc3339::option")]
    since: Option<OffsetDateTime>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    until: Option<OffsetDateTime>,
    watch: Option<Watch>,
    page_size: Option<i64>,
}

/// Reads the report: the last day, at mirrors and in shadow mode, at most `page_size` rows of each list,
/// the most frequent first.
pub async fn read(
    State(admin): State<Admin>,
    _: Reader,
    Query(filter): Query<Filter>,
) -> Result<Answer<Report>, Problem> {
    let until = filter.until.unwrap_or_else(|| admin.clock.now());
    let since = match filter.since {
        Some(since) => since,
        None => until
            .checked_sub(DAY)
            .ok_or_else(|| Problem::invalid("`until` is too early."))?,
    };
    if since >= until {
        return Err(Problem::invalid("`since` is before `until`."));
    }
    let size = page_size(filter.page_size, 1000)?;
    let report = observed::report(&admin.pool, filter.watch, since, until, size);
    Ok(Answer(within(admin.timeout, report).await?))
}
