//! What operators and owners are shown of leak reports.

use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::directory::StateFault;
use akgate_rules::leak::{Place, Proof};

/// A leak report.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReportView {
    /// UUID version 7.
    pub report_id: Uuid,
    /// Who found it.
    pub source: String,
    /// The source's own id of the finding, or a digest of key and place.
    pub reference: String,
    /// The key or session that was found; null for a secret that belongs to no known key.
    pub access_key_id: Option<String>,
    /// The AccessKey that a found session descends from.
    pub parent_access_key_id: Option<String>,
    /// `Suspected` (restricts nothing), `Secret`, `Pair` or `Decided`.
    pub proof: String,
    /// The restriction that it led to or was added to.
    pub restriction_id: Option<Uuid>,
    /// The URL where it was found.
    pub url: Option<String>,
    /// The commit where it was found.
    pub commit: Option<String>,
    /// The file where it was found.
    pub path: Option<String>,
    /// When the source first saw it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub first_seen: Option<OffsetDateTime>,
    /// Whether the secret that was found belongs to the key; null if unknown.
    pub secret_matches: Option<bool>,
    /// The delivery that it arrived in; null if it arrived alone.
    pub delivery_id: Option<Uuid>,
    /// Whether it is held because it is a suspicion from a paused source.
    pub held: bool,
    /// When akgate received it.
    #[serde(with = "time::serde::rfc3339")]
    pub reported_at: OffsetDateTime,
    /// Who sent it: `source:NAME` or `operator:NAME`.
    pub reported_by: String,
}

impl ReportView {
    /// Where it was seen.
    #[must_use]
    pub fn place(&self) -> Place {
        Place {
            url: self.url.clone(),
            commit: self.commit.clone(),
            path: self.path.clone(),
        }
    }
}

/// Which reports are wanted, the newest first.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Proven so far.
    pub proof: Option<Proof>,
    /// Of this source.
    pub source: Option<String>,
    /// Of this key, or of a session that descends from it.
    pub access_key_id: Option<String>,
    /// Of this delivery.
    pub delivery_id: Option<Uuid>,
    /// Older than this one: where the last page ended.
    pub before: Option<Uuid>,
    /// At most so many.
    pub limit: i64,
}

/// Reads reports.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn list(pool: &PgPool, wanted: &Wanted) -> Result<Vec<ReportView>, StateFault> {
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
        wanted.proof.map(Proof::as_str),
        wanted.source,
        wanted.access_key_id,
        wanted.delivery_id,
        wanted.before,
        wanted.limit
    )
    .fetch_all(pool)
    .await?;
    Ok(reports)
}

/// Reads what led to some restrictions, the oldest first.
///
/// # Errors
/// [`StateFault::Database`].
pub(crate) async fn of_restrictions(
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
