//! Undoes a delivery that was a mistake: the restrictions that only it has led to are lifted as if they had never
//! existed. Its reports are kept, so that reporting the same sightings again changes nothing.

use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::approvals::{
    self, AlreadyRequested, ChangeOutcome, FourEyes, Parties, RequestError, TwoPersonChange,
    VoidReason,
};
use crate::live::barrier::AffectedKeys;
use crate::restrictions::active_restriction::parse_state;
use crate::{
    audit::{self, Actor, AuditAction, AuditEntry},
    directory::{
        StateFault,
        keys::parse_key_id,
        revision::{self, WriteStamp},
    },
    outbox::{self, tasks},
};
use akgate_api::keys::KeyStatus;
use akgate_rules::{
    position::Position,
    restriction::{LiftConditions, may_undo_alone},
};
use serde::{Deserialize, Serialize};

/// Why a delivery is not undone.
#[derive(Debug, thiserror::Error)]
pub enum UndoFault {
    /// There is no delivery of this id.
    #[error("no delivery has this id")]
    NotFound,
    /// It is already undone.
    #[error("this delivery was already undone")]
    Undone,
    /// An owner has confirmed a clean-up, so the delivery was not a mistake.
    #[error("the owners of {0} of its keys have confirmed the clean-up")]
    Confirmed(i64),
    /// Another operator has asked for it.
    #[error(transparent)]
    AlreadyRequested(AlreadyRequested),
    /// A lift of what it restricted would need a second operator too.
    #[error("this lifts {0} restrictions: a second operator must approve")]
    NeedsApproval(usize),
    /// The database failed.
    #[error(transparent)]
    State(#[from] StateFault),
}

impl From<RequestError> for UndoFault {
    fn from(fault: RequestError) -> Self {
        match fault {
            RequestError::AlreadyRequested(before) => Self::AlreadyRequested(before),
            RequestError::State(fault) => Self::State(fault),
        }
    }
}

impl From<sqlx::Error> for UndoFault {
    fn from(fault: sqlx::Error) -> Self {
        Self::State(fault.into())
    }
}

/// The result of an undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UndoneDelivery {
    /// Restrictions that are lifted.
    pub lifted: usize,
    /// Restrictions that stay, since other reports restrict the key as well.
    pub kept: usize,
    /// The change with which that is enforced.
    pub position: Position,
}

/// Undoes a delivery, or requests an approval if it lifts what one operator alone may not lift. Everybody who was notified
/// of a restriction is notified of the lift; letters that were not sent yet are deleted.
///
/// # Errors
/// [`UndoFault`]; nothing is changed then.
pub async fn undo_delivery(
    pool: &PgPool,
    delivery_id: Uuid,
    reason: &str,
    actor: &Actor,
    eyes: FourEyes,
    now: OffsetDateTime,
) -> Result<ChangeOutcome<UndoneDelivery>, UndoFault> {
    let mut tx = pool.begin().await?;
    revision::lock_revision(&mut tx).await?;
    let alone = Parties::alone(actor);
    let outcome = match undo_within(&mut tx, delivery_id, reason, alone, now).await {
        Err(UndoFault::NeedsApproval(_)) => {
            let change = UndoDelivery {
                delivery_id,
                reason: reason.to_owned(),
            };
            ChangeOutcome::AwaitsApproval(
                approvals::request_approval(&mut tx, &change, actor, eyes, now).await?,
            )
        }
        undone => ChangeOutcome::Done(undone?),
    };
    tx.commit().await?;
    Ok(outcome)
}

/// The request to undo a delivery.
#[derive(Debug, Serialize, Deserialize)]
pub struct UndoDelivery {
    delivery_id: Uuid,
    reason: String,
}

impl TwoPersonChange for UndoDelivery {
    const KIND: &'static str = "UndoDelivery";

    type Refusal = UndoFault;

    fn subject(&self) -> Uuid {
        self.delivery_id
    }

    fn reason(&self) -> &str {
        &self.reason
    }

    fn restriction_id(&self) -> Option<Uuid> {
        None
    }

    fn affected_keys(&self) -> Option<AffectedKeys> {
        None
    }

    async fn carry_out(
        &self,
        tx: &mut PgTransaction<'_>,
        parties: Parties<'_>,
        now: OffsetDateTime,
    ) -> Result<Position, UndoFault> {
        let undone = undo_within(tx, self.delivery_id, &self.reason, parties, now).await?;
        Ok(undone.position)
    }
}

