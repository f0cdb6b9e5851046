//! What an operator has to see to: where letters reach nobody, and where nothing else helps.

use std::fmt;

use serde::Serialize;
use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    audit::{self, Actor, Deed, Entry},
    directory::StateFault,
};

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub enum TaskKind {
    /// No letter reaches the owner: reach them in another way.
    Unreachable,
    /// The pair still works after the whole ladder: decide whether to disable it.
    DisablePair,
    /// A contact took a confirmation back after the restriction was lifted.
    Disputed,
}

impl TaskKind {
    /// The name in the database and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "Unreachable",
            Self::DisablePair => "DisablePair",
            Self::Disputed => "Disputed",
        }
    }
}

impl fmt::Display for TaskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Opens a task about each of these restrictions; one of its kind that is open already stays the only one.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn open(
    tx: &mut PgTransaction<'_>,
    kind: TaskKind,
    restrictions: &[Uuid],
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    if restrictions.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = restrictions.iter().map(|_| Uuid::now_v7()).collect();
    sqlx::query!(
        "INSERT INTO operator_tasks (task_id, kind, restriction_id, created_at)
         SELECT n.task_id, $3, n.restriction_id, $4
         FROM unnest($1::uuid[], $2::uuid[]) AS n (task_id, restriction_id)
         ON CONFLICT (restriction_id, kind) WHERE closed_at IS NULL DO NOTHING",
        &ids,
        restrictions,
        kind.as_str(),
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Closes what has become pointless about restrictions: tasks of one kind, or of all.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn settle(
    tx: &mut PgTransaction<'_>,
    restrictions: &[Uuid],
    kind: Option<TaskKind>,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    if restrictions.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE operator_tasks
         SET closed_at = $3,
             closed_by = $4
         WHERE restriction_id = ANY($1)
           AND ($2::text IS NULL OR kind = $2)
           AND closed_at IS NULL",
        restrictions,
        kind.map(TaskKind::as_str),
        now,
        by.to_string()
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A task, as operators are shown it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TaskView {
    /// UUID version 7.
    pub task_id: Uuid,
    /// `Unreachable`, `DisablePair` or `Disputed`.
    pub kind: String,
    /// What it is about.
    pub restriction_id: Uuid,
    /// The key.
    pub access_key_id: String,
    /// When it came up.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was closed.
    #[serde(with = "time::serde::rfc3339::option")]
    pub closed_at: Option<OffsetDateTime>,
    /// `operator:NAME`, `policy` or `akgate`.
    pub closed_by: Option<String>,
    /// What was done, in their words.
    pub remark: Option<String>,
}

/// Reads tasks, the newest first.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn list(
    pool: &PgPool,
    only_open: bool,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<TaskView>, StateFault> {
    let tasks = sqlx::query_as!(
        TaskView,
        "SELECT
             t.task_id,
             t.kind,
             t.restriction_id,
             r.access_key_id,
             t.created_at,
             t.closed_at,
             t.closed_by,
             t.remark
         FROM operator_tasks t
         JOIN restrictions r USING (restriction_id)
         WHERE (NOT $1 OR t.closed_at IS NULL)
           AND ($2::uuid IS NULL OR t.task_id < $2)
         ORDER BY t.task_id DESC
         LIMIT $3",
        only_open,
        before,
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(tasks)
}

/// Closes one; gives what it was about, or `None` where there is none of that id that is open.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn close(
    pool: &PgPool,
    task_id: Uuid,
    actor: &Actor,
    remark: &str,
    now: OffsetDateTime,
) -> Result<Option<Uuid>, StateFault> {
    let mut tx = pool.begin().await?;
    let closed = sqlx::query_scalar!(
        "UPDATE operator_tasks
         SET closed_at = $2,
             closed_by = $3,
             remark = $4
         WHERE task_id = $1
           AND closed_at IS NULL
         RETURNING restriction_id",
        task_id,
        now,
        actor.to_string(),
        remark
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(restriction_id) = closed else {
        return Ok(None);
    };
    audit::write(
        &mut tx,
        Entry {
            at: now,
            actor,
            deed: Deed::CloseTask,
            access_key_id: None,
            restriction_id: Some(restriction_id),
            detail: serde_json::json!({ "task_id": task_id, "remark": remark }),
        },
    )
    .await?;
    tx.commit().await?;
    Ok(Some(restriction_id))
}
