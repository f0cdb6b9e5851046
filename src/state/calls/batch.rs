//! Writes records in batches, with one statement for each kind.

use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{CallOutcome, CallRecord};
use crate::directory::{StateFault, collect_column};
use akgate_rules::verdict::Profile;

/// The outcome of an intent.
#[derive(Debug, Clone)]
pub struct SettledIntent {
    /// The call.
    pub request_id: Uuid,
    /// The signed time, which determines the partition.
    pub signed_at: OffsetDateTime,
    /// The outcome.
    pub outcome: CallOutcome,
    /// HTTP status of upstream's answer.
    pub status: Option<u16>,
    /// Error code of upstream's answer.
    pub code: Option<String>,
    /// When it was known.
    pub at: OffsetDateTime,
    /// What its intent said that it would make.
    pub made: Option<String>,
}

impl SettledIntent {
    /// What was not made after all; an upstream that failed may have made it.
    fn not_made(&self) -> Option<&str> {
        let was_refused = match self.outcome {
            CallOutcome::NotForwarded => true,
            CallOutcome::Failed => self.status.is_some_and(|status| status < 500),
            CallOutcome::Succeeded | CallOutcome::Unknown | CallOutcome::NotRecorded => false,
        };
        self.made.as_deref().filter(|_| was_refused)
    }
}

/// A call that policy refused.
#[derive(Debug, Clone)]
pub struct RefusedCall {
    /// The record of the call.
    pub call: CallRecord,
    /// The restriction that forbade it.
    pub restriction_id: Option<Uuid>,
    /// The call passed, because the policy is in shadow mode or not yet enforced.
    pub withheld: bool,
    /// The profile by which it was decided.
    pub profile: Profile,
    /// The revision of the registry that the node knew.
    pub revision: i64,
}

/// The key of a call count.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CountKey {
    /// The key that signed.
    pub access_key_id: akgate_rules::access_key::AccessKeyId,
    /// Start of the hour, UTC.
    pub hour: OffsetDateTime,
    /// Product code.
    pub product: String,
    /// API version.
    pub version: String,
    /// Action.
    pub action: String,
}

/// A call count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallCount {
    /// Calls that went upstream.
    pub forwarded: i64,
    /// Calls that policy refused.
    pub refused: i64,
}

impl CallCount {
    /// Takes in more.
    pub fn add(&mut self, more: Self) {
        self.forwarded += more.forwarded;
        self.refused += more.refused;
    }
}

/// A kind of record that is written many at a time.
pub trait BulkRecord: Sized + Send + Sync {
    /// Writes some in one statement.
    fn write(pool: &PgPool, some: &[Self]) -> impl Future<Output = Result<(), StateFault>> + Send;
}

impl BulkRecord for SettledIntent {
    fn write(pool: &PgPool, some: &[Self]) -> impl Future<Output = Result<(), StateFault>> + Send {
        settle_intents(pool, some)
    }
}

impl BulkRecord for RefusedCall {
    fn write(pool: &PgPool, some: &[Self]) -> impl Future<Output = Result<(), StateFault>> + Send {
        insert_refusals(pool, some)
    }
}

impl BulkRecord for (CountKey, CallCount) {
    fn write(pool: &PgPool, some: &[Self]) -> impl Future<Output = Result<(), StateFault>> + Send {
        add_call_counts(pool, some)
    }
}

