//! Exceptions from restrictions: asked for by one operator, approved by another, ended early by any.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, PgTransaction};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{
    approvals::{self, FourEyes, Parties, TwoPersonChange},
    live::barrier::AffectedKeys,
    restrictions::active_restriction::{
        ActiveRestrictionFault, find_active_restriction, find_restricted_key,
    },
};
use crate::{
    audit::{self, Actor, AuditAction, AuditEntry},
    directory::{StateFault, keys::parse_key_id, revision},
};
use akgate_api::exceptions::{ExceptionState, ExceptionView};
use akgate_rules::{
    access_key::AccessKeyId,
    exception::{ExceptionScope, check_networks},
    position::Position,
};

/// How a restriction is excepted from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExceptionRequest {
    /// What passes.
    #[serde(flatten)]
    pub scope: ExceptionScope,
    /// For how many hours since it is approved, at most 72.
    pub hours: u8,
    /// The reason, in the operator's words.
    pub reason: String,
}

/// The request for an exception from a restriction.
#[derive(Debug, Serialize, Deserialize)]
pub struct GrantException {
    restriction_id: Uuid,
    #[serde(flatten)]
    excepting: ExceptionRequest,
}

/// Requests an exception from the restriction of a key; returns the request.
///
/// # Errors
/// [`ActiveRestrictionFault`]; nothing is asked for then.
pub async fn request_exception(
    pool: &PgPool,
    access_key_id: &AccessKeyId,
    excepting: &ExceptionRequest,
    by: &Actor,
    eyes: FourEyes,
    now: OffsetDateTime,
) -> Result<Uuid, ActiveRestrictionFault> {
    let mut tx = pool.begin().await?;
    revision::lock_revision(&mut tx).await?;
    let change = GrantException {
        restriction_id: find_active_restriction(&mut tx, access_key_id).await?,
        excepting: excepting.clone(),
    };
    check_width(&mut tx, &change, now).await?;
    let approval_id = approvals::request_approval(&mut tx, &change, by, eyes, now).await?;
    tx.commit().await?;
    Ok(approval_id)
}

/// Checks that the networks of an exception are narrow together with those of the restriction's active exceptions.
async fn check_width(
    tx: &mut PgTransaction<'_>,
    change: &GrantException,
    now: OffsetDateTime,
) -> Result<(), ActiveRestrictionFault> {
    let active = sqlx::query_scalar!(
        "SELECT networks
         FROM exceptions
         WHERE restriction_id = $1
           AND revoked_at IS NULL
           AND expires_at > $2",
        change.restriction_id,
        now
    )
    .fetch_all(&mut **tx)
    .await?;
    let active: Result<Vec<IpNet>, _> = active.iter().flatten().map(|one| one.parse()).collect();
    let mut networks = active.map_err(|_| StateFault::Corrupt("networks"))?;
    networks.extend(&change.excepting.scope.networks);
    Ok(check_networks(&networks)?)
}

impl TwoPersonChange for GrantException {
    const KIND: &'static str = "Exception";

    type Refusal = ActiveRestrictionFault;

    fn subject(&self) -> Uuid {
        self.restriction_id
    }

    fn reason(&self) -> &str {
        &self.excepting.reason
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
    ) -> Result<Position, ActiveRestrictionFault> {
        let access_key_id = find_restricted_key(tx, self.restriction_id).await?;
        check_width(tx, self, now).await?;
        let at = revision::advance_revision(tx, now).await?;
        let exception_id = Uuid::now_v7();
        let operations: Vec<String> = to_strings(&self.excepting.scope.operations);
        let networks: Vec<String> = to_strings(&self.excepting.scope.networks);
        let expires_at = now + Duration::hours(self.excepting.hours.into());
        sqlx::query!(
            "INSERT INTO exceptions (
             exception_id,
             restriction_id,
             operations,
             networks,
             reason,
             requested_by,
             approved_by,
             approved_at,
             expires_at,
             revision
         )
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            exception_id,
            self.restriction_id,
            &operations,
            &networks,
            self.excepting.reason,
            parties.requester.to_string(),
            parties.approved_by(),
            now,
            expires_at,
            at.revision
        )
        .execute(&mut **tx)
        .await?;
        let entry = AuditEntry {
            at: now,
            actor: parties.requester,
            action: AuditAction::GrantException,
            access_key_id: Some(&access_key_id),
            restriction_id: Some(self.restriction_id),
            detail: serde_json::json!({
                "exception_id": exception_id,
                "operations": operations,
                "networks": networks,
                "hours": self.excepting.hours,
                "reason": self.excepting.reason,
                "approved_by": parties.approved_by(),
            }),
        };
        audit::insert_audit_record(tx, entry).await?;
        Ok(at.position())
    }
}

