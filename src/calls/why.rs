//! Why a call was refused: for whoever made it, by the RequestId and the key that signed.

use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{access_key::AccessKeyId, directory::StateFault};

/// A refused call, and the restriction that forbade it.
#[derive(Debug, Clone)]
pub struct Why {
    /// Product code.
    pub product: String,
    /// Action.
    pub action: String,
    /// When it was refused.
    pub refused_at: OffsetDateTime,
    /// The restricted key: the one that signed, or the one that its session descends from.
    pub restricted_key: String,
    /// Since when it is restricted.
    pub imposed_at: OffsetDateTime,
    /// Imposed, Remediated or Lifted.
    pub state: String,
}

/// Finds a refusal that is on record. Both ids must be those of the call.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn find(
    pool: &PgPool,
    request_id: Uuid,
    access_key_id: &AccessKeyId,
) -> Result<Option<Why>, StateFault> {
    let found = sqlx::query_as!(
        Why,
        "SELECT
             c.product,
             c.action,
             c.refused_at,
             r.access_key_id AS restricted_key,
             r.imposed_at,
             r.state
         FROM refusals c
         JOIN restrictions r USING (restriction_id)
         WHERE c.request_id = $1
           AND c.access_key_id = $2
           AND NOT c.withheld",
        request_id,
        access_key_id.as_str()
    )
    .fetch_optional(pool)
    .await?;
    Ok(found)
}
