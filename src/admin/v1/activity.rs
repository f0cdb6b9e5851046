//! `GET /admin/v1/keys/{id}/activity`: the activity of a key.

use axum::{Json as Answer, extract::State};

use crate::{
    context::AdminApi,
    http::{
        authentication::CanRead,
        extract::{Path, Query},
        problem::Problem,
        responses::CommonFaults,
    },
};
use akgate_api::activity::{Activity, ActivityFilter};
use akgate_rules::access_key::AccessKeyId;
use akgate_state::calls::activity;

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
pub async fn get_key_activity(
    State(admin): State<AdminApi>,
    _: CanRead,
    Path(id): Path<AccessKeyId>,
    Query(filter): Query<ActivityFilter>,
) -> Result<Answer<Activity>, Problem> {
    let size = filter.page_size.get();
    let reading = activity::read_key_activity(&admin.pool, &id, size);
    Ok(Answer(admin.query(reading).await?))
}
