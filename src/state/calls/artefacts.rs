//! Artefacts: what a leaked key created and changed since it became public, which its owner has to review.

use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::directory::StateFault;
use akgate_rules::{access_key::AccessKeyId, evidence::sanitize_text};

/// A change that the key or a session of it made, or a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Artefact {
    /// `call:REQUEST_ID` or `session:ID`.
    pub id: String,
    /// Product code.
    pub product: String,
    /// Action.
    pub action: String,
    /// What was changed, as `Mutate(Identity)`; `MintSession` for a session.
    pub effect: String,
    /// The objects' names, each ready to be shown; keys are masked.
    pub names: Vec<String>,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Where the call came from; empty for a session.
    pub source_ip: String,
    /// Until when a session works.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
    /// Whether the owner has reviewed it.
    pub is_acknowledged: bool,
}

/// Reads what a key and its sessions created and changed since an instant: unreviewed ones first, then the newest
/// first.
///
/// # Errors
/// [`StateFault`].
pub async fn list_artefacts_since(
    db: &mut PgConnection,
    access_key_id: &AccessKeyId,
    restriction_id: Uuid,
    since: OffsetDateTime,
    limit: i64,
) -> Result<Vec<Artefact>, StateFault> {
    let rows = sqlx::query!(
        "WITH lineage AS (
             SELECT $1::text AS access_key_id
             UNION ALL
             SELECT access_key_id
             FROM sessions
             WHERE ancestors @> ARRAY[$1]
         ), made AS (
             SELECT
                 'call:' || i.request_id AS id,
                 i.product,
                 i.action,
                 i.effect,
                 i.names,
                 i.received_at AS at,
                 i.source_ip,
                 NULL::timestamptz AS expires_at
             FROM intents i
             JOIN lineage USING (access_key_id)
             WHERE i.received_at >= $3
               AND i.signed_at >= $3::timestamptz - interval '1 hour'
               AND i.effect LIKE 'Mutate(%'
               AND i.grounds <> 'self-remedy'
               AND COALESCE(i.outcome, 'Unknown') IN ('Succeeded', 'Unknown', 'NotRecorded')
             UNION ALL
             SELECT
                 'session:' || access_key_id,
                 'Sts',
                 'AssumeRole',
                 'MintSession',
                 jsonb_build_object('RoleArn', principal),
                 minted_at,
                 '',
                 expires_at
             FROM sessions
             WHERE ancestors @> ARRAY[$1]
               AND minted_at >= $3
         )
         SELECT
             m.id AS \"id!\",
             m.product AS \"product!\",
             m.action AS \"action!\",
             m.effect AS \"effect!\",
             m.names AS \"names!\",
             m.at AS \"at!\",
             m.source_ip AS \"source_ip!\",
             m.expires_at,
             a.artefact IS NOT NULL AS \"is_acknowledged!\"
         FROM made m
         LEFT JOIN acknowledgements a ON a.restriction_id = $2 AND a.artefact = m.id
         ORDER BY a.artefact IS NOT NULL, m.at DESC, m.id
         LIMIT $4",
        access_key_id.as_str(),
        restriction_id,
        since,
        limit
    )
    .fetch_all(db)
    .await?;
    let artefacts = rows.into_iter().map(|row| Artefact {
        id: row.id,
        product: row.product,
        action: row.action,
        effect: row.effect,
        names: row
            .names
            .as_object()
            .map(displayed_names)
            .unwrap_or_default(),
        at: row.at,
        source_ip: row.source_ip,
        expires_at: row.expires_at,
        is_acknowledged: row.is_acknowledged,
    });
    Ok(artefacts.collect())
}

/// Calls of a key and its sessions since then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CallTotals {
    /// That went upstream.
    pub forwarded: i64,
    /// That policy refused.
    pub refused: i64,
}

/// Counts the calls of a key and its sessions since the hour of then.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn count_calls_since(
    db: &mut PgConnection,
    access_key_id: &AccessKeyId,
    since: OffsetDateTime,
) -> Result<CallTotals, StateFault> {
    let calls = sqlx::query_as!(
        CallTotals,
        "SELECT
             COALESCE(sum(forwarded), 0)::bigint AS \"forwarded!\",
             COALESCE(sum(refused), 0)::bigint AS \"refused!\"
         FROM call_counts
         WHERE hour >= date_trunc('hour', $2::timestamptz)
           AND (
               access_key_id = $1
               OR access_key_id IN (
                   SELECT access_key_id
                   FROM sessions
                   WHERE ancestors @> ARRAY[$1]
               )
           )",
        access_key_id.as_str(),
        since
    )
    .fetch_one(db)
    .await?;
    Ok(calls)
}

/// Marks artefacts as reviewed. Unknown ids have no effect.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn acknowledge_artefacts(
    db: &mut PgConnection,
    restriction_id: Uuid,
    ids: &[String],
    by: &str,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    sqlx::query!(
        "INSERT INTO acknowledgements (restriction_id, artefact, acknowledged_at, acknowledged_by)
         SELECT $1, artefact, $3, $4
         FROM unnest($2::text[]) AS n (artefact)
         ON CONFLICT DO NOTHING",
        restriction_id,
        ids,
        now,
        by
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The names that a record keeps, as they are shown.
fn displayed_names(names: &Map<String, Value>) -> Vec<String> {
    let shown = names.iter().filter_map(|(name, value)| {
        let value = value.as_str()?;
        match name.as_str() {
            "UserAccessKeyId" => Some(
                AccessKeyId::parse(value).map_or_else(|_| sanitize_text(value), |id| id.masked()),
            ),
            // These parameters do not name an object.
            "Status" | "PolicyType" | "DurationSeconds" | "SetAsDefault" => None,
            _ => Some(sanitize_text(value)),
        }
    });
    shown.collect()
}
