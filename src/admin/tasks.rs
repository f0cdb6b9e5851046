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

/// Which tasks are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Only those that are open.
    #[param(default = true, nullable = false)]
    open: Option<bool>,
    /// How many at most.
    #[param(minimum = 1, maximum = 500, default = 50, nullable = false)]
    page_size: Option<i64>,
    /// Where the last page ended.
    #[param(nullable = false)]
    page_token: Option<Uuid>,
}

/// One page.
#[derive(Serialize, ToSchema)]
#[schema(as = Tasks)]
pub struct Page {
    /// The newest first.
    tasks: Vec<TaskView>,
    /// Where the next page begins; null where there is none.
    next_page_token: Option<Uuid>,
}

/// List tasks
///
/// What an operator has to see to: owners whom no letter reaches, pairs that still work after all reminders, lifts that
/// are disputed. The newest first.
#[utoipa::path(
    get,
    path = "/admin/v1/tasks",
    operation_id = "listTasks",
    tag = "tasks",
    params(Filter),
    responses((status = 200, description = "A page.", body = Page), Faults)
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
    /// What was done, for the audit.
    #[schema(schema_with = text_schema::<1024>)]
    remark: String,
}

/// A task that is closed.
#[derive(Serialize, ToSchema)]
#[schema(as = ClosedTask)]
pub struct Closed {
    /// Which one.
    task_id: Uuid,
    /// The restriction that it was about; null where it was about a source.
    restriction_id: Option<Uuid>,
    /// The source of leak reports that it was about, which goes on.
    source: Option<String>,
}

/// Close a task
///
/// It was seen to; the remark says how.
#[utoipa::path(
    post,
    path = "/admin/v1/tasks/{id}:close",
    operation_id = "closeTask",
    tag = "tasks",
    params(("id" = Uuid, Path, description = "The task.")),
    request_body = Body,
    responses(
        (status = 200, description = "It is closed.", body = Closed),
        (status = 404, description = "There is no such task that is open.", body = Details, content_type = "application/problem+json"),
        Faults,
    )
)]
pub async fn close(
    State(admin): State<Admin>,
    Acting(actor): Acting,
    Path(target): Path<String>,
    Json(body): Json<Body>,
) -> Result<Answer<Closed>, Problem> {
    let none = || Problem::not_found("There is no open task of this id.");
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
