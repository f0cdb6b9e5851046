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
    /// By the product, the effect and the profile on record. A read is refused by `strict`, which lists all of RAM and
    /// IMS, or because the restriction was widened.
    #[must_use]
    pub fn of(product: &str, effect: &str, profile: Option<&str>) -> Self {
        match effect {
            "Read" if profile == Some("strict") && matches!(product, "RAM" | "IMS") => {
                Self::StrictRead
            }
            "Read" => Self::SensitiveRead,
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
        RefusalReason::of(&self.product, &self.effect, self.profile.as_deref())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_read_is_explained_by_what_refuses_it() {
        let (mutations, strict) = (Some("mutations"), Some("strict"));
        for (product, effect, profile, reason) in [
            ("RAM", "Read", strict, RefusalReason::StrictRead),
            ("IMS", "Read", strict, RefusalReason::StrictRead),
            ("RAM", "Read", mutations, RefusalReason::SensitiveRead),
            (
                "ResourceManager",
                "Read",
                strict,
                RefusalReason::SensitiveRead,
            ),
            ("RAM", "Read", None, RefusalReason::SensitiveRead),
            ("RAM", "Mutate(Other)", strict, RefusalReason::Listed),
            ("Ecs", "Uncatalogued", strict, RefusalReason::Listed),
            ("RAM", "Mutate(Other)", mutations, RefusalReason::Other),
            ("RAM", "Mutate(Identity)", strict, RefusalReason::Change),
        ] {
            let found = RefusalReason::of(product, effect, profile);
            assert_eq!(found, reason, "{product} {effect} {profile:?}");
        }
    }
}
