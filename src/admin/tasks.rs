//! `GET /admin/v1/tasks`, `POST /admin/v1/tasks/{id}:close`: what an operator has to see to.

use axum::{Json as Answer, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    Admin, Problem,
    auth::{Acting, Reader},
    extract::{Json, Path, Query, cut, page_size, text, text_schema},
    openapi::Faults,
    problem::Details,
    verbs::id_of,
};
use akgate_state::{
    directory::within,
    outbox::tasks::{self, TaskView},
};

/// Which tasks to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Only open ones.
    #[param(default = true, nullable = false)]
    open: Option<bool>,
    /// The page size.
    #[param(minimum = 1, maximum = 500, default = 50, nullable = false)]
    page_size: Option<i64>,
    /// The `next_page_token` of the previous page.
    #[param(nullable = false)]
    page_token: Option<Uuid>,
}

/// A page of results.
#[derive(Serialize, ToSchema)]
#[schema(as = Tasks)]
pub struct Page {
    /// Newest first.
    tasks: Vec<TaskView>,
    /// Send this as `page_token` to get the next page; null on the last page.
    next_page_token: Option<Uuid>,
}

/// List tasks
///
/// Things that an operator must take care of: owners whom no letter reaches, keys still active after all reminders,
/// disputed lifts. Newest first.
#[utoipa::path(
    get,
    path = "/admin/v1/tasks",
    operation_id = "listTasks",
    tag = "tasks",
    params(Filter),
    responses((status = 200, description = "A page of results.", body = Page), Faults)
)]
pub async fn list(
    State(admin): State<Admin>,
    _: Reader,
    Query(filter): Query<Filter>,
) -> Result<Answer<Page>, Problem> {
    let size = page_size(filter.page_size, 500)?;
    let only_open = filter.open.unwrap_or(true);
    let reading = tasks::list(&admin.pool, only_open, filter.page_token, size + 1);
    let mut tasks = within(admin.timeout, reading).await?;
    let next_page_token = cut(&mut tasks, size, |task| task.task_id);
    Ok(Answer(Page {
        tasks,
        next_page_token,
    }))
}

/// What was done.
#[derive(Deserialize, ToSchema)]
#[schema(as = TaskEnd)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// What was done, kept in the audit log.
    #[schema(schema_with = text_schema::<1024>)]
    remark: String,
}

/// A closed task.
#[derive(Serialize, ToSchema)]
#[schema(as = ClosedTask)]
pub struct Closed {
    /// The task.
    task_id: Uuid,
    /// The restriction that it was about; null if it was about a source.
    restriction_id: Option<Uuid>,
    /// The source of leak reports that it was about; it is accepted again.
    source: Option<String>,
}

/// Close a task
///
/// The remark says how the task was settled.
#[utoipa::path(
    post,
    path = "/admin/v1/tasks/{id}:close",
    operation_id = "closeTask",
    tag = "tasks",
    params(("id" = Uuid, Path, description = "The task.")),
    request_body = Body,
    responses(
        (status = 200, description = "The task is closed.", body = Closed),
        (status = 404, description = "No open task has this id.", body = Details, content_type = "application/problem+json"),
        Faults,
    )
)]
pub async fn close(
    State(admin): State<Admin>,
    Acting(actor): Acting,
    Path(target): Path<String>,
    Json(body): Json<Body>,
) -> Result<Answer<Closed>, Problem> {
    let none = || Problem::not_found("No open task has this id.");
    let task_id = id_of(&target).ok_or_else(none)?;
    text("remark", &body.remark, 1024)?;
    let now = admin.clock.now();
    let closing = tasks::close(&admin.pool, task_id, &actor, &body.remark, now);
    let about = within(admin.timeout, closing).await?.ok_or_else(none)?;
    Ok(Answer(Closed {
        task_id,
        restriction_id: about.restriction_id,
        source: about.source,
    }))
}
