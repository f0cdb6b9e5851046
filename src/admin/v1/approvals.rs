//! `/admin/v1/approvals`: changes that one operator requests and another decides on.

use axum::{
    Json as Answer,
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use uuid::Uuid;

use crate::{
    context::AdminApi,
    http::{
        authentication::{CanAct, CanApprove, CanRead},
        extract::{Json, Path, Query},
        problem::Problem,
        responses::CommonFaults,
    },
};
use akgate_api::{
    approvals::{ApprovalFilter, ApprovalPage, ApprovalRemark, ApprovalView, Rejection},
    problem::ProblemDetails,
    receipts::{Changed, WaitQuery},
};
use akgate_state::{
    approval_decisions::{self, ApprovalCriteria, DecisionFault},
    approvals::{AlreadyRequested, RequestError},
    directory::with_timeout,
    restrictions::active_restriction::ActiveRestrictionFault,
};

/// List approvals
///
/// Newest first, with who requested each one, why, and when it expires.
#[utoipa::path(
    get,
    path = "/admin/v1/approvals",
    operation_id = "listApprovals",
    tag = "approvals",
    params(ApprovalFilter),
    responses((status = 200, description = "A page of results.", body = ApprovalPage), CommonFaults)
)]
pub async fn list_approvals(
    State(admin): State<AdminApi>,
    _: CanRead,
    Query(filter): Query<ApprovalFilter>,
) -> Result<Answer<ApprovalPage>, Problem> {
    let criteria = ApprovalCriteria {
        approval_id: None,
        state: filter.state,
        before: filter.page_token,
        limit: filter.page_size.limit(),
    };
    let reading = approval_decisions::list_approvals(&admin.pool, &criteria, admin.clock.now());
    let approvals = admin.query(reading).await?;
    let (approvals, next_page_token) = filter.page_size.paginate(approvals, |one| one.approval_id);
    Ok(Answer(ApprovalPage {
        approvals,
        next_page_token,
    }))
}

