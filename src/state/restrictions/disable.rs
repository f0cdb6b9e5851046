//! Disabling a leaked key: requested by one operator, approved by another. Every node then refuses every call that it
//! signs. In the IAM it stays active, and its owner can reinstate it with a call of another key.

use serde::{Deserialize, Serialize};
use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    approvals::{self, FourEyes, Parties, TwoPersonChange},
    live::barrier::AffectedKeys,
    restrictions::{
        active_restriction::{
            ActiveRestrictionFault, find_active_restriction, find_restricted_key,
        },
        escalate,
    },
};
use crate::{
    audit::{self, Actor, AuditAction, AuditEntry},
    directory::{keys, revision},
    outbox::tasks::{self, TaskKind},
};
use akgate_api::keys::KeyStatus;
use akgate_rules::{access_key::AccessKeyId, position::Position};

/// The request to disable the AccessKey of a restriction.
#[derive(Debug, Serialize, Deserialize)]
pub struct DisableKey {
    restriction_id: Uuid,
    reason: String,
}

/// Requests a leaked AccessKey to be disabled; returns the request.
///
/// # Errors
/// [`ActiveRestrictionFault`]; nothing is asked for then.
pub async fn request_disabling(
    pool: &PgPool,
    access_key_id: &AccessKeyId,
    reason: &str,
    by: &Actor,
    eyes: FourEyes,
    now: OffsetDateTime,
) -> Result<Uuid, ActiveRestrictionFault> {
    let mut tx = pool.begin().await?;
    revision::lock_revision(&mut tx).await?;
    let restriction_id = find_active_restriction(&mut tx, access_key_id).await?;
    let key = keys::find_key_owner(&mut tx, access_key_id).await?;
    if key.is_none_or(|key| key.status != KeyStatus::Active) {
        return Err(ActiveRestrictionFault::NotActive);
    }
    let change = DisableKey {
        restriction_id,
        reason: reason.to_owned(),
    };
    let approval_id = approvals::request_approval(&mut tx, &change, by, eyes, now).await?;
    tx.commit().await?;
    Ok(approval_id)
}

impl TwoPersonChange for DisableKey {
    const KIND: &'static str = "DisableKey";

    type Refusal = ActiveRestrictionFault;

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
    ) -> Result<Position, ActiveRestrictionFault> {
        let Parties { requester, .. } = parties;
        let access_key_id = find_restricted_key(tx, self.restriction_id).await?;
        let at = revision::advance_revision(tx, now).await?;
        if !keys::disable_key_row(tx, &access_key_id, &requester.to_string(), at).await? {
            return Err(ActiveRestrictionFault::NotActive);
        }
        escalate::look_again(tx, &[access_key_id.as_str()], at).await?;
        let restrictions = [self.restriction_id];
        let task = Some(TaskKind::DisableKey);
        tasks::close_tasks(tx, &restrictions, task, requester, now).await?;
        let entry = AuditEntry {
            at: now,
            actor: requester,
            action: AuditAction::DisableKey,
            access_key_id: Some(&access_key_id),
            restriction_id: Some(self.restriction_id),
            detail: serde_json::json!({
                "reason": self.reason,
                "approved_by": parties.approved_by(),
            }),
        };
        audit::insert_audit_record(tx, entry).await?;
        Ok(at.position())
    }
}
