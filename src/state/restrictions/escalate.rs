//! Escalation: the steps that are taken while a leaked key stays active, each in its own transaction.
//!
//! A restriction is examined when its next step may be due, and when its key becomes active or inactive. For an
//! inactive key there is nothing to escalate, but the policy may lift on facts, which is checked now and then.

use sqlx::{PgPool, PgTransaction};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::approvals::{VoidReason, void_requests};
use crate::restrictions::lift;
use crate::{
    audit::{self, Actor, AuditAction, AuditEntry},
    directory::{
        StateFault,
        keys::parse_key_id,
        revision::{self, WriteStamp},
    },
    outbox::{self, LetterKind, tasks},
};
use akgate_api::keys::KeyStatus;
use akgate_rules::{
    access_key::AccessKeyId,
    ladder::{EscalationLadder, EscalationStep, TakenSteps},
    position::Position,
    restriction::LiftRule,
};

/// How often a restriction of an inactive key is examined again.
fn recheck_interval(rule: LiftRule) -> Duration {
    match rule {
        LiftRule::Operator => Duration::DAY,
        LiftRule::AutoLift => Duration::HOUR,
    }
}

/// What decides about steps and lifts.
#[derive(Debug, Clone, Default)]
pub struct EscalationRules {
    /// When the steps are due.
    pub ladder: EscalationLadder,
    /// Who may lift a restriction.
    pub lift: LiftRule,
}

/// The restrictions that are due to be examined, the longest due first.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn list_due_restrictions(
    pool: &PgPool,
    now: OffsetDateTime,
    limit: i64,
) -> Result<Vec<Uuid>, StateFault> {
    let ids = sqlx::query_scalar!(
        "SELECT restriction_id
         FROM restrictions
         WHERE state <> 'Lifted'
           AND next_check_at <= $1
         ORDER BY next_check_at
         LIMIT $2",
        now,
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(ids)
}

/// Examines one restriction: takes the due steps, or lifts it if the policy allows. Returns what was done.
///
/// # Errors
/// [`StateFault`]; nothing is changed then.
pub async fn escalate_restriction(
    pool: &PgPool,
    restriction_id: Uuid,
    rules: &EscalationRules,
    now: OffsetDateTime,
) -> Result<EscalationOutcome, StateFault> {
    let mut tx = pool.begin().await?;
    let at = revision::advance_revision(&mut tx, now).await?;
    let row = sqlx::query!(
        "SELECT
             r.access_key_id,
             k.status AS \"status?\",
             r.notified_at,
             r.reminders,
             r.widened_at IS NOT NULL AS \"widened!\",
             r.next_contacts_at IS NOT NULL AS \"next_contacts!\",
             r.disabling_proposed_at IS NOT NULL AS \"disabling!\"
         FROM restrictions r
         LEFT JOIN access_keys k USING (access_key_id)
         WHERE r.restriction_id = $1
           AND r.state <> 'Lifted'
           AND r.next_check_at <= $2",
        restriction_id,
        now
    )
    .fetch_optional(&mut *tx)
    .await?;
    // Another worker was faster.
    let Some(row) = row else {
        return Ok(EscalationOutcome::default());
    };
    let status = row.status.as_deref().map(str::parse);
    let mut looked = EscalationOutcome::default();
    let next_check_at = match (status, row.notified_at) {
        (Some(Ok(KeyStatus::Active)), Some(notified_at)) => {
            let access_key_id = parse_key_id(&row.access_key_id)?;
            let taken = TakenSteps {
                reminders: usize::try_from(row.reminders).unwrap_or_default(),
                widened: row.widened,
                next_contacts: row.next_contacts,
                disabling: row.disabling,
            };
            looked.steps = rules.ladder.due(notified_at, taken, now);
            take_steps(&mut tx, restriction_id, &access_key_id, &looked.steps, at).await?;
            looked.widened =
                looked
                    .steps
                    .contains(&EscalationStep::Widen)
                    .then(|| WidenedRestriction {
                        position: at.position(),
                        access_key_id: access_key_id.clone(),
                    });
            let reminders = rules.ladder.reminders_until(notified_at, now);
            record_steps(&mut tx, restriction_id, &looked.steps, reminders, at).await?;
            let taken = taken.after(&looked.steps, reminders);
            rules
                .ladder
                .ahead(notified_at, taken)
                .first()
                .map(|(_, at)| *at)
        }
        (Some(Ok(KeyStatus::Inactive | KeyStatus::Deleted)), _) => {
            looked.lifted = rules.lift == LiftRule::AutoLift
                && lift::lift_by_policy(&mut tx, restriction_id, at).await?;
            Some(now + recheck_interval(rules.lift))
        }
        // The key is unknown, or no contact was notified.
        (None, _) | (Some(Ok(KeyStatus::Active)), None) => None,
        (Some(Err(_)), _) => return Err(StateFault::Corrupt("status")),
    };
    sqlx::query!(
        "UPDATE restrictions
         SET next_check_at = $2
         WHERE restriction_id = $1",
        restriction_id,
        next_check_at
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(looked)
}

/// The result of an examination.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EscalationOutcome {
    /// The steps that were taken.
    pub steps: Vec<EscalationStep>,
    /// Whether the policy lifted it.
    pub lifted: bool,
    /// Sensitive reads are refused from here on.
    pub widened: Option<WidenedRestriction>,
}

/// A restriction that was widened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WidenedRestriction {
    /// From where on.
    pub position: Position,
    /// The restricted key.
    pub access_key_id: AccessKeyId,
}