/// Show an approval
///
/// What would be done, who requested it, and what happened to it.
#[utoipa::path(
    get,
    path = "/admin/v1/approvals/{id}",
    operation_id = "getApproval",
    tag = "approvals",
    params(("id" = Uuid, Path, description = "The approval.")),
    responses(
        (status = 200, description = "The approval.", body = ApprovalView),
        (status = 404, description = "The approval does not exist.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn get_approval(
    State(admin): State<AdminApi>,
    _: CanRead,
    Path(id): Path<Uuid>,
) -> Result<Answer<ApprovalView>, Problem> {
    find_approval(&admin, id).await.map(Answer)
}

/// Reads one approval.
pub async fn find_approval(admin: &AdminApi, id: Uuid) -> Result<ApprovalView, Problem> {
    let criteria = ApprovalCriteria {
        approval_id: Some(id),
        limit: 1,
        ..ApprovalCriteria::default()
    };
    let reading = approval_decisions::list_approvals(&admin.pool, &criteria, admin.clock.now());
    let mut found = admin.query(reading).await?;
    found.pop().ok_or_else(|| Problem::unknown("approval"))
}

/// The answer to a change that waits for a second operator: 202, and the approval that is pending.
pub async fn pending_approval_response(admin: &AdminApi, id: Uuid) -> Result<Response, Problem> {
    let view = find_approval(admin, id).await?;
    Ok((StatusCode::ACCEPTED, Answer(view)).into_response())
}

/// Approve a request
///
/// Must be done by an operator other than the requester. The change is made at once, if it is still possible. If it
/// restricts, the answer comes when every node enforces it, with a receipt; if it frees, when this node does.
#[utoipa::path(
    post,
    path = "/admin/v1/approvals/{id}:approve",
    operation_id = "approve",
    tag = "approvals",
    params(("id" = Uuid, Path, description = "The approval."), WaitQuery),
    request_body = ApprovalRemark,
    responses(
        (status = 200, description = "The change is made.", body = Changed<ApprovalView>),
        (status = 404, description = "The approval does not exist.", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 409, description = "You requested it yourself, it is no longer pending, or the change is no longer possible.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn grant_approval(
    State(admin): State<AdminApi>,
    CanApprove(approver): CanApprove,
    Path(id): Path<Uuid>,
    Query(waiting): Query<WaitQuery>,
    Json(body): Json<ApprovalRemark>,
) -> Result<Answer<Changed<ApprovalView>>, Problem> {
    let remark = body.remark.as_deref();
    let approving =
        approval_decisions::grant_approval(&admin.pool, id, &approver, remark, admin.clock.now());
    // Ten thousand keys take their time.
    let approved = with_timeout(admin.timeout * 4, approving).await?;
    let position = approved.position;
    let receipt = match approved.concern {
        Some(concern) => Some(admin.receipt(position, concern, waiting.wait).await?),
        None => {
            admin.enforce(position).await;
            None
        }
    };
    Ok(Answer(Changed {
        view: find_approval(&admin, id).await?,
        receipt,
    }))
}

/// Reject a request
///
/// Must be done by an operator other than the requester.
#[utoipa::path(
    post,
    path = "/admin/v1/approvals/{id}:reject",
    operation_id = "reject",
    tag = "approvals",
    params(("id" = Uuid, Path, description = "The approval.")),
    request_body = Rejection,
    responses(
        (status = 200, description = "The approval is rejected.", body = ApprovalView),
        (status = 404, description = "The approval does not exist.", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 409, description = "You requested it yourself, or it is no longer pending.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn reject_approval(
    State(admin): State<AdminApi>,
    CanApprove(by): CanApprove,
    Path(id): Path<Uuid>,
    Json(body): Json<Rejection>,
) -> Result<Answer<ApprovalView>, Problem> {
    let rejecting =
        approval_decisions::reject_approval(&admin.pool, id, &by, &body.remark, admin.clock.now());
    admin.query(rejecting).await?;
    find_approval(&admin, id).await.map(Answer)
}

/// Withdraw a request
///
/// Only the requester can do this.
#[utoipa::path(
    post,
    path = "/admin/v1/approvals/{id}:withdraw",
    operation_id = "withdrawApproval",
    tag = "approvals",
    params(("id" = Uuid, Path, description = "The approval.")),
    responses(
        (status = 200, description = "The approval is withdrawn.", body = ApprovalView),
        (status = 404, description = "The approval does not exist.", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 409, description = "Another operator requested it, or it is no longer pending.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn withdraw_approval(
    State(admin): State<AdminApi>,
    CanAct(by): CanAct,
    Path(id): Path<Uuid>,
) -> Result<Answer<ApprovalView>, Problem> {
    let withdrawing =
        approval_decisions::withdraw_approval(&admin.pool, id, &by, admin.clock.now());
    admin.query(withdrawing).await?;
    find_approval(&admin, id).await.map(Answer)
}

impl From<AlreadyRequested> for Problem {
    fn from(before: AlreadyRequested) -> Self {
        let AlreadyRequested {
            approval_id,
            requested_by,
        } = before;
        Self::conflict(
            "already-requested",
            "Another operator has already requested this.",
            format!(
                "Approval {approval_id}, requested by {requested_by}, is pending: approve it, reject it, or wait."
            ),
        )
    }
}

impl From<RequestError> for Problem {
    fn from(fault: RequestError) -> Self {
        match fault {
            RequestError::AlreadyRequested(before) => before.into(),
            RequestError::State(fault) => fault.into(),
        }
    }
}

impl From<ActiveRestrictionFault> for Problem {
    fn from(fault: ActiveRestrictionFault) -> Self {
        match fault {
            ActiveRestrictionFault::NotRestricted => Self::conflict(
                "not-restricted",
                "The key is not restricted.",
                "Report the leak first (POST /admin/v1/leak-reports); see GET /admin/v1/restrictions?access_key_id=ID.",
            ),
            ActiveRestrictionFault::NotActive => Self::conflict(
                "not-active",
                "The access key is not active.",
                "It is already disabled or deleted, or it is not in the directory.",
            ),
            ActiveRestrictionFault::Scope(fault) => fault.into(),
            ActiveRestrictionFault::Request(fault) => fault.into(),
        }
    }
}

impl From<DecisionFault> for Problem {
    fn from(fault: DecisionFault) -> Self {
        match fault {
            DecisionFault::NotFound => Self::unknown("approval"),
            DecisionFault::NotPending(state) => Self::conflict(
                "approval-not-pending",
                "The approval is no longer pending.",
                format!("It is {state}. Request it again if it is still needed."),
            ),
            DecisionFault::Expired => Self::conflict(
                "approval-expired",
                "The approval has expired.",
                "Nobody decided in time. Request it again if it is still needed.",
            ),
            DecisionFault::OwnApproval => Self::conflict(
                "own-approval",
                "You cannot approve or reject what you requested yourself.",
                "Another approver must decide. You can withdraw your request (:withdraw).",
            ),
            DecisionFault::NotOwn(by) => Self::conflict(
                "not-your-approval",
                "Another operator made this request.",
                format!("Only {by} can withdraw it; an approver can reject it (:reject)."),
            ),
            DecisionFault::RequesterRevoked(by) => Self::conflict(
                "requester-revoked",
                "The requester is no longer an operator.",
                format!("{by} was revoked. Request it again if it is still needed."),
            ),
            DecisionFault::Lift(fault) => fault.into(),
            DecisionFault::Undo(fault) => fault.into(),
            DecisionFault::Descendants(fault) => fault.into(),
            DecisionFault::Leaked(fault) => fault.into(),
            DecisionFault::State(fault) => fault.into(),
        }
    }
}
