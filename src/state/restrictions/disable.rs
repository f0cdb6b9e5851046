//! Disabling a leaked pair: asked for by one operator, approved by another. It signs nothing any more at any node; the
//! IAM's own record of it is its owner's, who brings it back by a call of another key.

use serde::{Deserialize, Serialize};
use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    approvals::{self, FourEyes, Parties, TwoPersonChange},
    live::barrier::Concern,
    restrictions::{
        escalate,
        leaked::{LeakedFault, in_force, key_of},
    },
};
use crate::{
    audit::{self, Actor, Deed, Entry},
    directory::{KeyStatus, keys, revision},
    outbox::tasks::{self, TaskKind},
};
use akgate_rules::{access_key::AccessKeyId, position::Position};

/// The request to disable the AccessKey of a restriction.
#[derive(Debug, Serialize, Deserialize)]
pub struct DisableKey {
    restriction_id: Uuid,
    reason: String,
}

/// Asks for a leaked AccessKey to be disabled; gives the request.
///
/// # Errors
/// [`LeakedFault`]; nothing is asked for then.
pub async fn request_disabling(
    pool: &PgPool,
    access_key_id: &AccessKeyId,
    reason: &str,
    by: &Actor,
    eyes: FourEyes,
    now: OffsetDateTime,
) -> Result<Uuid, LeakedFault> {
    let mut tx = pool.begin().await?;
    revision::hold(&mut tx).await?;
    let restriction_id = in_force(&mut tx, access_key_id).await?;
    let pair = keys::owned(&mut tx, access_key_id).await?;
    if pair.is_none_or(|pair| pair.status != KeyStatus::Active) {
        return Err(LeakedFault::NotActive);
    }
    let change = DisableKey {
        restriction_id,
        reason: reason.to_owned(),
    };
    let approval_id = approvals::request(&mut tx, &change, by, eyes, now).await?;
    tx.commit().await?;
    Ok(approval_id)
}

impl TwoPersonChange for DisableKey {
    const KIND: &'static str = "DisableKey";

    type Refusal = LeakedFault;

    fn subject(&self) -> Uuid {
        self.restriction_id
    }

    fn reason(&self) -> &str {
        &self.reason
    }

    fn restriction_id(&self) -> Option<Uuid> {
        Some(self.restriction_id)
    }

    fn concern(&self) -> Option<Concern> {
        Some(Concern::All)
    }

    async fn carry_out(
        &self,
        tx: &mut PgTransaction<'_>,
        parties: Parties<'_>,
        now: OffsetDateTime,
    ) -> Result<Position, LeakedFault> {
        let Parties { requester, .. } = parties;
        let access_key_id = key_of(tx, self.restriction_id).await?;
        let at = revision::advance(tx, now).await?;
        if !keys::disable(tx, &access_key_id, &requester.to_string(), at).await? {
            return Err(LeakedFault::NotActive);
        }
        escalate::look_again(tx, &[access_key_id.as_str()], at).await?;
        let restrictions = [self.restriction_id];
        let task = Some(TaskKind::DisablePair);
        tasks::settle(tx, &restrictions, task, requester, now).await?;
        let entry = Entry {
            at: now,
            actor: requester,
            deed: Deed::DisableKey,
            access_key_id: Some(&access_key_id),
            restriction_id: Some(self.restriction_id),
            detail: serde_json::json!({
                "reason": self.reason,
                "approved_by": parties.approved_by(),
            }),
        };
        audit::write(tx, entry).await?;
        Ok(at.position())
    }
}
