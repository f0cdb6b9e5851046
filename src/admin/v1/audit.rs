//! `GET /admin/v1/audit`: who did what.

use axum::{Json as Answer, extract::State};

use crate::{
    context::AdminApi,
    http::{authentication::CanRead, extract::Query, problem::Problem, responses::CommonFaults},
};
use akgate_api::audit::{AuditFilter, AuditPage};
use akgate_state::audit::list::{self, AuditCriteria};

/// List audit records
///
/// Newest first: one record for each change, with who made it and who approved it.
#[utoipa::path(
    get,
    path = "/admin/v1/audit",
    operation_id = "listAudit",
    tag = "records",
    params(AuditFilter),
    responses((status = 200, description = "A page of results.", body = AuditPage), CommonFaults)
)]
pub async fn list_audit_records(
    State(admin): State<AdminApi>,
    _: CanRead,
    Query(filter): Query<AuditFilter>,
) -> Result<Answer<AuditPage>, Problem> {
    let criteria = AuditCriteria {
        actor: filter.actor,
        action: filter.action,
        access_key_id: filter.access_key_id,
        restriction_id: filter.restriction_id,
        before: filter.page_token,
        limit: filter.page_size.limit(),
    };
    let reading = list::list_audit_records(&admin.pool, &criteria);
    let records = admin.query(reading).await?;
    let (records, next_page_token) = filter.page_size.paginate(records, |record| record.audit_id);
    Ok(Answer(AuditPage {
        records,
        next_page_token,
    }))
}
