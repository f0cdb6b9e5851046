//! Restricting what descends from a leaked key: by one operator, or by two where it is much.

use serde::{Deserialize, Serialize};
use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    approvals::{
        self, AlreadyRequested, ChangeOutcome, FourEyes, Parties, RequestError, TwoPersonChange,
    },
    audit::{self, Actor, AuditAction, AuditEntry},
    directory::{StateFault, revision},
    live::barrier::AffectedKeys,
    restrictions::{
        descendants::{FreeDescendant, LineageRoot, find_free_descendants, restrict_descendants},
        read,
    },
};
use akgate_rules::{access_key::AccessKeyId, position::Position};

/// Why descendants are not restricted.
#[derive(Debug, thiserror::Error)]
pub enum DescendantsFault {
    /// Nothing has this id.
    #[error("the restriction does not exist")]
    NotFound,
    /// It is lifted.
    #[error("the restriction is lifted")]
    NotInForce,
    /// Another operator has asked for it.
    #[error(transparent)]
    AlreadyRequested(AlreadyRequested),
    /// The database failed.
    #[error(transparent)]
    State(#[from] StateFault),
}

impl From<RequestError> for DescendantsFault {
    fn from(fault: RequestError) -> Self {
        match fault {
            RequestError::AlreadyRequested(before) => Self::AlreadyRequested(before),
            RequestError::State(fault) => Self::State(fault),
        }
    }
}

impl From<sqlx::Error> for DescendantsFault {
    fn from(fault: sqlx::Error) -> Self {
        Self::State(fault.into())
    }
}

/// What would be restricted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescendantsRehearsal {
    /// The access keys and sessions.
    pub restricted: Vec<AccessKeyId>,
    /// Whether a second operator must approve.
    pub needs_approval: bool,
}

/// What was restricted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescendantsRestricted {
    /// The access keys and sessions.
    pub restricted: Vec<AccessKeyId>,
    /// The change from which on that is enforced.
    pub position: Position,
}

/// Finds what [`restrict_all_descendants`] would restrict.
///
/// # Errors
/// [`DescendantsFault`].
pub async fn rehearse_descendants(
    pool: &PgPool,
    restriction_id: Uuid,
    eyes: FourEyes,
    now: OffsetDateTime,
) -> Result<DescendantsRehearsal, DescendantsFault> {
    let mut tx = pool.begin().await?;
    let restricted = find_targets(&mut tx, restriction_id, now).await?.1;
    Ok(DescendantsRehearsal {
        needs_approval: restricted.len() > eyes.descendants_approval_above,
        restricted,
    })
}

/// Restricts what descends from the key of a restriction, now and from now on, or requests an approval if that is much.
///
/// # Errors
/// [`DescendantsFault`]; nothing is changed then.
pub async fn restrict_all_descendants(
    pool: &PgPool,
    restriction_id: Uuid,
    reason: &str,
    actor: &Actor,
    eyes: FourEyes,
    now: OffsetDateTime,
) -> Result<ChangeOutcome<DescendantsRestricted>, DescendantsFault> {
    let mut tx = pool.begin().await?;
    revision::lock_revision(&mut tx).await?;
    let change = RestrictDescendants {
        restriction_id,
        reason: reason.to_owned(),
    };
    let (_, restricted) = find_targets(&mut tx, restriction_id, now).await?;
    let outcome = if restricted.len() > eyes.descendants_approval_above {
        let approval = approvals::request_approval(&mut tx, &change, actor, eyes, now).await?;
        ChangeOutcome::AwaitsApproval(approval)
    } else {
        let parties = Parties::alone(actor);
        let position = change.carry_out(&mut tx, parties, now).await?;
        ChangeOutcome::Done(DescendantsRestricted {
            restricted,
            position,
        })
    };
    tx.commit().await?;
    Ok(outcome)
}

/// The request to restrict what descends from the key of a restriction.
#[derive(Debug, Serialize, Deserialize)]
pub struct RestrictDescendants {
    restriction_id: Uuid,
    reason: String,
}

impl TwoPersonChange for RestrictDescendants {
    const KIND: &'static str = "RestrictDescendants";

    type Refusal = DescendantsFault;

    fn subject(&self) -> Uuid {
        self.restriction_id
    }

    fn reason(&self) -> &str {
        &self.reason
    }

    fn restriction_id(&self) -> Option<Uuid> {
        Some(self.restriction_id)
    }

    fn affected_keys(&self) -> Option<AffectedKeys> {
        Some(AffectedKeys::All)
    }

    async fn carry_out(
        &self,
        tx: &mut PgTransaction<'_>,
        parties: Parties<'_>,
        now: OffsetDateTime,
    ) -> Result<Position, DescendantsFault> {
        let (root, restricted) = find_targets(tx, self.restriction_id, now).await?;
        let at = revision::advance_revision(tx, now).await?;
        restrict_descendants(tx, &[root], parties.requester, at).await?;
        let entry = AuditEntry {
            at: now,
            actor: parties.requester,
            action: AuditAction::RestrictDescendants,
            access_key_id: None,
            restriction_id: Some(self.restriction_id),
            detail: serde_json::json!({
                "reason": self.reason,
                "restricted": restricted.len(),
                "approved_by": parties.approved_by(),
            }),
        };
        audit::insert_audit_record(tx, entry).await?;
        Ok(at.position())
    }
}

/// The restriction, which must be in force, and what descends from its key and is free.
async fn find_targets(
    tx: &mut PgTransaction<'_>,
    restriction_id: Uuid,
    now: OffsetDateTime,
) -> Result<(LineageRoot, Vec<AccessKeyId>), DescendantsFault> {
    let exposure = read::find_exposure(tx, restriction_id).await?;
    let exposure = exposure.ok_or(DescendantsFault::NotFound)?;
    if !exposure.is_in_force {
        return Err(DescendantsFault::NotInForce);
    }
    let root = LineageRoot {
        restriction_id,
        since: exposure.looked_at_since(),
    };
    let found = find_free_descendants(tx, &[root], now).await?;
    let free = found.into_iter().filter(FreeDescendant::is_free);
    Ok((root, free.map(|one| one.access_key_id).collect()))
}
