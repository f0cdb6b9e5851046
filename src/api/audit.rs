//! The audit log.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::values::PageSize;

/// An audit record.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditRecord {
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

/// Which records to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AuditFilter {
    /// Only those by this actor: `operator:NAME`, `contact:ID`, `source:NAME`, `policy` or `akgate`.
    #[param(nullable = false)]
    pub actor: Option<String>,
    /// Only those of this action: `Impose`, `Lift`, `AddOperator`, …
    #[param(nullable = false)]
    pub action: Option<String>,
    /// Only those about this access key.
    #[param(nullable = false)]
    pub access_key_id: Option<String>,
    /// Only those about this restriction.
    #[param(nullable = false)]
    pub restriction_id: Option<Uuid>,
    /// The page size.
    #[serde(default)]
    #[param(inline)]
    pub page_size: PageSize,
    /// The `next_page_token` of the previous page.
    #[param(nullable = false)]
    pub page_token: Option<i64>,
}

/// A page of results.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    /// Newest first.
    pub records: Vec<AuditRecord>,
    /// Send this as `page_token` to get the next page; null on the last page.
    pub next_page_token: Option<i64>,
}
