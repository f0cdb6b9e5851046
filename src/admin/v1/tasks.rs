//! `GET /admin/v1/tasks`, `POST /admin/v1/tasks/{id}:close`: what an operator has to see to.

use axum::{Json as Answer, extract::State};

use crate::{
    context::Admin,
    http::{
        authentication::{Acting, Reader},
        extract::{Json, Path, Query, cut, page_size, text},
        problem::Problem,
        responses::CommonFaults,
        verbs::id_of,
    },
};
use akgate_api::{
    problem::ProblemDetails,
    tasks::{CloseTaskRequest, ClosedTask, TaskFilter, TaskPage},
};
use akgate_state::{directory::within, outbox::tasks};

/// List tasks
///
/// Things that an operator must take care of: owners whom no letter reaches, keys still active after all reminders,
/// disputed lifts. Newest first.
#[utoipa::path(
    get,
    path = "/admin/v1/tasks",
    operation_id = "listTasks",
    tag = "tasks",
    params(TaskFilter),
    responses((status = 200, description = "A page of results.", body = TaskPage), CommonFaults)
)]
pub async fn list(
    State(admin): State<Admin>,
    _: Reader,
    Query(filter): Query<TaskFilter>,
) -> Result<Answer<TaskPage>, Problem> {
    let size = page_size(filter.page_size, 500)?;
    let only_open = filter.open.unwrap_or(true);
    let reading = tasks::list(&admin.pool, only_open, filter.page_token, size + 1);
    let mut tasks = within(admin.timeout, reading).await?;
    let next_page_token = cut(&mut tasks, size, |task| task.task_id);
    Ok(Answer(TaskPage {
        tasks,
        next_page_token,
    }))
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
    request_body = CloseTaskRequest,
    responses(
        (status = 200, description = "The task is closed.", body = ClosedTask),
        (status = 404, description = "No open task has this id.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn close(
    State(admin): State<Admin>,
    Acting(actor): Acting,
    Path(target): Path<String>,
    Json(body): Json<CloseTaskRequest>,
) -> Result<Answer<ClosedTask>, Problem> {
    let none = || Problem::not_found("No open task has this id.");
    let task_id = id_of(&target).ok_or_else(none)?;
    text("remark", &body.remark, 1024)?;
    let now = admin.clock.now();
    let closing = tasks::close(&admin.pool, task_id, &actor, &body.remark, now);
    let about = within(admin.timeout, closing).await?.ok_or_else(none)?;
    Ok(Answer(ClosedTask {
        task_id,
        restriction_id: about.restriction_id,
        source: about.source,
    }))
}