/// Why an exception is not ended.
#[derive(Debug, thiserror::Error)]
pub enum ExceptionFault {
    /// Nothing has this id.
    #[error("the exception does not exist")]
    NotFound,
    /// It holds no more.
    #[error("the exception has already ended")]
    Ended,
    /// The database failed.
    #[error(transparent)]
    State(#[from] StateFault),
}

impl From<sqlx::Error> for ExceptionFault {
    fn from(fault: sqlx::Error) -> Self {
        Self::State(fault.into())
    }
}

/// An exception that was ended.
#[derive(Debug, Clone)]
pub struct RevokedException {
    /// From where on the restriction is whole again.
    pub position: Position,
    /// The restricted key.
    pub access_key_id: AccessKeyId,
}

/// Ends an exception early.
///
/// # Errors
/// [`ExceptionFault`]; nothing is changed then.
pub async fn revoke_exception(
    pool: &PgPool,
    exception_id: Uuid,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<RevokedException, ExceptionFault> {
    let mut tx = pool.begin().await?;
    let at = revision::advance_revision(&mut tx, now).await?;
    let row = sqlx::query!(
        "SELECT
             r.restriction_id,
             r.access_key_id,
             e.revoked_at IS NULL AND e.expires_at > $2 AS \"holds!\"
         FROM exceptions e
         JOIN restrictions r USING (restriction_id)
         WHERE e.exception_id = $1",
        exception_id,
        now
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(ExceptionFault::NotFound)?;
    if !row.holds {
        return Err(ExceptionFault::Ended);
    }
    sqlx::query!(
        "UPDATE exceptions
         SET revoked_at = $2,
             revoked_by = $3,
             revision = $4
         WHERE exception_id = $1",
        exception_id,
        now,
        by.to_string(),
        at.revision
    )
    .execute(&mut *tx)
    .await?;
    let access_key_id = parse_key_id(&row.access_key_id)?;
    let entry = AuditEntry {
        at: now,
        actor: by,
        action: AuditAction::RevokeException,
        access_key_id: Some(&access_key_id),
        restriction_id: Some(row.restriction_id),
        detail: serde_json::json!({ "exception_id": exception_id }),
    };
    audit::insert_audit_record(&mut tx, entry).await?;
    tx.commit().await?;
    Ok(RevokedException {
        position: at.position(),
        access_key_id,
    })
}

/// Which exceptions to list; the newest come first.
#[derive(Debug, Clone, Default)]
pub struct ExceptionCriteria {
    /// Only the one with this id.
    pub exception_id: Option<Uuid>,
    /// Only those of this key.
    pub access_key_id: Option<String>,
    /// Only those in this state.
    pub state: Option<ExceptionState>,
    /// Only older ones: the last id of the previous page.
    pub before: Option<Uuid>,
    /// Maximum number of rows.
    pub limit: i64,
}

/// Reads exceptions.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn list_exceptions(
    pool: &PgPool,
    criteria: &ExceptionCriteria,
    now: OffsetDateTime,
) -> Result<Vec<ExceptionView>, StateFault> {
    let views = sqlx::query_as!(
        ExceptionView,
        "SELECT
             e.exception_id,
             e.restriction_id,
             r.access_key_id,
             e.operations,
             e.networks,
             e.reason,
             e.requested_by,
             e.approved_by,
             e.approved_at,
             e.expires_at,
             e.revoked_at,
             e.revoked_by,
             s.state AS \"state!\"
         FROM exceptions e
         JOIN restrictions r USING (restriction_id)
         CROSS JOIN LATERAL (
             SELECT CASE
                 WHEN e.revoked_at IS NOT NULL THEN 'Revoked'
                 WHEN e.expires_at <= $1 THEN 'Expired'
                 WHEN r.state = 'Lifted' THEN 'Ended'
                 ELSE 'Active'
             END
         ) AS s (state)
         WHERE ($2::uuid IS NULL OR e.exception_id = $2)
           AND ($3::text IS NULL OR r.access_key_id = $3)
           AND ($4::text IS NULL OR s.state = $4)
           AND ($5::uuid IS NULL OR e.exception_id < $5)
         ORDER BY e.exception_id DESC
         LIMIT $6",
        now,
        criteria.exception_id,
        criteria.access_key_id.as_deref(),
        criteria.state.map(ExceptionState::as_str),
        criteria.before,
        criteria.limit
    )
    .fetch_all(pool)
    .await?;
    Ok(views)
}

fn to_strings<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(T::to_string).collect()
}
