//! Lifts a restriction: by an operator with a reason, by two operators, or by the policy on facts.

use serde::{Deserialize, Serialize};
use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    approvals::{
        self, AlreadyRequested, ChangeOutcome, FourEyes, Parties, RequestError, TwoPersonChange,
        VoidReason,
    },
    live::barrier::AffectedKeys,
    restrictions::{active_restriction::parse_state, etag::Etag, read},
};
use crate::{
    audit::{self, Actor, AuditAction, AuditEntry},
    calls::artefacts,
    directory::{
        StateFault, keys,
        revision::{self, WriteStamp},
    },
    outbox::{self, LetterKind, tasks},
};
use akgate_api::keys::KeyStatus;
use akgate_rules::{
    access_key::AccessKeyId,
    position::Position,
    restriction::{
        AcceptedConditions, LiftConditions, LiftRefusal, LiftTerms, Resolution, RestrictionState,
        check_lift, policy_lift_terms,
    },
};

/// How a restriction is lifted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Lifting {
    /// The resolution.
    pub resolution: Resolution,
    /// The reason, in the operator's words.
    pub reason: String,
    /// What may be against it.
    pub accepts: AcceptedConditions,
    /// Whether what is restricted as a descendant of the key is lifted with it.
    #[serde(default)]
    pub with_descendants: bool,
}

/// The request to lift a restriction.
#[derive(Debug, Serialize, Deserialize)]
pub struct LiftRestriction {
    restriction_id: Uuid,
    #[serde(flatten)]
    lifting: Lifting,
}

