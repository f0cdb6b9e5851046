//! Writing what was gathered: one statement for each kind of record.

use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{CallRecord, Outcome};
use crate::directory::{StateFault, column};
use akgate_rules::verdict::Profile;

/// What came of an intent.
#[derive(Debug, Clone)]
pub struct Settled {
    /// The call.
    pub request_id: Uuid,
    /// When it was signed: chooses the partition.
    pub signed_at: OffsetDateTime,
    /// What came of it.
    pub outcome: Outcome,
    /// HTTP status of upstream's answer.
    pub status: Option<u16>,
    /// Error code of upstream's answer.
    pub code: Option<String>,
    /// When it was known.
    pub at: OffsetDateTime,
}

/// A call that policy refused.
#[derive(Debug, Clone)]
pub struct Refused {
    /// What is kept of it.
    pub call: CallRecord,
    /// The restriction that forbade it.
    pub restriction_id: Option<Uuid>,
    /// It passed: the policy is in shadow or not yet in force.
    pub withheld: bool,
    /// The profile by which it was decided.
    pub profile: Profile,
    /// The revision of the registry that the node knew.
    pub revision: i64,
}

/// What calls are counted by.
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

/// How often.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Calls that went upstream.
    pub forwarded: i64,
    /// Calls that policy refused.
    pub refused: i64,
}

impl Count {
    /// Takes in more.
    pub fn add(&mut self, more: Self) {
        self.forwarded += more.forwarded;
        self.refused += more.refused;
    }
}

/// A kind of record that is written many at a time.
pub trait Batch: Sized + Send + Sync {
    /// Writes some in one statement.
    fn write(pool: &PgPool, some: &[Self]) -> impl Future<Output = Result<(), StateFault>> + Send;
}

impl Batch for Settled {
    fn write(pool: &PgPool, some: &[Self]) -> impl Future<Output = Result<(), StateFault>> + Send {
        write_settled(pool, some)
    }
}

impl Batch for Refused {
    fn write(pool: &PgPool, some: &[Self]) -> impl Future<Output = Result<(), StateFault>> + Send {
        write_refused(pool, some)
    }
}

impl Batch for (CountKey, Count) {
    fn write(pool: &PgPool, some: &[Self]) -> impl Future<Output = Result<(), StateFault>> + Send {
        add_counts(pool, some)
    }
}

async fn write_settled(pool: &PgPool, settled: &[Settled]) -> Result<(), StateFault> {
    let (Some(first), Some(last)) = (
        settled.iter().map(|one| one.signed_at).min(),
        settled.iter().map(|one| one.signed_at).max(),
    ) else {
        return Ok(());
    };
    sqlx::query!(
        "UPDATE intents i
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
        &column(settled, |one| one.request_id),
        &column(settled, |one| one.signed_at),
        &column(settled, |one| one.outcome.as_str().to_owned()),
        &column(settled, |one| one.status.map(i32::from)) as &[Option<i32>],
        &column(settled, |one| one.code.clone()) as &[Option<String>],
        &column(settled, |one| one.at),
        first,
        last
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// One that is there stays as it is.
async fn write_refused(pool: &PgPool, refused: &[Refused]) -> Result<(), StateFault> {
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
        &column(refused, |one| one.call.request_id),
        &column(refused, |one| one.call.key().to_owned()),
        &column(refused, |one| one.restriction_id) as &[Option<Uuid>],
        &column(refused, |one| one.call.account_id.clone()),
        &column(refused, |one| one.call.product.clone()),
        &column(refused, |one| one.call.version.clone()),
        &column(refused, |one| one.call.action.clone()),
        &column(refused, |one| one.call.effect.to_owned()),
        &column(refused, |one| one.withheld),
        &column(refused, |one| serde_json::Value::Object(
            one.call.names.clone()
        )),
        &column(refused, |one| one.call.source_ip.clone()),
        &column(refused, |one| one.call.user_agent.clone()),
        &column(refused, |one| one.call.received_at),
        &column(refused, |one| one.profile.as_str().to_owned()),
        &column(refused, |one| one.revision)
    )
    .execute(pool)
    .await?;
    Ok(())
}

async fn add_counts(pool: &PgPool, counts: &[(CountKey, Count)]) -> Result<(), StateFault> {
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
        &column(counts, |(key, _)| key.access_key_id.as_str().to_owned()),
        &column(counts, |(key, _)| key.hour),
        &column(counts, |(key, _)| key.product.clone()),
        &column(counts, |(key, _)| key.version.clone()),
        &column(counts, |(key, _)| key.action.clone()),
        &column(counts, |(_, count)| count.forwarded),
        &column(counts, |(_, count)| count.refused)
    )
    .execute(pool)
    .await?;
    Ok(())
}
