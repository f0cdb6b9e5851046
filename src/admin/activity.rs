//! `GET /admin/v1/keys/{id}/activity`: what a key did, and what came of it.

use axum::{Json as Answer, extract::State};
use serde::Deserialize;

use super::{
    Admin, Problem,
    auth::Reader,
    extract::{Path, Query, page_size},
};
use crate::{
    access_key::AccessKeyId,
    calls::activity::{self, Activity},
    directory::within,
};

/// How much is wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    page_size: Option<i64>,
}

/// Reads the records: at most `page_size` of each kind, the newest first.
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
