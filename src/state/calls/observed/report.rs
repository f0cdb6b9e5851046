//! The report of observations: failed verifications and their reasons, would-be refusals, and unknown keys.

use sqlx::PgPool;
use time::OffsetDateTime;

use crate::directory::StateFault;
use akgate_api::observations::{
    FailedVerification, NotInDirectory, ObservationPoint, ObservationReport, ObservedCalls,
    WouldBeRefused,
};

/// Reads the report of what was seen from the hour of `since` to `until`, at a mirror, in shadow mode, or
/// both: at most `limit` rows of each list.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn read_observation_report(
    pool: &PgPool,
    observation_point: Option<ObservationPoint>,
    since: OffsetDateTime,
    until: OffsetDateTime,
    limit: i64,
) -> Result<ObservationReport, StateFault> {
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
               AND ($3::text IS NULL OR observation_point = $3)
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
        observation_point.map(ObservationPoint::as_str),
        limit
    )
    .fetch_all(pool)
    .await?;
    let mut report = ObservationReport {
        since,
        until,
        calls: ObservedCalls::default(),
        would_be_refused: Vec::new(),
        failed: Vec::new(),
        not_in_directory: Vec::new(),
        is_truncated: false,
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
            report.is_truncated |= is_listed;
            continue;
        }
        match row.outcome.as_str() {
            "WouldRefuse" => report.would_be_refused.push(WouldBeRefused {
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
            "Fails" => report.failed.push(FailedVerification {
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
            "NotInDirectory" => report.not_in_directory.push(NotInDirectory {
                kind: if row.access_key_id.starts_with("STS.") {
                    "session".to_owned()
                } else {
                    "access_key".to_owned()
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
