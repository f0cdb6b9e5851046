//! `GET /admin/v1/keys/{id}/activity`: what a key did, and what came of it.

use axum::{Json as Answer, extract::State};

use crate::{
    context::Admin,
    http::{
        authentication::Reader,
        extract::{Path, Query, page_size},
        problem::Problem,
        responses::CommonFaults,
    },
};
use akgate_api::activity::{Activity, ActivityFilter};
use akgate_rules::access_key::AccessKeyId;
use akgate_state::{calls::activity, directory::within};

/// Show the activity of a key
///
/// Changes and their outcomes, refusals, hourly call counts, sessions, and the AccessKeys that the key created: at most
/// `page_size` of each kind, newest first. An unknown key has no activity.
#[utoipa::path(
    get,
    path = "/admin/v1/keys/{id}/activity",
    operation_id = "getKeyActivity",
    tag = "records",
    params(
        ("id" = String, Path, description = "The AccessKeyId.", pattern = "^[A-Za-z0-9._-]+$", min_length = 1, max_length = 128),
        ActivityFilter,
    ),
    responses((status = 200, description = "The recorded activity.", body = Activity), CommonFaults)
)]
pub async fn read(
    State(admin): State<Admin>,
    _: Reader,
    Path(id): Path<String>,
    Query(filter): Query<ActivityFilter>,
) -> Result<Answer<Activity>, Problem> {
    let id = AccessKeyId::parse(&id).map_err(|fault| Problem::invalid(fault.to_string()))?;
    let size = page_size(filter.page_size, 1000)?;
    let activity = within(admin.timeout, activity::of_key(&admin.pool, &id, size)).await?;
    Ok(Answer(activity))
}