async fn settle_intents(pool: &PgPool, settled: &[SettledIntent]) -> Result<(), StateFault> {
    let (Some(first), Some(last)) = (
        settled.iter().map(|one| one.signed_at).min(),
        settled.iter().map(|one| one.signed_at).max(),
    ) else {
        return Ok(());
    };
    let not_made: Vec<(Uuid, &str)> = settled
        .iter()
        .filter_map(|one| Some((one.request_id, one.not_made()?)))
        .collect();
    sqlx::query!(
        "WITH not_made AS (
             DELETE FROM creations c
             USING unnest($9::uuid[], $10::text[]) AS n (request_id, made)
             WHERE c.made = n.made
               AND c.request_id = n.request_id
         )
         UPDATE intents i
         SET outcome = n.outcome,
             status = n.status,
             code = n.code,
             settled_at = n.settled_at
         FROM unnest(
             $1::uuid[],
             $2::timestamptz[],
             $3::text[],
             $4::integer[],
             $5::text[],
             $6::timestamptz[]
         ) AS n (request_id, signed_at, outcome, status, code, settled_at)
         WHERE i.request_id = n.request_id
           AND i.signed_at = n.signed_at
           AND i.signed_at BETWEEN $7 AND $8",
        &collect_column(settled, |one| one.request_id),
        &collect_column(settled, |one| one.signed_at),
        &collect_column(settled, |one| one.outcome.as_str().to_owned()),
        &collect_column(settled, |one| one.status.map(i32::from)) as &[Option<i32>],
        &collect_column(settled, |one| one.code.clone()) as &[Option<String>],
        &collect_column(settled, |one| one.at),
        first,
        last,
        &collect_column(&not_made, |(request_id, _)| *request_id),
        &collect_column(&not_made, |(_, made)| *made) as &[&str]
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// One that is there stays as it is.
async fn insert_refusals(pool: &PgPool, refused: &[RefusedCall]) -> Result<(), StateFault> {
    if refused.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO refusals (
             request_id,
             access_key_id,
             restriction_id,
             account_id,
             product,
             version,
             action,
             effect,
             withheld,
             names,
             source_ip,
             user_agent,
             refused_at,
             profile,
             revision
         )
         SELECT *
         FROM unnest(
             $1::uuid[],
             $2::text[],
             $3::uuid[],
             $4::text[],
             $5::text[],
             $6::text[],
             $7::text[],
             $8::text[],
             $9::boolean[],
             $10::jsonb[],
             $11::text[],
             $12::text[],
             $13::timestamptz[],
             $14::text[],
             $15::bigint[]
         )
         ON CONFLICT DO NOTHING",
        &collect_column(refused, |one| one.call.request_id),
        &collect_column(refused, |one| one.call.key().to_owned()),
        &collect_column(refused, |one| one.restriction_id) as &[Option<Uuid>],
        &collect_column(refused, |one| one.call.account_id.clone()),
        &collect_column(refused, |one| one.call.product.clone()),
        &collect_column(refused, |one| one.call.version.clone()),
        &collect_column(refused, |one| one.call.action.clone()),
        &collect_column(refused, |one| one.call.effect.to_owned()),
        &collect_column(refused, |one| one.withheld),
        &collect_column(refused, |one| serde_json::Value::Object(
            one.call.names.clone()
        )),
        &collect_column(refused, |one| one.call.source_ip.clone()),
        &collect_column(refused, |one| one.call.user_agent.clone()),
        &collect_column(refused, |one| one.call.received_at),
        &collect_column(refused, |one| one.profile.as_str().to_owned()),
        &collect_column(refused, |one| one.revision)
    )
    .execute(pool)
    .await?;
    Ok(())
}

async fn add_call_counts(
    pool: &PgPool,
    counts: &[(CountKey, CallCount)],
) -> Result<(), StateFault> {
    if counts.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO call_counts AS c (
             access_key_id,
             hour,
             product,
             version,
             action,
             forwarded,
             refused
         )
         SELECT *
         FROM unnest(
             $1::text[],
             $2::timestamptz[],
             $3::text[],
             $4::text[],
             $5::text[],
             $6::bigint[],
             $7::bigint[]
         ) AS n (access_key_id, hour, product, version, action, forwarded, refused)
         ORDER BY 1, 2, 3, 4, 5
         ON CONFLICT (access_key_id, hour, product, version, action) DO UPDATE
         SET forwarded = c.forwarded + excluded.forwarded,
             refused = c.refused + excluded.refused",
        &collect_column(counts, |(key, _)| key.access_key_id.as_str().to_owned()),
        &collect_column(counts, |(key, _)| key.hour),
        &collect_column(counts, |(key, _)| key.product.clone()),
        &collect_column(counts, |(key, _)| key.version.clone()),
        &collect_column(counts, |(key, _)| key.action.clone()),
        &collect_column(counts, |(_, count)| count.forwarded),
        &collect_column(counts, |(_, count)| count.refused)
    )
    .execute(pool)
    .await?;
    Ok(())
}