async fn take_steps(
    tx: &mut PgTransaction<'_>,
    restriction_id: Uuid,
    access_key_id: &AccessKeyId,
    steps: &[EscalationStep],
    at: WriteStamp,
) -> Result<(), StateFault> {
    for step in steps {
        let action = match step {
            // The letter that tells of the widening reminds as well.
            EscalationStep::Remind if steps.contains(&EscalationStep::Widen) => continue,
            EscalationStep::Remind => {
                outbox::enqueue_to_notified(tx, restriction_id, LetterKind::Reminder, at.now)
                    .await?;
                continue;
            }
            EscalationStep::TellNextContacts => {
                outbox::enqueue_to_next_contacts(tx, restriction_id, at.now).await?;
                continue;
            }
            EscalationStep::Widen => {
                outbox::enqueue_to_notified(tx, restriction_id, LetterKind::Widened, at.now)
                    .await?;
                AuditAction::Widen
            }
            EscalationStep::ProposeDisabling => {
                let kind = tasks::TaskKind::DisableKey;
                tasks::open_tasks(tx, kind, &[restriction_id], at.now).await?;
                AuditAction::ProposeDisabling
            }
        };
        audit::insert_audit_record(
            tx,
            AuditEntry {
                at: at.now,
                actor: &Actor::Policy,
                action,
                access_key_id: Some(access_key_id),
                restriction_id: Some(restriction_id),
                detail: serde_json::json!({}),
            },
        )
        .await?;
    }
    Ok(())
}

async fn record_steps(
    tx: &mut PgTransaction<'_>,
    restriction_id: Uuid,
    steps: &[EscalationStep],
    reminders: usize,
    at: WriteStamp,
) -> Result<(), StateFault> {
    sqlx::query!(
        "UPDATE restrictions
         SET reminders = GREATEST(reminders, $3),
             widened_at = CASE WHEN $4 THEN $2 ELSE widened_at END,
             next_contacts_at = CASE WHEN $5 THEN $2 ELSE next_contacts_at END,
             disabling_proposed_at = CASE WHEN $6 THEN $2 ELSE disabling_proposed_at END,
             revision = CASE WHEN $4 THEN $7 ELSE revision END
         WHERE restriction_id = $1",
        restriction_id,
        at.now,
        i32::try_from(reminders).unwrap_or(i32::MAX),
        steps.contains(&EscalationStep::Widen),
        steps.contains(&EscalationStep::TellNextContacts),
        steps.contains(&EscalationStep::ProposeDisabling),
        at.revision
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The ladder and the policy depend on whether the access key is active, so both examine the restriction at once. A
/// request to disable a key that is no longer active has become void.
pub(crate) async fn look_again(
    tx: &mut PgTransaction<'_>,
    access_key_ids: &[&str],
    at: WriteStamp,
) -> Result<(), StateFault> {
    if access_key_ids.is_empty() {
        return Ok(());
    }
    let examined = sqlx::query!(
        "UPDATE restrictions r
         SET next_check_at = $2
         FROM access_keys k
         WHERE r.access_key_id = ANY($1)
           AND r.state <> 'Lifted'
           AND k.access_key_id = r.access_key_id
         RETURNING r.restriction_id, k.status = 'Active' AS \"is_active!\"",
        access_key_ids as &[&str],
        at.now
    )
    .fetch_all(&mut **tx)
    .await?;
    let gone: Vec<Uuid> = examined
        .iter()
        .filter(|one| !one.is_active)
        .map(|one| one.restriction_id)
        .collect();
    void_requests(tx, &gone, VoidReason::KeyGone, at.now).await
}
