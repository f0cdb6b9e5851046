//! Events for other programs: audit records about restrictions, sent to hooks by a worker.
//!
//! An audit record enqueues events for the registered hooks ([`crate::audit::insert_audit_records`]), so that an event
//! commits with the change that it reports. Like letters, events are sent at least once: after a lease has expired,
//! another worker takes the event, and the number of the attempt decides who may settle it.

use sqlx::PgPool;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::queue::Settlement;
use crate::{
    audit::{self, Actor, AuditAction, AuditEntry},
    directory::StateFault,
};
use akgate_api::events::{EventState, EventView};

akgate_rules::text_enum! {
    /// The kind of an event.
    pub enum EventKind {
        /// A key is restricted.
        Imposed = "imposed",
        /// Sensitive reads are refused as well.
        Widened = "widened",
        /// The owner says that the leak is cleaned up.
        Confirmed = "confirmed",
        /// That was taken back.
        Withdrawn = "withdrawn",
        /// The restriction is lifted.
        Lifted = "lifted",
        /// The id of a known key was seen, its secret was not.
        Suspected = "suspected",
    }
}

/// A hook that events are enqueued for.
#[derive(Debug, Clone)]
pub struct RegisteredHook {
    /// Its name.
    pub hook: String,
    /// Of which kinds.
    pub kinds: Vec<EventKind>,
}

/// Replaces the registered hooks: from now on, audit records enqueue events for these.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn register_hooks(
    pool: &PgPool,
    hooks: &[RegisteredHook],
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    let names: Vec<&str> = hooks.iter().map(|one| one.hook.as_str()).collect();
    let mut tx = pool.begin().await?;
    sqlx::query!(
        "DELETE FROM event_hooks WHERE hook <> ALL($1)",
        &names as &[&str]
    )
    .execute(&mut *tx)
    .await?;
    for one in hooks {
        let kinds: Vec<&str> = one.kinds.iter().map(|kind| kind.as_str()).collect();
        sqlx::query!(
            "INSERT INTO event_hooks (hook, kinds, registered_at)
             VALUES ($1, $2, $3)
             ON CONFLICT (hook) DO UPDATE
             SET kinds = excluded.kinds,
                 registered_at = excluded.registered_at",
            one.hook,
            &kinds as &[&str],
            now
        )
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await?;
    Ok(())
}

/// An event that a worker has taken.
#[derive(Debug, Clone)]
pub struct LeasedEvent {
    /// The audit record that it reports.
    pub audit_id: i64,
    /// The hook that it is for.
    pub hook: String,
    /// What kind it is.
    pub kind: EventKind,
    /// Which attempt this is, from 1.
    pub attempt: i32,
    /// When the action was done.
    pub at: OffsetDateTime,
    /// Who did it.
    pub actor: String,
    /// The key concerned.
    pub access_key_id: String,
    /// The restriction concerned; `None` of a suspicion.
    pub restriction_id: Option<Uuid>,
    /// The key's account, where it is known.
    pub account_id: Option<String>,
    /// Its RAM user; `None` for the account itself.
    pub user_name: Option<String>,
    /// What else the record tells.
    pub detail: serde_json::Value,
}

/// Takes events of these hooks that are due, for as long as `lease`.
///
/// # Errors
/// [`StateFault`].
pub async fn lease_events(
    pool: &PgPool,
    hooks: &[&str],
    now: OffsetDateTime,
    lease: Duration,
    limit: i64,
) -> Result<Vec<LeasedEvent>, StateFault> {
    let rows = sqlx::query!(
        "WITH due AS (
             SELECT audit_id, hook
             FROM event_deliveries
             WHERE state = 'Due'
               AND due_at <= $2
               AND hook = ANY($1)
             ORDER BY due_at, audit_id
             LIMIT $4
             FOR UPDATE SKIP LOCKED
         )
         UPDATE event_deliveries e
         SET attempts = e.attempts + 1,
             due_at = $3
         FROM due
         JOIN audit_records a USING (audit_id)
         LEFT JOIN access_keys k USING (access_key_id)
         LEFT JOIN principals p USING (principal_id)
         WHERE e.audit_id = due.audit_id
           AND e.hook = due.hook
         RETURNING
             e.audit_id,
             e.hook,
             e.kind,
             e.attempts,
             a.at,
             a.actor,
             a.access_key_id AS \"access_key_id!\",
             a.restriction_id AS \"restriction_id?\",
             a.detail,
             p.account_id AS \"account_id?\",
             p.user_name AS \"user_name?\"",
        hooks as &[&str],
        now,
        now + lease,
        limit
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(LeasedEvent {
                audit_id: row.audit_id,
                hook: row.hook,
                kind: row.kind.parse().map_err(|_| StateFault::Corrupt("kind"))?,
                attempt: row.attempts,
                at: row.at,
                actor: row.actor,
                access_key_id: row.access_key_id,
                restriction_id: row.restriction_id,
                account_id: row.account_id,
                user_name: row.user_name,
                detail: row.detail,
            })
        })
        .collect()
}

