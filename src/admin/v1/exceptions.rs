//! `/admin/v1/exceptions`: operations that a restricted key may call nevertheless, from which networks and until when.

use std::net::IpAddr;

use axum::{Json as Answer, extract::State, response::Response};
use ipnet::IpNet;
use uuid::Uuid;

use crate::{
    context::AdminApi,
    http::{
        authentication::{CanAct, CanRead},
        extract::{Json, Path, Query},
        problem::Problem,
        responses::CommonFaults,
    },
    v1::approvals::pending_approval_response,
};
use akgate_api::{
    approvals::ApprovalView,
    exceptions::{ExceptionFilter, ExceptionPage, ExceptionView, NewException},
    problem::ProblemDetails,
    receipts::{Changed, WaitQuery},
};
use akgate_rules::exception::{ExceptionScope, ScopeFault, canonical_network};
use akgate_state::{
    live::barrier::AffectedKeys,
    restrictions::exceptions::{self, ExceptionCriteria, ExceptionFault, ExceptionRequest},
};

/// List exceptions
///
/// Newest first, ended ones included.
#[utoipa::path(
    get,
    path = "/admin/v1/exceptions",
    operation_id = "listExceptions",
    tag = "exceptions",
    params(ExceptionFilter),
    responses((status = 200, description = "A page of results.", body = ExceptionPage), CommonFaults)
)]
pub async fn list_exceptions(
    State(admin): State<AdminApi>,
    _: CanRead,
    Query(filter): Query<ExceptionFilter>,
) -> Result<Answer<ExceptionPage>, Problem> {
    let criteria = ExceptionCriteria {
        exception_id: None,
        access_key_id: filter.access_key_id,
        state: filter.state,
        before: filter.page_token,
        limit: filter.page_size.limit(),
    };
    let reading = exceptions::list_exceptions(&admin.pool, &criteria, admin.clock.now());
    let exceptions = admin.query(reading).await?;
    let (exceptions, next_page_token) = filter
        .page_size
        .paginate(exceptions, |one| one.exception_id);
    Ok(Answer(ExceptionPage {
        exceptions,
        next_page_token,
    }))
}

/// Show an exception
///
/// What it allows, from which networks, who made it, and whether it is in force.
#[utoipa::path(
    get,
    path = "/admin/v1/exceptions/{id}",
    operation_id = "getException",
    tag = "exceptions",
    params(("id" = Uuid, Path, description = "The exception.")),
    responses(
        (status = 200, description = "The exception.", body = ExceptionView),
        (status = 404, description = "The exception does not exist.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn get_exception(
    State(admin): State<AdminApi>,
    _: CanRead,
    Path(id): Path<Uuid>,
) -> Result<Answer<ExceptionView>, Problem> {
    find_exception(&admin, id).await.map(Answer)
}

async fn find_exception(admin: &AdminApi, id: Uuid) -> Result<ExceptionView, Problem> {
    let criteria = ExceptionCriteria {
        exception_id: Some(id),
        limit: 1,
        ..ExceptionCriteria::default()
    };
    let reading = exceptions::list_exceptions(&admin.pool, &criteria, admin.clock.now());
    let mut found = admin.query(reading).await?;
    found.pop().ok_or_else(|| Problem::unknown("exception"))
}

/// Request an exception
///
/// A second operator must approve. The exception applies to the restricted key itself, never to its sessions, and ends
/// with the restriction at the latest.
#[utoipa::path(
    post,
    path = "/admin/v1/exceptions",
    operation_id = "requestException",
    tag = "exceptions",
    request_body = NewException,
    responses(
        (status = 202, description = "Waiting for a second operator to approve.", body = ApprovalView),
        (status = 409, description = "The key is not restricted, or another operator has already requested one.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn request_exception(
    State(admin): State<AdminApi>,
    CanAct(actor): CanAct,
    Json(body): Json<NewException>,
) -> Result<Response, Problem> {
    let excepting = ExceptionRequest {
        scope: ExceptionScope {
            operations: body.operations,
            networks: body
                .networks
                .iter()
                .map(parse_network)
                .collect::<Result<_, _>>()?,
        },
        hours: body.hours,
        reason: body.reason.into(),
    };
    excepting.scope.check(&admin.rules.catalogue)?;
    let (id, now) = (&body.access_key_id, admin.clock.now());
    let eyes = admin.settings.four_eyes;
    let asking = exceptions::request_exception(&admin.pool, id, &excepting, &actor, eyes, now);
    let approval = admin.query(asking).await?;
    pending_approval_response(&admin, approval).await
}

fn parse_network(text: &String) -> Result<IpNet, Problem> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    let network = text.parse::<IpNet>().or_else(|_| address());
    network.map(canonical_network).map_err(|_| {
        Problem::invalid(format!(
            "`{text}` is not a network: write it as CIDR (192.0.2.0/24) or as an address."
        ))
    })
}

/// End an exception
///
/// Early, without a second operator. The answer comes when every node enforces the full restriction, with a receipt.
#[utoipa::path(
    post,
    path = "/admin/v1/exceptions/{id}:revoke",
    operation_id = "revokeException",
    tag = "exceptions",
    params(("id" = Uuid, Path, description = "The exception."), WaitQuery),
    responses(
        (status = 200, description = "The exception is ended.", body = Changed<ExceptionView>),
        (status = 404, description = "The exception does not exist.", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 409, description = "The exception has already ended.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn revoke_exception(
    State(admin): State<AdminApi>,
    CanAct(actor): CanAct,
    Path(id): Path<Uuid>,
    Query(waiting): Query<WaitQuery>,
) -> Result<Answer<Changed<ExceptionView>>, Problem> {
    let revoking = exceptions::revoke_exception(&admin.pool, id, &actor, admin.clock.now());
    let revoked = admin.query(revoking).await?;
    let concern = AffectedKeys::Keys(vec![revoked.access_key_id]);
    let receipt = admin
        .receipt(revoked.position, concern, waiting.wait)
        .await?;
    Ok(Answer(Changed {
        view: find_exception(&admin, id).await?,
        receipt: Some(receipt),
    }))
}

impl From<ScopeFault> for Problem {
    fn from(fault: ScopeFault) -> Self {
        match fault {
            ScopeFault::TooWideTogether => Self::unprocessable(format!("{fault}.")),
            fault => Self::invalid(format!("{fault}.")),
        }
    }
}

impl From<ExceptionFault> for Problem {
    fn from(fault: ExceptionFault) -> Self {
        match fault {
            ExceptionFault::NotFound => Self::unknown("exception"),
            ExceptionFault::Ended => Self::conflict(
                "exception-over",
                "The exception has already ended.",
                "There is nothing to end.",
            ),
            ExceptionFault::State(fault) => fault.into(),
        }
    }
}
