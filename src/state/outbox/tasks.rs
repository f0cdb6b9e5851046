//! Tasks for operators, for cases that akgate cannot solve itself.

use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    audit::{self, Actor, AuditAction, AuditEntry},
    directory::{StateFault, revision},
};
use akgate_api::tasks::TaskView;

akgate_rules::text_enum! {
    /// The kind of a task.
    pub enum TaskKind {
        /// No letter reaches the owner: reach them in another way.
        Unreachable = "Unreachable",
        /// The key still works after the whole ladder: decide whether to disable it.
        DisableKey = "DisableKey",
        /// A contact took a confirmation back after the restriction was lifted.
        Disputed = "Disputed",
        /// A source has reported too many suspicions: they are held until the task is closed.
        SourcePaused = "SourcePaused",
    }
}

/// Opens a task about each of these restrictions; one of its kind that is open already stays the only one.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn open_tasks(
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

/// Opens the task about a source that is paused; one that is open already stays the only one.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn open_source_task(
    tx: &mut PgTransaction<'_>,
    source: &str,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    sqlx::query!(
        "INSERT INTO operator_tasks (task_id, kind, source, created_at)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (source, kind) WHERE closed_at IS NULL DO NOTHING",
        Uuid::now_v7(),
        TaskKind::SourcePaused.as_str(),
        source,
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
pub async fn close_tasks(
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

/// Reads tasks, the newest first.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn list_tasks(
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
             r.access_key_id AS \"access_key_id?\",
             t.source,
             t.created_at,
             t.closed_at,
             t.closed_by,
             t.remark
         FROM operator_tasks t
         LEFT JOIN restrictions r USING (restriction_id)
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

/// What a task was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskSubject {
    /// The restriction; `None` where it was about a source.
    pub restriction_id: Option<Uuid>,
    /// The source of leak reports.
    pub source: Option<String>,
}

/// Closes a task; returns what it was about, or `None` if no open task has this id. If it was about a source, the
/// source is no longer paused, and its held suspicions are released.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn close_task(
    pool: &PgPool,
    task_id: Uuid,
    actor: &Actor,
    remark: &str,
    now: OffsetDateTime,
) -> Result<Option<TaskSubject>, StateFault> {
    let mut tx = pool.begin().await?;
    // What is reported meanwhile is held, or not: nothing in between.
    revision::lock_revision(&mut tx).await?;
    let closed = sqlx::query_as!(
        TaskSubject,
        "UPDATE operator_tasks
         SET closed_at = $2,
             closed_by = $3,
             remark = $4
         WHERE task_id = $1
           AND closed_at IS NULL
         RETURNING restriction_id, source",
        task_id,
        now,
        actor.to_string(),
        remark
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(about) = closed else {
        return Ok(None);
    };
    if let Some(source) = &about.source {
        resume_source(&mut tx, source).await?;
    }
    audit::insert_audit_record(
        &mut tx,
        AuditEntry {
            at: now,
            actor,
            action: AuditAction::CloseTask,
            access_key_id: None,
            restriction_id: about.restriction_id,
            detail: serde_json::json!({
                "task_id": task_id,
                "source": about.source,
                "remark": remark,
            }),
        },
    )
    .await?;
    tx.commit().await?;
    Ok(Some(about))
}

async fn resume_source(tx: &mut PgTransaction<'_>, source: &str) -> Result<(), StateFault> {
    sqlx::query!(
        "WITH going_on AS (
             UPDATE sources
             SET paused_at = NULL,
                 suspected = 0
             WHERE source = $1
         )
         UPDATE leak_reports
         SET held = false
         WHERE source = $1
           AND held",
        source
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
