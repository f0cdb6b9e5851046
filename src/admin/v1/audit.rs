//! `GET /admin/v1/audit`: who did what.

use axum::{Json as Answer, extract::State};

use crate::{
    context::Admin,
    http::{
        authentication::Reader,
        extract::{Query, cut, page_size},
        problem::Problem,
        responses::CommonFaults,
    },
};
use akgate_api::audit::{AuditFilter, AuditPage};
use akgate_state::{
    audit::list::{self, Wanted},
    directory::within,
};

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
pub async fn list(
    State(admin): State<Admin>,
    _: Reader,
    Query(filter): Query<AuditFilter>,
) -> Result<Answer<AuditPage>, Problem> {
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
    Ok(Answer(AuditPage {
        records,
        next_page_token,
    }))
}
