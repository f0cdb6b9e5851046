//! `GET /admin/v1/audit`: who did what.

use axum::{Json as Answer, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    Admin, Problem,
    auth::Reader,
    extract::{Query, cut, page_size},
    openapi::Faults,
};
use akgate_state::{
    audit::list::{self, AuditView, Wanted},
    directory::within,
};

/// Which records are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// By this one: `operator:NAME`, `contact:ID`, `source:NAME`, `policy` or `akgate`.
    #[param(nullable = false)]
    actor: Option<String>,
    /// Of this deed: `Impose`, `Lift`, `AddOperator`, …
    #[param(nullable = false)]
    action: Option<String>,
    /// About this key.
    #[param(nullable = false)]
    access_key_id: Option<String>,
    /// About this restriction.
    #[param(nullable = false)]
    restriction_id: Option<Uuid>,
    /// How many at most.
    #[param(minimum = 1, maximum = 500, default = 50, nullable = false)]
    page_size: Option<i64>,
    /// Where the last page ended.
    #[param(nullable = false)]
    page_token: Option<i64>,
}

/// One page.
#[derive(Serialize, ToSchema)]
#[schema(as = Audit)]
pub struct Page {
    /// The newest first.
    records: Vec<AuditView>,
    /// Where the next page begins; null where there is none.
    next_page_token: Option<i64>,
}

/// List the audit
///
/// The newest first: one record for each change, who made it, and who approved of it.
#[utoipa::path(
    get,
    path = "/admin/v1/audit",
    operation_id = "listAudit",
    tag = "records",
    params(Filter),
    responses((status = 200, description = "A page.", body = Page), Faults)
)]
pub async fn list(
    State(admin): State<Admin>,
    _: Reader,
    Query(filter): Query<Filter>,
) -> Result<Answer<Page>, Problem> {
    let size = page_size(filter.page_size, 500)?;
    let wanted = Wanted {
        actor: filter.actor,
        action: filter.action,
        access_key_id: filter.access_key_id,
        restriction_id: filter.restriction_id,
        before: filter.page_token,
        limit: size + 1,
    };
    let mut records = within(admin.timeout, list::list(&admin.pool, &wanted)).await?;
    let next_page_token = cut(&mut records, size, |record| record.audit_id);
    Ok(Answer(Page {
        records,
        next_page_token,
    }))
}
