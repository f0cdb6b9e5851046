//! Intents: written before a call is forwarded, unique per key, nonce and signed time.

use sqlx::PgPool;
use time::OffsetDateTime;

use super::{CallRecord, partitions};
use crate::directory::StateFault;
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

/// Writes an intent. Its partition is made where it is missing.
///
/// # Errors
/// [`StateFault`]; nothing is written then.
pub async fn insert_intent(pool: &PgPool, intent: &Intent) -> Result<IntentOutcome, StateFault> {
    match try_insert_intent(pool, intent).await {
        // No partition for its day.
        Err(StateFault::Database(sqlx::Error::Database(fault)))
            if fault.code().as_deref() == Some("23514") =>
        {
            partitions::ensure_partitions(pool, intent.signed_at).await?;
            try_insert_intent(pool, intent).await
        }
        written => written,
    }
}

async fn try_insert_intent(pool: &PgPool, intent: &Intent) -> Result<IntentOutcome, StateFault> {
    let call = &intent.call;
    // The counter is read in the snapshot that the statement begins with, also where it waits: it shows every change
    // that was committed before, and no more is claimed.
    let row = sqlx::query!(
        "INSERT INTO intents (
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
             received_at
         )
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         ON CONFLICT DO NOTHING
         RETURNING
             (SELECT revision FROM registry_revision) AS \"revision!\",
             (SELECT history FROM registry_revision WHERE timeline = registry_timeline()) AS history",
        call.key(),
        intent.nonce,
        intent.signed_at,
        call.request_id,
        call.account_id,
        call.principal,
        call.product,
        call.version,
        call.action,
        call.effect,
        intent.grounds,
        serde_json::Value::Object(call.names.clone()),
        call.source_ip,
        call.user_agent,
        call.received_at
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map_or(IntentOutcome::Replay, |row| {
        IntentOutcome::At(row.history.map(|history| Position {
            history: History(history),
            revision: row.revision,
        }))
    }))
}
