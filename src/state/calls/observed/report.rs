//! The report of a node that watched: who fails and why, who would have been refused, who is not known.

use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::directory::StateFault;

/// What was observed in a period.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Observed)]
pub struct Report {
    /// Start, at a full hour.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// End.
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
    /// Numbers of calls.
    pub calls: Totals,
    /// Verified calls that the policy would have refused, most frequent first.
    pub would_be_refused: Vec<Refused>,
    /// Calls that failed verification, with the reason.
    pub failed: Vec<Failed>,
    /// Calls of keys and sessions that are not in the directory.
    pub not_in_directory: Vec<Unknown>,
    /// Whether a list was truncated.
    pub is_cut: bool,
}

/// Numbers of calls, by result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ObservedCalls)]
pub struct Totals {
    /// Calls that would have been forwarded.
    pub passed: i64,
    /// Calls that the policy would have refused.
    pub would_be_refused: i64,
    /// Calls that failed verification.
    pub failed: i64,
    /// Calls of keys that are not in the directory.
    pub not_in_directory: i64,
    /// Calls that could not be judged because the directory was unavailable.
    pub not_judged: i64,
}

/// Calls that the policy would have refused.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = WouldBeRefused)]
pub struct Refused {
    /// The key or session that signed.
    pub access_key_id: String,
    /// Its account.
    pub account_id: String,
    /// Its principal.
    pub principal: String,
    /// The restriction that would have caused the refusal.
    pub restriction_id: Option<Uuid>,
    /// Product code.
    pub product: String,
    /// Action.
    pub action: String,
    /// Number of calls.
    pub calls: i64,
    /// RequestId of the last call.
    pub last_request_id: Uuid,
    /// The address that the last call came from.
    pub last_source_ip: String,
    /// When the last call came.
    #[serde(with = "time::serde::rfc3339")]
    pub last_at: OffsetDateTime,
}

/// Calls that failed verification.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = FailedVerification)]
pub struct Failed {
    /// The key that was claimed; empty if none was, or if there are too many to list separately.
    pub access_key_id: String,
    /// Product code; empty if the operation is not known.
    pub product: String,
    /// Action; empty if the operation is not known.
    pub action: String,
    /// The error code.
    pub code: String,
    /// The last such error, in words.
    pub reason: String,
    /// Number of calls.
    pub calls: i64,
    /// RequestId of the last call.
    pub last_request_id: Uuid,
    /// The address that the last call came from.
    pub last_source_ip: String,
    /// When the last call came.
    #[serde(with = "time::serde::rfc3339")]
    pub last_at: OffsetDateTime,
}

/// Calls of a key that is not in the directory.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = NotInDirectory)]
pub struct Unknown {
    /// The key; empty if there are too many to list separately.
    pub access_key_id: String,
    /// `session` or `pair`.
    pub kind: &'static str,
    /// Product code; empty if the operation is not known.
    pub product: String,
    /// Action; empty if the operation is not known.
    pub action: String,
    /// Number of calls.
    pub calls: i64,
    /// The address that the last call came from.
    pub last_source_ip: String,
    /// When the last call came.
    #[serde(with = "time::serde::rfc3339")]
    pub last_at: OffsetDateTime,
}

/// Reads the report of what was seen from the hour of `since` to `until`, at a mirror, in shadow mode, or
/// both: at most `limit` rows of each list.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn report(
    pool: &PgPool,
    watch: Option<super::Watch>,
    since: OffsetDateTime,
    until: OffsetDateTime,
    limit: i64,
) -> Result<Report, StateFault> {
    let since = since.truncate_to_hour();
    let rows = sqlx::query!(
        "WITH seen AS (
             SELECT
                 outcome,
                 access_key_id,
                 product,
                 action,
                 code,
                 sum(calls)::bigint AS calls,
                 (array_agg(reason ORDER BY last_at DESC))[1] AS reason,
                 (array_agg(account_id ORDER BY last_at DESC))[1] AS account_id,
                 (array_agg(principal ORDER BY last_at DESC))[1] AS principal,
                 (array_agg(restriction_id ORDER BY last_at DESC))[1] AS restriction_id,
                 (array_agg(last_request_id ORDER BY last_at DESC))[1] AS last_request_id,
                 (array_agg(last_source_ip ORDER BY last_at DESC))[1] AS last_source_ip,
                 max(last_at) AS last_at
             FROM observations
             WHERE hour >= $1
               AND hour < $2
               AND ($3::text IS NULL OR watch = $3)
             GROUP BY outcome, access_key_id, product, action, code
         ),
         ranked AS (
             SELECT
                 *,
                 row_number() OVER (
                     PARTITION BY outcome
                     ORDER BY calls DESC, access_key_id, product, action, code
                 ) AS position,
                 sum(calls) OVER (PARTITION BY outcome) AS total
             FROM seen
         )
         SELECT
             outcome AS \"outcome!\",
             access_key_id AS \"access_key_id!\",
             product AS \"product!\",
             action AS \"action!\",
             code AS \"code!\",
             calls AS \"calls!\",
             reason AS \"reason!\",
             account_id AS \"account_id!\",
             principal AS \"principal!\",
             restriction_id,
             last_request_id AS \"last_request_id!\",
             last_source_ip AS \"last_source_ip!\",
             last_at AS \"last_at!\",
             position AS \"position!\",
             total::bigint AS \"total!\"
         FROM ranked
         WHERE position <= $4::bigint + 1
         ORDER BY outcome, position",
        since,
        until,
        watch.map(super::Watch::as_str),
        limit
    )
    .fetch_all(pool)
    .await?;
    let mut report = Report {
        since,
        until,
        calls: Totals::default(),
        would_be_refused: Vec::new(),
        failed: Vec::new(),
        not_in_directory: Vec::new(),
        is_cut: false,
    };
    for row in rows {
        let total = match row.outcome.as_str() {
            "Passes" => &mut report.calls.passed,
            "WouldRefuse" => &mut report.calls.would_be_refused,
            "Fails" => &mut report.calls.failed,
            "NotInDirectory" => &mut report.calls.not_in_directory,
            _ => &mut report.calls.not_judged,
        };
        *total = row.total;
        let is_listed = matches!(
            row.outcome.as_str(),
            "WouldRefuse" | "Fails" | "NotInDirectory"
        );
        if row.position > limit {
            report.is_cut |= is_listed;
            continue;
        }
        match row.outcome.as_str() {
            "WouldRefuse" => report.would_be_refused.push(Refused {
                access_key_id: row.access_key_id,
                account_id: row.account_id,
                principal: row.principal,
                restriction_id: row.restriction_id,
                product: row.product,
                action: row.action,
                calls: row.calls,
                last_request_id: row.last_request_id,
                last_source_ip: row.last_source_ip,
                last_at: row.last_at,
            }),
            "Fails" => report.failed.push(Failed {
                access_key_id: row.access_key_id,
                product: row.product,
                action: row.action,
                code: row.code,
                reason: row.reason,
                calls: row.calls,
                last_request_id: row.last_request_id,
                last_source_ip: row.last_source_ip,
                last_at: row.last_at,
            }),
            "NotInDirectory" => report.not_in_directory.push(Unknown {
                kind: if row.access_key_id.starts_with("STS.") {
                    "session"
                } else {
                    "pair"
                },
                access_key_id: row.access_key_id,
                product: row.product,
                action: row.action,
                calls: row.calls,
                last_source_ip: row.last_source_ip,
                last_at: row.last_at,
            }),
            _ => {}
        }
    }
    Ok(report)
}
