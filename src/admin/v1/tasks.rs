//! `GET /admin/v1/tasks`, `POST /admin/v1/tasks/{id}:close`: lists and closes the tasks of operators.

use axum::{Json as Answer, extract::State};
use uuid::Uuid;

use crate::{
    context::AdminApi,
    http::{
        authentication::{CanAct, CanRead},
        extract::{Json, Path, Query},
        problem::Problem,
        responses::CommonFaults,
    },
};
use akgate_api::{
    problem::ProblemDetails,
    tasks::{CloseTaskRequest, ClosedTask, TaskFilter, TaskPage},
};
use akgate_state::outbox::tasks;

/// List tasks
///
/// Cases that akgate cannot settle itself: owners whom no letter reaches, keys still active after all reminders,
/// disputed lifts, paused sources. Newest first.
#[utoipa::path(
    get,
    path = "/admin/v1/tasks",
    operation_id = "listTasks",
    tag = "tasks",
    params(TaskFilter),
    responses((status = 200, description = "A page of results.", body = TaskPage), CommonFaults)
)]
pub async fn list_tasks(
    State(admin): State<AdminApi>,
    _: CanRead,
    Query(filter): Query<TaskFilter>,
) -> Result<Answer<TaskPage>, Problem> {
    let only_open = filter.open.unwrap_or(true);
    let limit = filter.page_size.limit();
    let reading = tasks::list_tasks(&admin.pool, only_open, filter.page_token, limit);
    let tasks = admin.query(reading).await?;
    let (tasks, next_page_token) = filter.page_size.paginate(tasks, |task| task.task_id);
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
pub async fn close_task(
    State(admin): State<AdminApi>,
    CanAct(actor): CanAct,
    Path(task_id): Path<Uuid>,
    Json(body): Json<CloseTaskRequest>,
) -> Result<Answer<ClosedTask>, Problem> {
    let now = admin.clock.now();
    let closing = tasks::close_task(&admin.pool, task_id, &actor, &body.remark, now);
    let about = admin.query(closing).await?;
    let about = about.ok_or_else(|| Problem::unknown("open task"))?;
    Ok(Answer(ClosedTask {
        task_id,
        restriction_id: about.restriction_id,
        source: about.source,
    }))
}
