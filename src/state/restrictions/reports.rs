//! Reads leak reports for operators and owners.

use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::directory::StateFault;
use akgate_api::leak_reports::ReportView;
use akgate_rules::leak::Proof;

/// Which reports to list; the newest come first.
#[derive(Debug, Clone, Default)]
pub struct ReportCriteria {
    /// Only those with this proof.
    pub proof: Option<Proof>,
    /// Only those of this source.
    pub source: Option<String>,
    /// Only those of this key, or of a session that descends from it.
    pub access_key_id: Option<String>,
    /// Only those of this delivery.
    pub delivery_id: Option<Uuid>,
    /// Only those of this restriction.
    pub restriction_id: Option<Uuid>,
    /// Only older ones: the last id of the previous page.
    pub before: Option<Uuid>,
    /// Maximum number of rows.
    pub limit: i64,
}

/// Reads reports.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn list_reports(
    pool: &PgPool,
    criteria: &ReportCriteria,
) -> Result<Vec<ReportView>, StateFault> {
    let reports = sqlx::query_as!(
        ReportView,
        "SELECT
             report_id,
             source,
             reference,
             access_key_id,
             parent_access_key_id,
             proof,
             restriction_id,
             url,
             commit_id AS commit,
             path,
             first_seen,
             secret_matches,
             delivery_id,
             held,
             reported_at,
             reported_by
         FROM leak_reports
         WHERE ($1::text IS NULL OR proof = $1)
           AND ($2::text IS NULL OR source = $2)
           AND ($3::text IS NULL OR access_key_id = $3 OR parent_access_key_id = $3)
           AND ($4::uuid IS NULL OR delivery_id = $4)
           AND ($5::uuid IS NULL OR report_id < $5)
           AND ($7::uuid IS NULL OR restriction_id = $7)
         ORDER BY report_id DESC
         LIMIT $6",
        criteria.proof.map(Proof::as_str),
        criteria.source,
        criteria.access_key_id,
        criteria.delivery_id,
        criteria.before,
        criteria.limit,
        criteria.restriction_id
    )
    .fetch_all(pool)
    .await?;
    Ok(reports)
}

/// The most reports that are read of one restriction: a popular leak has thousands.
const MAX_REPORTS: i64 = 100;

/// Reads what led to some restrictions: of each the newest [`MAX_REPORTS`], the oldest of them first.
///
/// # Errors
/// [`StateFault::Database`].
pub(crate) async fn list_reports_of_restrictions(
    db: &mut PgConnection,
    restrictions: &[Uuid],
) -> Result<Vec<ReportView>, StateFault> {
    let reports = sqlx::query_as!(
        ReportView,
        "SELECT
             l.report_id,
             l.source,
             l.reference,
             l.access_key_id,
             l.parent_access_key_id,
             l.proof,
             l.restriction_id,
             l.url,
             l.commit_id AS commit,
             l.path,
             l.first_seen,
             l.secret_matches,
             l.delivery_id,
             l.held,
             l.reported_at,
             l.reported_by
         FROM unnest($1::uuid[]) AS r (restriction_id)
         CROSS JOIN LATERAL (
             SELECT *
             FROM leak_reports
             WHERE restriction_id = r.restriction_id
             ORDER BY report_id DESC
             LIMIT $2
         ) AS l
         ORDER BY l.report_id",
        restrictions,
        MAX_REPORTS
    )
    .fetch_all(db)
    .await?;
    Ok(reports)
}

/// What one source has reported of a restriction since some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceReports {
    /// The source.
    pub source: String,
    /// How many reports.
    pub count: i64,
    /// When the latest of them arrived.
    pub last_reported_at: OffsetDateTime,
    /// Where that was found.
    pub url: Option<String>,
    /// In which commit.
    pub commit: Option<String>,
    /// In which file.
    pub path: Option<String>,
}

/// Counts the reports of a restriction that arrived after some time, by source; at most `limit` sources, those with most
/// reports first.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn count_reports_since(
    pool: &PgPool,
    restriction_id: Uuid,
    since: OffsetDateTime,
    limit: i64,
) -> Result<Vec<SourceReports>, StateFault> {
    let counted = sqlx::query_as!(
        SourceReports,
        "SELECT
             source AS \"source!\",
             count AS \"count!\",
             reported_at AS \"last_reported_at!\",
             url,
             commit_id AS commit,
             path
         FROM (
             SELECT DISTINCT ON (source)
                 source,
                 count(*) OVER (PARTITION BY source) AS count,
                 reported_at,
                 url,
                 commit_id,
                 path
             FROM leak_reports
             WHERE restriction_id = $1
               AND reported_at > $2
             ORDER BY source, reported_at DESC, report_id DESC
         ) AS newest
         ORDER BY count DESC, source
         LIMIT $3",
        restriction_id,
        since,
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(counted)
}
