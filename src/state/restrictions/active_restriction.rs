//! Finds the restriction in force on a key, for changes that need an approval.

use sqlx::PgTransaction;
use uuid::Uuid;

use crate::approvals::RequestError;
use crate::directory::{StateFault, keys::parse_key_id};
use akgate_rules::{access_key::AccessKeyId, exception::ScopeFault, restriction::RestrictionState};

/// Why a request about a leaked key is refused.
#[derive(Debug, thiserror::Error)]
pub enum ActiveRestrictionFault {
    /// It is not restricted, so it is not known to have leaked.
    #[error("the key is not restricted")]
    NotRestricted,
    /// It is not active, or unknown.
    #[error("the access key is not active")]
    NotActive,
    /// With its other exceptions, too much would pass.
    #[error(transparent)]
    Scope(#[from] ScopeFault),
    /// It is not asked for.
    #[error(transparent)]
    Request(#[from] RequestError),
}

impl From<sqlx::Error> for ActiveRestrictionFault {
    fn from(fault: sqlx::Error) -> Self {
        Self::Request(fault.into())
    }
}

impl From<StateFault> for ActiveRestrictionFault {
    fn from(fault: StateFault) -> Self {
        Self::Request(fault.into())
    }
}

/// Reads a state as the database has it.
pub(crate) fn parse_state(text: &str) -> Result<RestrictionState, StateFault> {
    text.parse().map_err(|_| StateFault::Corrupt("state"))
}

/// The restriction of a key that is in force.
pub(crate) async fn find_active_restriction(
    tx: &mut PgTransaction<'_>,
    access_key_id: &AccessKeyId,
) -> Result<Uuid, ActiveRestrictionFault> {
    let found = sqlx::query_scalar!(
        "SELECT restriction_id
         FROM restrictions
         WHERE access_key_id = $1
           AND state <> 'Lifted'",
        access_key_id.as_str()
    )
    .fetch_optional(&mut **tx)
    .await?;
    found.ok_or(ActiveRestrictionFault::NotRestricted)
}

/// The key of a restriction that is in force.
pub(crate) async fn find_restricted_key(
    tx: &mut PgTransaction<'_>,
    restriction_id: Uuid,
) -> Result<AccessKeyId, ActiveRestrictionFault> {
    let found = sqlx::query_scalar!(
        "SELECT access_key_id
         FROM restrictions
         WHERE restriction_id = $1
           AND state <> 'Lifted'",
        restriction_id
    )
    .fetch_optional(&mut **tx)
    .await?;
    let found = found.ok_or(ActiveRestrictionFault::NotRestricted)?;
    Ok(parse_key_id(&found)?)
}
