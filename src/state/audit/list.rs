//! The audit, as operators are shown it.

use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::directory::StateFault;

/// An audit record.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = AuditRecord)]
pub struct AuditView {
    /// Increases with every record.
    pub audit_id: i64,
    /// When it happened.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Who did it: `operator:NAME`, `contact:ID`, `source:NAME`, `policy` or `akgate`.
    pub actor: String,
    /// The action: `Impose`, `Lift`, `AddOperator`, …
    pub action: String,
    /// The key concerned.
    pub access_key_id: Option<String>,
    /// The restriction concerned.
    pub restriction_id: Option<Uuid>,
    /// Further details; never a secret.
    #[schema(value_type = Object)]
    pub detail: serde_json::Value,
}

/// Which records are wanted, the newest first.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// By this one.
    pub actor: Option<String>,
    /// Of this deed.
    pub action: Option<String>,
    /// About this key.
    pub access_key_id: Option<String>,
    /// About this restriction.
    pub restriction_id: Option<Uuid>,
    /// Older than this one: where the last page ended.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: i64,
}

/// Reads records.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn list(pool: &PgPool, wanted: &Wanted) -> Result<Vec<AuditView>, StateFault> {
    let records = sqlx::query_as!(
        AuditView,
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
        wanted.actor,
        wanted.action,
        wanted.access_key_id,
        wanted.restriction_id,
        wanted.before,
        wanted.limit
    )
    .fetch_all(pool)
    .await?;
    Ok(records)
}
