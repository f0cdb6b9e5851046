//! Why a call was refused: the reason of the restriction, and the lookup for a caller who has the RequestId and the
//! AccessKeyId.

use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::directory::StateFault;
use akgate_rules::access_key::AccessKeyId;

/// What a restriction forbids, as far as a refused call is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalReason {
    /// Changing identities, credentials or permissions.
    Change,
    /// Showing a secret.
    Disclosure,
    /// A sensitive read, since the restriction was widened.
    SensitiveRead,
    /// A read of RAM or IMS, by the profile `strict`.
    StrictRead,
    /// What the catalogue does not know.
    Unknown,
    /// What the profile `strict` lists.
    Listed,
    /// None of these: the catalogue has changed since.
    Other,
}

impl RefusalReason {
    /// By the effect and the profile on record of a call that came `at`, and since when the restriction is widened.
    #[must_use]
    pub fn of(
        effect: &str,
        profile: Option<&str>,
        widened_at: Option<OffsetDateTime>,
        at: OffsetDateTime,
    ) -> Self {
        let was_widened = widened_at.is_some_and(|widened_at| widened_at <= at);
        match effect {
            "Read" if was_widened => Self::SensitiveRead,
            "Read" => Self::StrictRead,
            "Disclose" => Self::Disclosure,
            "Unknown" => Self::Unknown,
            effect if effect.starts_with("Mutate") && effect != "Mutate(Other)" => Self::Change,
            _ if profile == Some("strict") => Self::Listed,
            _ => Self::Other,
        }
    }
}

/// A refused call, and the restriction that forbade it.
#[derive(Debug, Clone)]
pub struct ExplainedRefusal {
    /// Product code.
    pub product: String,
    /// Action.
    pub action: String,
    /// What it would have changed.
    pub effect: String,
    /// The profile by which it was refused; `None` where that was not kept yet.
    pub profile: Option<String>,
    /// When it was refused.
    pub refused_at: OffsetDateTime,
    /// The restricted key: the one that signed, or the one that its session descends from.
    pub restricted_key: String,
    /// Since when it is restricted.
    pub imposed_at: OffsetDateTime,
    /// Since when it forbids sensitive reads as well.
    pub widened_at: Option<OffsetDateTime>,
    /// Imposed, Confirmed or Lifted.
    pub state: String,
    /// Whether its delivery was undone as a mistake.
    pub undone: bool,
    /// Whether the key is restricted because it descends from a leaked one.
    pub is_descendant: bool,
}

impl ExplainedRefusal {
    /// What of the call the restriction forbids.
    #[must_use]
    pub fn forbidden(&self) -> RefusalReason {
        let profile = self.profile.as_deref();
        RefusalReason::of(&self.effect, profile, self.widened_at, self.refused_at)
    }
}

/// Finds a refusal that is on record. Both ids must be those of the call.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn find_refusal(
    pool: &PgPool,
    request_id: Uuid,
    access_key_id: &AccessKeyId,
) -> Result<Option<ExplainedRefusal>, StateFault> {
    let found = sqlx::query_as!(
        ExplainedRefusal,
        "SELECT
             c.product,
             c.action,
             c.effect,
             c.profile,
             c.refused_at,
             r.access_key_id AS restricted_key,
             r.imposed_at,
             r.widened_at,
             r.state,
             COALESCE(r.lifted_revision = 0, false) AS \"undone!\",
             r.ancestor_id IS NOT NULL AS \"is_descendant!\"
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
