//! Reads leak reports for operators and owners.

use sqlx::{PgConnection, PgPool};
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
         ORDER BY report_id DESC
         LIMIT $6",
        criteria.proof.map(Proof::as_str),
        criteria.source,
        criteria.access_key_id,
        criteria.delivery_id,
        criteria.before,
        criteria.limit
    )
    .fetch_all(pool)
    .await?;
    Ok(reports)
}

/// Reads what led to some restrictions, the oldest first.
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
         WHERE restriction_id = ANY($1)
         ORDER BY report_id",
        restrictions
    )
    .fetch_all(db)
    .await?;
    Ok(reports)
}
