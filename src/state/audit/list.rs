//! Reads the audit log for operators.

use sqlx::PgPool;
use uuid::Uuid;

use crate::directory::StateFault;
use akgate_api::audit::AuditRecord;

/// Which audit records to list; the newest come first.
#[derive(Debug, Clone, Default)]
pub struct AuditCriteria {
    /// Only those by this actor.
    pub actor: Option<String>,
    /// Only those of this action.
    pub action: Option<String>,
    /// Only those about this key.
    pub access_key_id: Option<String>,
    /// Only those about this restriction.
    pub restriction_id: Option<Uuid>,
    /// Only older ones: the last id of the previous page.
    pub before: Option<i64>,
    /// Maximum number of rows.
    pub limit: i64,
}

/// Reads records.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn list_audit_records(
    pool: &PgPool,
    criteria: &AuditCriteria,
) -> Result<Vec<AuditRecord>, StateFault> {
    let records = sqlx::query_as!(
        AuditRecord,
        "SELECT
             audit_id,
             at,
             actor,
             action,
             access_key_id,
             restriction_id,
             detail
         FROM audit_records
         WHERE ($1::text IS NULL OR actor = $1)
           AND ($2::text IS NULL OR action = $2)
           AND ($3::text IS NULL OR access_key_id = $3)
           AND ($4::uuid IS NULL OR restriction_id = $4)
           AND ($5::bigint IS NULL OR audit_id < $5)
         ORDER BY audit_id DESC
         LIMIT $6",
        criteria.actor,
        criteria.action,
        criteria.access_key_id,
        criteria.restriction_id,
        criteria.before,
        criteria.limit
    )
    .fetch_all(pool)
    .await?;
    Ok(records)
}
