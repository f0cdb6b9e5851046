//! Tasks for operators.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::values::{BoundedText, PageSize, text_schema};

/// A task for an operator.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Task)]
pub struct TaskView {
    /// UUID version 7.
    pub task_id: Uuid,
    /// `Unreachable`, `DisableKey`, `Disputed` or `SourcePaused`.
    pub kind: String,
    /// The restriction that it is about; null if it is about a source.
    pub restriction_id: Option<Uuid>,
    /// The key.
    pub access_key_id: Option<String>,
    /// The source of leak reports that it is about.
    pub source: Option<String>,
    /// When it was opened.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was closed.
    #[serde(with = "time::serde::rfc3339::option")]
    pub closed_at: Option<OffsetDateTime>,
    /// `operator:NAME`, `policy` or `akgate`.
    pub closed_by: Option<String>,
    /// How it was settled, in the operator's words.
    pub remark: Option<String>,
}

/// Which tasks to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct TaskFilter {
    /// Only open ones.
    #[param(default = true, nullable = false)]
    pub open: Option<bool>,
    /// The page size.
    #[serde(default)]
    #[param(inline)]
    pub page_size: PageSize,
    /// The `next_page_token` of the previous page.
    #[param(nullable = false)]
    pub page_token: Option<Uuid>,
}

/// A page of results.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TaskPage {
    /// Newest first.
    pub tasks: Vec<TaskView>,
    /// Send this as `page_token` to get the next page; null on the last page.
    pub next_page_token: Option<Uuid>,
}

/// What was done.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseTaskRequest {
    /// What was done, kept in the audit log.
    #[schema(schema_with = text_schema::<1024>)]
    pub remark: BoundedText<1024>,
}

/// A closed task.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ClosedTask {
    /// The task.
    pub task_id: Uuid,
    /// The restriction that it was about; null if it was about a source.
    pub restriction_id: Option<Uuid>,
    /// The source of leak reports that it was about; it is accepted again.
    pub source: Option<String>,
}
