//! Intents: written before a call is forwarded, unique per key, nonce and signed time.

use std::collections::{BTreeSet, HashMap};

use sqlx::PgPool;
use time::{OffsetDateTime, UtcOffset};
use uuid::Uuid;

use super::{CallRecord, partitions};
use crate::{
    batches::WriteBatch,
    directory::{StateFault, collect_column},
};
use akgate_rules::position::{History, Position};

/// A call that is about to be forwarded.
#[derive(Debug, Clone)]
pub struct Intent {
    /// The record of the call.
    pub call: CallRecord,
    /// The nonce that was signed.
    pub nonce: String,
    /// The time that was signed.
    pub signed_at: OffsetDateTime,
    /// Why it is permitted.
    pub grounds: &'static str,
    /// What the call counts for when its session is gone; `None` where the signer is that itself.
    pub root: Option<String>,
    /// What it makes, if it succeeds. Access keys and sessions are not here: their answers name them.
    pub made: Option<Creation>,
}

/// Something that a call makes, and what that descends from ([`akgate_rules::lineage`]).
#[derive(Debug, Clone)]
pub struct Creation {
    /// What is made.
    pub made: String,
    /// What it descends from.
    pub origins: Vec<String>,
}

/// The result of writing an intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntentOutcome {
    /// It is written; this is where the registry stood when the statement began. `None` if the database runs on another
    /// server whose history is not stamped yet.
    At(Option<Position>),
    /// The same call was accepted before, by this node or another.
    Replay,
}

/// Writes intents, many in one statement. Creates missing partitions.
pub struct IntentWriter {
    pool: PgPool,
}

impl IntentWriter {
    /// Creates a writer.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

impl WriteBatch for IntentWriter {
    type Item = Intent;
    type Outcome = IntentOutcome;

    async fn write(&self, intents: &[Intent]) -> Result<Vec<IntentOutcome>, StateFault> {
        match insert_intents(&self.pool, intents).await {
            // No partition for the day of one of them.
            Err(StateFault::Database(sqlx::Error::Database(fault)))
                if fault.code().as_deref() == Some("23514") =>
            {
                let days: BTreeSet<_> = intents
                    .iter()
                    .map(|one| one.signed_at.to_offset(UtcOffset::UTC).date())
                    .collect();
                for day in days {
                    let midnight = day.midnight().assume_utc();
                    partitions::ensure_partitions(&self.pool, midnight).await?;
                }
                insert_intents(&self.pool, intents).await
            }
            written => written,
        }
    }
}

async fn insert_intents(
    pool: &PgPool,
    intents: &[Intent],
) -> Result<Vec<IntentOutcome>, StateFault> {
    let calls = collect_column(intents, |intent| &intent.call);
    // What a call makes is written before it is made, so that nothing can come through it unseen; what failed is taken
    // back with the outcome.
    let made: Vec<(&Intent, &str, &str)> = intents
        .iter()
        .filter_map(|intent| Some((intent, intent.made.as_ref()?)))
        .flat_map(|(intent, creation)| {
            let origins = creation.origins.iter();
            origins.map(move |origin| (intent, origin.as_str(), creation.made.as_str()))
        })
        .collect();
    // The revision is read in the snapshot that the statement begins with, even if the statement then waits: it shows every
    // change that was committed before, and no more is claimed. Rows are sorted, so that two statements cannot deadlock.
    let rows = sqlx::query!(
        "WITH written AS (
             INSERT INTO intents (
                 access_key_id,
                 nonce,
                 signed_at,
                 request_id,
                 account_id,
                 principal,
                 product,
                 version,
                 action,
                 effect,
                 grounds,
                 names,
                 source_ip,
                 user_agent,
                 received_at,
                 root
             )
             SELECT *
             FROM unnest(
                 $1::text[],
                 $2::text[],
                 $3::timestamptz[],
                 $4::uuid[],
                 $5::text[],
                 $6::text[],
                 $7::text[],
                 $8::text[],
                 $9::text[],
                 $10::text[],
                 $11::text[],
                 $12::jsonb[],
                 $13::text[],
                 $14::text[],
                 $15::timestamptz[],
                 $16::text[]
             )
             ORDER BY 1, 2, 3
             ON CONFLICT DO NOTHING
             RETURNING request_id, access_key_id, received_at
         ),
         made AS (
             INSERT INTO creations (origin, made, request_id, made_by, made_at)
             SELECT n.origin, n.made, w.request_id, w.access_key_id, w.received_at
             FROM unnest($17::uuid[], $18::text[], $19::text[]) AS n (request_id, origin, made)
             JOIN written w USING (request_id)
             ON CONFLICT DO NOTHING
         )
         SELECT
             request_id,
             (SELECT revision FROM registry_revision) AS \"revision!\",
             (SELECT history FROM registry_revision WHERE timeline = registry_timeline()) AS history
         FROM written",
        &collect_column(&calls, |call| call.key()) as &[&str],
        &collect_column(intents, |intent| intent.nonce.as_str()) as &[&str],
        &collect_column(intents, |intent| intent.signed_at),
        &collect_column(&calls, |call| call.request_id),
        &collect_column(&calls, |call| call.account_id.as_str()) as &[&str],
        &collect_column(&calls, |call| call.principal.as_str()) as &[&str],
        &collect_column(&calls, |call| call.product.as_str()) as &[&str],
        &collect_column(&calls, |call| call.version.as_str()) as &[&str],
        &collect_column(&calls, |call| call.action.as_str()) as &[&str],
        &collect_column(&calls, |call| call.effect) as &[&str],
        &collect_column(intents, |intent| intent.grounds) as &[&str],
        &collect_column(&calls, |call| serde_json::Value::Object(call.names.clone())),
        &collect_column(&calls, |call| call.source_ip.as_str()) as &[&str],
        &collect_column(&calls, |call| call.user_agent.as_str()) as &[&str],
        &collect_column(&calls, |call| call.received_at),
        &collect_column(intents, |intent| intent.root.as_deref()) as &[Option<&str>],
        &collect_column(&made, |(intent, ..)| intent.call.request_id),
        &collect_column(&made, |(_, origin, _)| *origin) as &[&str],
        &collect_column(&made, |(.., made)| *made) as &[&str]
    )
    .fetch_all(pool)
    .await?;
    let written: HashMap<Uuid, Option<Position>> = rows
        .into_iter()
        .map(|row| {
            let position = row.history.map(|history| Position {
                history: History(history),
                revision: row.revision,
            });
            (row.request_id, position)
        })
        .collect();
    let outcome = |call: &&CallRecord| match written.get(&call.request_id) {
        Some(position) => IntentOutcome::At(*position),
        None => IntentOutcome::Replay,
    };
    Ok(calls.iter().map(outcome).collect())
}