/// The same in the caller's transaction, which must hold the revision lock. Nothing is written on failure.
async fn undo_within(
    tx: &mut PgTransaction<'_>,
    delivery_id: Uuid,
    reason: &str,
    parties: Parties<'_>,
    now: OffsetDateTime,
) -> Result<UndoneDelivery, UndoFault> {
    let actor = parties.requester;
    check_undoable(tx, delivery_id).await?;
    let led_to = sqlx::query!(
        "SELECT
             r.restriction_id,
             r.access_key_id,
             r.state,
             r.confirmed_by,
             k.status AS \"status?\",
             EXISTS (
                 SELECT 1
                 FROM leak_reports o
                 WHERE o.restriction_id = COALESCE(r.ancestor_id, r.restriction_id)
                   AND o.delivery_id IS DISTINCT FROM $1
             ) AS \"others!\",
             EXISTS (
                 SELECT 1
                 FROM confirmations c
                 WHERE c.restriction_id = r.restriction_id
             ) AS \"confirmed!\"
         FROM restrictions r
         LEFT JOIN access_keys k USING (access_key_id)
         WHERE r.state <> 'Lifted'
           -- What descends from a key was restricted for the same leak.
           AND COALESCE(r.ancestor_id, r.restriction_id) IN (
               SELECT restriction_id
               FROM leak_reports
               WHERE delivery_id = $1
           )
         ORDER BY r.restriction_id",
        delivery_id
    )
    .fetch_all(&mut **tx)
    .await?;
    let (kept, lifted): (Vec<_>, Vec<_>) = led_to.into_iter().partition(|one| one.others);
    let confirmed = lifted.iter().filter(|one| one.confirmed).count();
    if confirmed > 0 {
        return Err(UndoFault::Confirmed(
            confirmed.try_into().unwrap_or(i64::MAX),
        ));
    }
    let conditions: Result<Vec<LiftConditions>, StateFault> = lifted
        .iter()
        .map(|one| {
            Ok(LiftConditions {
                state: parse_state(&one.state)?,
                key_is_active: one.status.as_deref() == Some(KeyStatus::Active.as_str()),
                confirmed_by_requester: one.confirmed_by == Some(actor.to_string()),
            })
        })
        .collect();
    let may_alone = conditions?.into_iter().all(may_undo_alone);
    if !may_alone && parties.approver.is_none() {
        return Err(UndoFault::NeedsApproval(lifted.len()));
    }
    let at = revision::advance_revision(tx, now).await?;
    mark_undone(tx, delivery_id, actor, reason, now).await?;
    let ids: Vec<Uuid> = lifted.iter().map(|one| one.restriction_id).collect();
    lift_as_undone(tx, &ids, parties, reason, at).await?;
    let keys: Result<Vec<_>, _> = lifted
        .iter()
        .map(|one| parse_key_id(&one.access_key_id))
        .collect();
    let keys = keys?;
    let approved_by = parties.approver.map(Actor::to_string);
    let entry = |(access_key_id, restriction_id)| AuditEntry {
        at: now,
        actor,
        action: AuditAction::Lift,
        access_key_id: Some(access_key_id),
        restriction_id: Some(restriction_id),
        detail: serde_json::json!({ "reason": reason, "undone_delivery": delivery_id, "approved_by": approved_by }),
    };
    let mut entries = vec![AuditEntry {
        at: now,
        actor,
        action: AuditAction::UndoDelivery,
        access_key_id: None,
        restriction_id: None,
        detail: serde_json::json!({
            "delivery_id": delivery_id,
            "reason": reason,
            "lifted": lifted.len(),
            "kept": kept.len(),
            "approved_by": approved_by,
        }),
    }];
    entries.extend(keys.iter().zip(ids.iter().copied()).map(entry));
    audit::insert_audit_records(tx, &entries).await?;
    tasks::close_tasks(tx, &ids, None, actor, now).await?;
    approvals::void_requests(tx, &ids, VoidReason::Lifted, now).await?;
    outbox::enqueue_retracted(tx, &ids, now).await?;
    Ok(UndoneDelivery {
        lifted: lifted.len(),
        kept: kept.len(),
        position: at.position(),
    })
}

async fn check_undoable(tx: &mut PgTransaction<'_>, delivery_id: Uuid) -> Result<(), UndoFault> {
    let undone_at = sqlx::query_scalar!(
        "SELECT undone_at
         FROM deliveries
         WHERE delivery_id = $1",
        delivery_id
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(UndoFault::NotFound)?;
    match undone_at {
        Some(_) => Err(UndoFault::Undone),
        None => Ok(()),
    }
}

async fn mark_undone(
    tx: &mut PgTransaction<'_>,
    delivery_id: Uuid,
    actor: &Actor,
    reason: &str,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    sqlx::query!(
        "UPDATE deliveries
         SET undone_at = $2,
             undone_by = $3,
             undone_reason = $4
         WHERE delivery_id = $1",
        delivery_id,
        now,
        actor.to_string(),
        reason
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Lifts as if the restriction had never existed: sessions are free too, and there is no tombstone.
async fn lift_as_undone(
    tx: &mut PgTransaction<'_>,
    restrictions: &[Uuid],
    parties: Parties<'_>,
    reason: &str,
    at: WriteStamp,
) -> Result<(), StateFault> {
    sqlx::query!(
        "UPDATE restrictions
         SET state = 'Lifted',
             lifted_at = $2,
             lifted_by = $3,
             lift_reason = $4,
             lifted_revision = 0,
             lifted_history = $7,
             resolution = 'FalsePositive',
             approved_by = $6,
             revision = $5
         WHERE restriction_id = ANY($1)",
        restrictions,
        at.now,
        parties.requester.to_string(),
        reason,
        at.revision,
        parties.approver.map(Actor::to_string),
        at.history.0
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