/// Why a restriction is not lifted.
#[derive(Debug, thiserror::Error)]
pub enum LiftFault {
    /// Nothing has this id.
    #[error("the restriction does not exist")]
    NotFound,
    /// Its state, or its key's, forbids it.
    #[error(transparent)]
    Refused(#[from] LiftRefusal),
    /// It has changed since the operator read it.
    #[error("the restriction has changed since you read it")]
    Changed,
    /// Another operator has asked for it.
    #[error(transparent)]
    AlreadyRequested(AlreadyRequested),
    /// It takes a second operator.
    #[error("a second operator must approve")]
    NeedsApproval,
    /// The database failed.
    #[error(transparent)]
    State(#[from] StateFault),
}

impl From<RequestError> for LiftFault {
    fn from(fault: RequestError) -> Self {
        match fault {
            RequestError::AlreadyRequested(before) => Self::AlreadyRequested(before),
            RequestError::State(fault) => Self::State(fault),
        }
    }
}

impl From<sqlx::Error> for LiftFault {
    fn from(fault: sqlx::Error) -> Self {
        Self::State(fault.into())
    }
}

/// What decides about a lift.
struct LiftFacts {
    access_key_id: AccessKeyId,
    state: RestrictionState,
    /// `None` if the key is unknown: it counts as inactive when an operator lifts; the policy never lifts it.
    key: Option<KeyStatus>,
    is_descendant: bool,
    /// `contact:ID` or `operator:NAME`.
    confirmed_by: Option<String>,
}

impl LiftFacts {
    fn conditions(&self, requester: &Actor) -> LiftConditions {
        LiftConditions {
            state: self.state,
            key_is_active: self.key == Some(KeyStatus::Active),
            confirmed_by_requester: self.confirmed_by == Some(requester.to_string()),
        }
    }
}

/// Lifts a restriction that is still as it was `seen`, or requests an approval if a second operator must approve;
/// returns the change that frees the key. Its earlier sessions stay restricted.
///
/// # Errors
/// [`LiftFault`]; nothing is changed then.
pub async fn lift_restriction(
    pool: &PgPool,
    restriction_id: Uuid,
    lifting: &Lifting,
    actor: &Actor,
    eyes: FourEyes,
    seen: Option<&[Etag]>,
    now: OffsetDateTime,
) -> Result<ChangeOutcome<Position>, LiftFault> {
    let mut tx = pool.begin().await?;
    revision::lock_revision(&mut tx).await?;
    if !read::matches_etag(&mut tx, restriction_id, seen).await? {
        return Err(LiftFault::Changed);
    }
    let change = LiftRestriction {
        restriction_id,
        lifting: lifting.clone(),
    };
    let alone = Parties::alone(actor);
    let outcome = match change.carry_out(&mut tx, alone, now).await {
        Err(LiftFault::NeedsApproval) => ChangeOutcome::AwaitsApproval(
            approvals::request_approval(&mut tx, &change, actor, eyes, now).await?,
        ),
        lifted => ChangeOutcome::Done(lifted?),
    };
    tx.commit().await?;
    Ok(outcome)
}

impl TwoPersonChange for LiftRestriction {
    const KIND: &'static str = "Lift";

    type Refusal = LiftFault;

    fn subject(&self) -> Uuid {
        self.restriction_id
    }

    fn reason(&self) -> &str {
        &self.lifting.reason
    }

    fn restriction_id(&self) -> Option<Uuid> {
        Some(self.restriction_id)
    }

    fn affected_keys(&self) -> Option<AffectedKeys> {
        None
    }

    async fn carry_out(
        &self,
        tx: &mut PgTransaction<'_>,
        parties: Parties<'_>,
        now: OffsetDateTime,
    ) -> Result<Position, LiftFault> {
        let facts = read_lift_facts(tx, self.restriction_id)
            .await?
            .ok_or(LiftFault::NotFound)?;
        let conditions = facts.conditions(parties.requester);
        let lift = check_lift(conditions, self.lifting.accepts)?;
        let descendants = match self.lifting.with_descendants {
            true => list_restricted_descendants(tx, self.restriction_id).await?,
            false => Vec::new(),
        };
        // Nobody has confirmed anything of these.
        let needs_approval = lift.needs_approval || !descendants.is_empty();
        if needs_approval && parties.approver.is_none() {
            return Err(LiftFault::NeedsApproval);
        }
        let at = revision::advance_revision(tx, now).await?;
        write_lift(tx, self, &facts, lift, parties, at).await?;
        for (restriction_id, facts) in &descendants {
            let change = Self {
                restriction_id: *restriction_id,
                lifting: self.lifting.clone(),
            };
            let lift = LiftTerms {
                tombstone: facts.key.is_some_and(|key| key != KeyStatus::Active),
                needs_approval,
            };
            write_lift(tx, &change, facts, lift, parties, at).await?;
        }
        Ok(at.position())
    }
}

/// The restrictions in force of what descends from the key of this one.
async fn list_restricted_descendants(
    tx: &mut PgTransaction<'_>,
    restriction_id: Uuid,
) -> Result<Vec<(Uuid, LiftFacts)>, StateFault> {
    let ids = sqlx::query_scalar!(
        "SELECT restriction_id
         FROM restrictions
         WHERE ancestor_id = $1
           AND state <> 'Lifted'
         ORDER BY restriction_id",
        restriction_id
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut descendants = Vec::with_capacity(ids.len());
    for id in ids {
        if let Some(facts) = read_lift_facts(tx, id).await? {
            descendants.push((id, facts));
        }
    }
    Ok(descendants)
}

/// Maximum number of artefacts that are examined: with more, facts alone do not lift.
const MAX_ARTEFACTS: i64 = 1000;

/// Lifts in the caller's transaction where facts alone allow it; says whether they do.
///
/// # Errors
/// [`StateFault`].
pub async fn lift_by_policy(
    tx: &mut PgTransaction<'_>,
    restriction_id: Uuid,
    at: WriteStamp,
) -> Result<bool, StateFault> {
    let Some(facts) = read_lift_facts(tx, restriction_id).await? else {
        return Ok(false);
    };
    // A descendant is lifted as an operator says.
    if facts.is_descendant {
        return Ok(false);
    }
    let Some(exposure) = read::find_exposure(tx, restriction_id).await? else {
        return Ok(false);
    };
    let review = artefacts::read_review(
        tx,
        &facts.access_key_id,
        restriction_id,
        &exposure,
        MAX_ARTEFACTS,
    )
    .await?;
    let all = i64::try_from(review.artefacts.len()).is_ok_and(|count| count < MAX_ARTEFACTS)
        && review.is_complete();
    let is_gone = matches!(facts.key, Some(KeyStatus::Inactive | KeyStatus::Deleted));
    let Some(lift) = policy_lift_terms(facts.state, is_gone, all) else {
        return Ok(false);
    };
    let lifting = Lifting {
        resolution: match facts.key {
            Some(KeyStatus::Deleted) => Resolution::Deleted,
            _ => Resolution::Disabled,
        },
        reason:
            "The access key is disabled or deleted, and the owner has reviewed everything that it created."
                .into(),
        accepts: AcceptedConditions::default(),
        with_descendants: false,
    };
    let change = LiftRestriction {
        restriction_id,
        lifting,
    };
    let policy = Parties::alone(&Actor::Policy);
    write_lift(tx, &change, &facts, lift, policy, at).await?;
    Ok(true)
}

async fn read_lift_facts(
    tx: &mut PgTransaction<'_>,
    restriction_id: Uuid,
) -> Result<Option<LiftFacts>, StateFault> {
    let restriction = sqlx::query!(
        "SELECT access_key_id, state, ancestor_id, confirmed_by
         FROM restrictions
         WHERE restriction_id = $1",
        restriction_id
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(restriction) = restriction else {
        return Ok(None);
    };
    let access_key_id = keys::parse_key_id(&restriction.access_key_id)?;
    let key = keys::find_key_owner(tx, &access_key_id).await?;
    Ok(Some(LiftFacts {
        access_key_id,
        state: parse_state(&restriction.state)?,
        key: key.map(|key| key.status),
        confirmed_by: restriction.confirmed_by,
        is_descendant: restriction.ancestor_id.is_some(),
    }))
}

async fn write_lift(
    tx: &mut PgTransaction<'_>,
    change: &LiftRestriction,
    facts: &LiftFacts,
    lift: LiftTerms,
    parties: Parties<'_>,
    at: WriteStamp,
) -> Result<(), StateFault> {
    let LiftRestriction {
        restriction_id,
        ref lifting,
    } = *change;
    let approved_by = parties.approved_by();
    sqlx::query!(
        "UPDATE restrictions
         SET state = 'Lifted',
             lifted_at = $2,
             lifted_by = $3,
             lift_reason = $4,
             lifted_revision = $5,
             lifted_history = $9,
             tombstone = $6,
             resolution = $7,
             approved_by = $8,
             revision = $5
         WHERE restriction_id = $1",
        restriction_id,
        at.now,
        parties.requester.to_string(),
        lifting.reason,
        at.revision,
        lift.tombstone,
        lifting.resolution.as_str(),
        approved_by,
        at.history.0
    )
    .execute(&mut **tx)
    .await?;
    audit::insert_audit_record(
        tx,
        AuditEntry {
            at: at.now,
            actor: parties.requester,
            action: AuditAction::Lift,
            access_key_id: Some(&facts.access_key_id),
            restriction_id: Some(restriction_id),
            detail: serde_json::json!({
                "resolution": lifting.resolution,
                "reason": lifting.reason,
                "approved_by": approved_by,
                "key_was_active": facts.key == Some(KeyStatus::Active),
                "was_confirmed": facts.state == RestrictionState::Confirmed,
            }),
        },
    )
    .await?;
    tasks::close_tasks(tx, &[restriction_id], None, parties.requester, at.now).await?;
    approvals::void_requests(tx, &[restriction_id], VoidReason::Lifted, at.now).await?;
    if facts.is_descendant {
        // Those who know of it at all: for the others the letter about the key tells it.
        let told = LetterKind::Lifted;
        return outbox::enqueue_to_notified(tx, restriction_id, told, at.now).await;
    }
    let public_since = read::find_public_since(tx, restriction_id).await?;
    outbox::enqueue_to_contacts_before_leak(
        tx,
        restriction_id,
        LetterKind::Lifted,
        public_since,
        at.now,
    )
    .await
}