/// Settles an attempt. False where the lease had run out and another worker has taken the event.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn settle_event(
    pool: &PgPool,
    event: &LeasedEvent,
    settlement: &Settlement,
    now: OffsetDateTime,
) -> Result<bool, StateFault> {
    let (state, due_at, error) = settlement.columns(now);
    let settled = sqlx::query!(
        "UPDATE event_deliveries
         SET state = $4,
             due_at = $5,
             last_error = $6,
             settled_at = CASE WHEN $4 = 'Due' THEN NULL ELSE $7::timestamptz END
         WHERE audit_id = $1
           AND hook = $2
           AND attempts = $3
           AND state = 'Due'",
        event.audit_id,
        event.hook,
        event.attempt,
        state,
        due_at,
        error,
        now
    )
    .execute(pool)
    .await?;
    Ok(settled.rows_affected() == 1)
}

/// Which events to list; the newest come first.
#[derive(Debug, Clone, Default)]
pub struct EventCriteria {
    /// Only those for this hook.
    pub hook: Option<String>,
    /// Only those in this state.
    pub state: Option<EventState>,
    /// Only older records: the last id of the previous page.
    pub before: Option<i64>,
    /// So many at most, and what else is of the last one's record.
    pub limit: i64,
}

/// Reads events. A page ends with a record, never between its hooks.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn list_events(
    pool: &PgPool,
    criteria: &EventCriteria,
) -> Result<Vec<EventView>, StateFault> {
    let views = sqlx::query_as!(
        EventView,
        "SELECT
             e.audit_id,
             e.hook,
             e.kind,
             a.access_key_id,
             a.restriction_id,
             e.state,
             e.attempts,
             e.due_at,
             e.last_error,
             a.at,
             e.settled_at
         FROM event_deliveries e
         JOIN audit_records a USING (audit_id)
         WHERE ($1::text IS NULL OR e.hook = $1)
           AND ($2::text IS NULL OR e.state = $2)
           AND ($3::bigint IS NULL OR e.audit_id < $3)
         ORDER BY e.audit_id DESC
         FETCH FIRST $4 ROWS WITH TIES",
        criteria.hook,
        criteria.state.map(EventState::as_str),
        criteria.before,
        criteria.limit
    )
    .fetch_all(pool)
    .await?;
    Ok(views)
}

/// Makes failed events of a hook due again; returns how many.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn retry_failed_events(
    pool: &PgPool,
    hook: &str,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<u64, StateFault> {
    let mut tx = pool.begin().await?;
    let retried = sqlx::query!(
        "UPDATE event_deliveries
         SET state = 'Due',
             attempts = 0,
             due_at = $2,
             settled_at = NULL
         WHERE hook = $1
           AND state = 'Failed'",
        hook,
        now
    )
    .execute(&mut *tx)
    .await?;
    let events = retried.rows_affected();
    if events > 0 {
        let entry = AuditEntry {
            at: now,
            actor: by,
            action: AuditAction::RetryHook,
            access_key_id: None,
            restriction_id: None,
            detail: serde_json::json!({ "hook": hook, "events": events }),
        };
        audit::insert_audit_record(&mut tx, entry).await?;
    }
    tx.commit().await?;
    Ok(events)
}

/// Deletes what was sent before then.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn delete_sent_events(pool: &PgPool, before: OffsetDateTime) -> Result<(), StateFault> {
    sqlx::query!(
        "DELETE FROM event_deliveries
         WHERE state = 'Sent'
           AND settled_at < $1",
        before
    )
    .execute(pool)
    .await?;
    Ok(())
}
