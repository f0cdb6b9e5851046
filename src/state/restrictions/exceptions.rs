//! Exceptions from restrictions: asked for by one operator, approved by another, ended early by any.

use serde::{Deserialize, Serialize};
use sqlx::{PgPool, PgTransaction};
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    approvals::{self, FourEyes, Parties, TwoPersonChange},
    live::barrier::Concern,
    restrictions::leaked::{LeakedFault, in_force, key_of},
};
use crate::{
    audit::{self, Actor, Deed, Entry},
    directory::{StateFault, keys::key_id, revision},
};
use akgate_rules::{access_key::AccessKeyId, exception::Scope, position::Position};

/// How a restriction is excepted from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Excepting {
    /// What passes.
    #[serde(flatten)]
    pub scope: Scope,
    /// For how many hours since it is approved, at most 72.
    pub hours: u8,
    /// Why, in the operator's words.
    pub reason: String,
}

/// The request for an exception from a restriction.
#[derive(Debug, Serialize, Deserialize)]
pub struct MakeException {
    restriction_id: Uuid,
    #[serde(flatten)]
    excepting: Excepting,
}

/// Asks for an exception from the restriction of a key; gives the request.
///
/// # Errors
/// [`LeakedFault`]; nothing is asked for then.
pub async fn request_exception(
    pool: &PgPool,
    access_key_id: &AccessKeyId,
    excepting: &Excepting,
    by: &Actor,
    eyes: FourEyes,
    now: OffsetDateTime,
) -> Result<Uuid, LeakedFault> {
    let mut tx = pool.begin().await?;
    revision::hold(&mut tx).await?;
    let change = MakeException {
        restriction_id: in_force(&mut tx, access_key_id).await?,
        excepting: excepting.clone(),
    };
    let approval_id = approvals::request(&mut tx, &change, by, eyes, now).await?;
    tx.commit().await?;
    Ok(approval_id)
}

impl TwoPersonChange for MakeException {
    const KIND: &'static str = "Exception";

    type Refusal = LeakedFault;

    fn subject(&self) -> Uuid {
        self.restriction_id
    }

    fn reason(&self) -> &str {
        &self.excepting.reason
    }

    fn restriction_id(&self) -> Option<Uuid> {
        Some(self.restriction_id)
    }

    fn concern(&self) -> Option<Concern> {
        None
    }

    async fn carry_out(
        &self,
        tx: &mut PgTransaction<'_>,
        parties: Parties<'_>,
        now: OffsetDateTime,
    ) -> Result<Position, LeakedFault> {
        let access_key_id = key_of(tx, self.restriction_id).await?;
        let at = revision::advance(tx, now).await?;
        let exception_id = Uuid::now_v7();
        let operations: Vec<String> = texts(&self.excepting.scope.operations);
        let networks: Vec<String> = texts(&self.excepting.scope.networks);
        let expires_at = now + Duration::hours(self.excepting.hours.into());
        sqlx::query!(
            "INSERT INTO exceptions (
             exception_id,
             restriction_id,
             operations,
             networks,
             reason,
             asked_by,
             approved_by,
             made_at,
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
        let entry = Entry {
            at: now,
            actor: parties.requester,
            deed: Deed::MakeException,
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
        audit::write(tx, entry).await?;
        Ok(at.position())
    }
}

/// Why an exception is not ended.
#[derive(Debug, thiserror::Error)]
pub enum RevokeFault {
    /// There is none of that id.
    #[error("the exception does not exist")]
    NotFound,
    /// It holds no more.
    #[error("the exception has already ended")]
    Over,
    /// The database does not do it.
    #[error(transparent)]
    State(#[from] StateFault),
}

impl From<sqlx::Error> for RevokeFault {
    fn from(fault: sqlx::Error) -> Self {
        Self::State(fault.into())
    }
}

/// An exception that was ended.
#[derive(Debug, Clone)]
pub struct Revoked {
    /// From where on the restriction is whole again.
    pub position: Position,
    /// The restricted key.
    pub access_key_id: AccessKeyId,
}

/// Ends an exception early.
///
/// # Errors
/// [`RevokeFault`]; nothing is changed then.
pub async fn revoke(
    pool: &PgPool,
    exception_id: Uuid,
    by: &Actor,
    now: OffsetDateTime,
) -> Result<Revoked, RevokeFault> {
    let mut tx = pool.begin().await?;
    let at = revision::advance(&mut tx, now).await?;
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
    .ok_or(RevokeFault::NotFound)?;
    if !row.holds {
        return Err(RevokeFault::Over);
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
    let access_key_id = key_id(&row.access_key_id)?;
    let entry = Entry {
        at: now,
        actor: by,
        deed: Deed::RevokeException,
        access_key_id: Some(&access_key_id),
        restriction_id: Some(row.restriction_id),
        detail: serde_json::json!({ "exception_id": exception_id }),
    };
    audit::write(&mut tx, entry).await?;
    tx.commit().await?;
    Ok(Revoked {
        position: at.position(),
        access_key_id,
    })
}

/// An exception.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Exception)]
pub struct ExceptionView {
    /// UUID version 7.
    pub exception_id: Uuid,
    /// The restriction that it is an exception from.
    pub restriction_id: Uuid,
    /// The restricted key.
    pub access_key_id: String,
    /// The operations that it allows: `PRODUCT:Action`.
    pub operations: Vec<String>,
    /// The networks that it allows them from, in CIDR notation.
    pub networks: Vec<String>,
    /// Why, in the requester's words.
    pub reason: String,
    /// The requester: `operator:NAME`.
    pub asked_by: String,
    /// The approver: `operator:NAME`.
    pub approved_by: String,
    /// When it was approved and began.
    #[serde(with = "time::serde::rfc3339")]
    pub made_at: OffsetDateTime,
    /// When it expires.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// When it was ended early.
    #[serde(with = "time::serde::rfc3339::option")]
    pub revoked_at: Option<OffsetDateTime>,
    /// Who ended it: `operator:NAME`.
    pub revoked_by: Option<String>,
    /// `Holds`, `Revoked`, `Expired`, or `Over` if its restriction is lifted.
    pub state: String,
}

/// Which exceptions are wanted, the newest first.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// This one alone.
    pub exception_id: Option<Uuid>,
    /// Of this key.
    pub access_key_id: Option<String>,
    /// In this state.
    pub state: Option<String>,
    /// Older than this one: where the last page ended.
    pub before: Option<Uuid>,
    /// At most so many.
    pub limit: i64,
}

/// Reads exceptions.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn list(
    pool: &PgPool,
    wanted: &Wanted,
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
             e.asked_by,
             e.approved_by,
             e.made_at,
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
                 WHEN r.state = 'Lifted' THEN 'Over'
                 ELSE 'Holds'
             END
         ) AS s (state)
         WHERE ($2::uuid IS NULL OR e.exception_id = $2)
           AND ($3::text IS NULL OR r.access_key_id = $3)
           AND ($4::text IS NULL OR s.state = $4)
           AND ($5::uuid IS NULL OR e.exception_id < $5)
         ORDER BY e.exception_id DESC
         LIMIT $6",
        now,
        wanted.exception_id,
        wanted.access_key_id.as_deref(),
        wanted.state.as_deref(),
        wanted.before,
        wanted.limit
    )
    .fetch_all(pool)
    .await?;
    Ok(views)
}

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(T::to_string).collect()
}
