//! `GET /admin/v1/keys/{id}/activity`: what a key did, and what came of it.

use axum::{Json as Answer, extract::State};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    Admin, Problem,
    auth::Reader,
    extract::{Path, Query, page_size},
    openapi::Faults,
};
use akgate_rules::access_key::AccessKeyId;
use akgate_state::{
    calls::activity::{self, Activity},
    directory::within,
};

/// How much is wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// How many records of each kind at most.
    #[param(minimum = 1, maximum = 1000, default = 50, nullable = false)]
    page_size: Option<i64>,
}

/// Show what a key did
///
/// Mutations and their outcomes, refusals, counts per hour, sessions, and the AccessKeys that it made: at most
/// `page_size` of each kind, the newest first. A key that nobody knows has done nothing.
#[utoipa::path(
    get,
    path = "/admin/v1/keys/{id}/activity",
    operation_id = "getKeyActivity",
    tag = "records",
    params(
        ("id" = String, Path, description = "The AccessKeyId.", pattern = "^[A-Za-z0-9._-]+$", min_length = 1, max_length = 128),
        Filter,
    ),
    responses((status = 200, description = "What is on record.", body = Activity), Faults)
)]
pub async fn read(
    State(admin): State<Admin>,
    _: Reader,
    Path(id): Path<String>,
    Query(filter): Query<Filter>,
) -> Result<Answer<Activity>, Problem> {
    let id = AccessKeyId::parse(&id).map_err(|fault| Problem::invalid(fault.to_string()))?;
    let size = page_size(filter.page_size, 1000)?;
    let activity = within(admin.timeout, activity::of_key(&admin.pool, &id, size)).await?;
    Ok(Answer(activity))
}
