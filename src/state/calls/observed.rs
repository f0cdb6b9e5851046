//! Observations of a node that does not enforce yet: counts per hour, key, operation and outcome.
//!
//! In the path (shadow mode, or `enforce_from` in the future), a call that fails verification is still refused, and a
//! call that policy would refuse passes. A mirror forwards nothing and sees no answers, so it cannot tell keys and
//! sessions created since the last import from unknown ones: they are an outcome of their own.

mod report;

use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

pub use self::report::read_observation_report;
use super::batch::BulkRecord;
use crate::directory::StateFault;
use akgate_api::observations::ObservationPoint;

akgate_rules::text_enum! {
    /// What would have happened to a call.
    pub enum ObservedOutcome {
        /// It would have been forwarded.
        Passes = "Passes",
        /// It was verified, and policy would have refused it.
        WouldRefuse = "WouldRefuse",
        /// It would have been refused before policy: its signature, its time, its form.
        Fails = "Fails",
        /// The key is not in the directory: it was created since the last import, or does not exist.
        NotInDirectory = "NotInDirectory",
        /// The directory was not available.
        NotJudged = "NotJudged",
    }
}

impl ObservedOutcome {
    /// Whether the caller was authenticated; others can invent any number of keys.
    #[must_use]
    pub fn is_proven(self) -> bool {
        match self {
            Self::Passes | Self::WouldRefuse => true,
            Self::Fails | Self::NotInDirectory | Self::NotJudged => false,
        }
    }
}

/// What observations are counted by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObservedKey {
    /// Start of the hour, UTC.
    pub hour: OffsetDateTime,
    /// Where from.
    pub observation_point: ObservationPoint,
    /// What would have happened to the calls.
    pub sighted: ObservedOutcome,
    /// The key that signed, or is claimed; empty for none.
    pub access_key_id: String,
    /// Product code; empty for no known operation.
    pub product: String,
    /// Action; empty for no known operation.
    pub action: String,
    /// The error's code; empty for none.
    pub code: String,
}

/// How often, and the last one.
#[derive(Debug, Clone)]
pub struct Observation {
    /// How many.
    pub calls: i64,
    /// The error in words; empty for none.
    pub reason: String,
    /// Account of the principal; empty if the caller is not authenticated.
    pub account_id: String,
    /// ARN of the principal; empty if the caller is not authenticated.
    pub principal: String,
    /// What would have forbidden it.
    pub restriction_id: Option<Uuid>,
    /// The call.
    pub request_id: Uuid,
    /// Where it came from.
    pub source_ip: String,
    /// When.
    pub at: OffsetDateTime,
}

impl Observation {
    /// Takes in what is newer, or what could not be written before.
    pub fn add(&mut self, other: Self) {
        let calls = self.calls.saturating_add(other.calls);
        if other.at >= self.at {
            *self = other;
        }
        self.calls = calls;
    }
}

impl BulkRecord for (ObservedKey, Observation) {
    fn write(pool: &PgPool, some: &[Self]) -> impl Future<Output = Result<(), StateFault>> + Send {
        add_observations(pool, some)
    }
}

async fn add_observations(
    pool: &PgPool,
    seen: &[(ObservedKey, Observation)],
) -> Result<(), StateFault> {
    if seen.is_empty() {
        return Ok(());
    }
    let keys = |one: fn(&ObservedKey) -> String| -> Vec<String> {
        seen.iter().map(|(key, _)| one(key)).collect()
    };
    let texts = |one: fn(&Observation) -> String| -> Vec<String> {
        seen.iter().map(|(_, seen)| one(seen)).collect()
    };
    let hours: Vec<OffsetDateTime> = seen.iter().map(|(key, _)| key.hour).collect();
    let restrictions: Vec<Option<Uuid>> =
        seen.iter().map(|(_, seen)| seen.restriction_id).collect();
    let calls: Vec<i64> = seen.iter().map(|(_, seen)| seen.calls).collect();
    let requests: Vec<Uuid> = seen.iter().map(|(_, seen)| seen.request_id).collect();
    let times: Vec<OffsetDateTime> = seen.iter().map(|(_, seen)| seen.at).collect();
    sqlx::query!(
        "INSERT INTO observations AS o (
             hour,
             observation_point,
             outcome,
             access_key_id,
             product,
             action,
             code,
             reason,
             account_id,
             principal,
             restriction_id,
             calls,
             last_request_id,
             last_source_ip,
             last_at
         )
         SELECT *
         FROM unnest(
             $1::timestamptz[],
             $2::text[],
             $3::text[],
             $4::text[],
             $5::text[],
             $6::text[],
             $7::text[],
             $8::text[],
             $9::text[],
             $10::text[],
             $11::uuid[],
             $12::bigint[],
             $13::uuid[],
             $14::text[],
             $15::timestamptz[]
         )
         ORDER BY 1, 2, 3, 4, 5, 6, 7
         ON CONFLICT (hour, observation_point, outcome, access_key_id, product, action, code) DO UPDATE
         SET calls = o.calls + excluded.calls,
             reason = excluded.reason,
             account_id = excluded.account_id,
             principal = excluded.principal,
             restriction_id = excluded.restriction_id,
             last_request_id = excluded.last_request_id,
             last_source_ip = excluded.last_source_ip,
             last_at = GREATEST(o.last_at, excluded.last_at)",
        &hours,
        &keys(|key| key.observation_point.as_str().to_owned()),
        &keys(|key| key.sighted.as_str().to_owned()),
        &keys(|key| key.access_key_id.clone()),
        &keys(|key| key.product.clone()),
        &keys(|key| key.action.clone()),
        &keys(|key| key.code.clone()),
        &texts(|seen| seen.reason.clone()),
        &texts(|seen| seen.account_id.clone()),
        &texts(|seen| seen.principal.clone()),
        &restrictions as &[Option<Uuid>],
        &calls,
        &requests,
        &texts(|seen| seen.source_ip.clone()),
        &times
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Deletes what was seen before an instant.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn delete_observations_before(
    pool: &PgPool,
    before: OffsetDateTime,
) -> Result<(), StateFault> {
    sqlx::query!(
        "DELETE FROM observations
         WHERE hour < $1",
        before
    )
    .execute(pool)
    .await?;
    Ok(())
}
