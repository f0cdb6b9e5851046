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

/// Which records to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Only those by this actor: `operator:NAME`, `contact:ID`, `source:NAME`, `policy` or `akgate`.
    #[param(nullable = false)]
    actor: Option<String>,
    /// Only those of this action: `Impose`, `Lift`, `AddOperator`, …
    #[param(nullable = false)]
    action: Option<String>,
    /// Only those about this access key.
    #[param(nullable = false)]
    access_key_id: Option<String>,
    /// Only those about this restriction.
    #[param(nullable = false)]
    restriction_id: Option<Uuid>,
    /// The page size.
    #[param(minimum = 1, maximum = 500, default = 50, nullable = false)]
    page_size: Option<i64>,
    /// The `next_page_token` of the previous page.
    #[param(nullable = false)]
    page_token: Option<i64>,
}

/// A page of results.
#[derive(Serialize, ToSchema)]
#[schema(as = Audit)]
pub struct Page {
    /// Newest first.
    records: Vec<AuditView>,
    /// Send this as `page_token` to get the next page; null on the last page.
    next_page_token: Option<i64>,
}

/// List audit records
///
/// Newest first: one record for each change, with who made it and who approved it.
#[utoipa::path(
    get,
    path = "/admin/v1/audit",
    operation_id = "listAudit",
    tag = "records",
    params(Filter),
    responses((status = 200, description = "A page of results.", body = Page), Faults)
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
