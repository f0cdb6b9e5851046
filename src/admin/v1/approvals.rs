//! `/admin/v1/approvals`: what takes two operators, asked for by one and decided by another.

use axum::{Json as Answer, extract::State};
use http::StatusCode;
use uuid::Uuid;

use crate::{
    context::Admin,
    http::{
        authentication::{Acting, Approving, Reader},
        extract::{Json, Path, Query, choice, cut, page_size, text},
        problem::Problem,
        responses::CommonFaults,
        verbs::id_of,
    },
};
use akgate_api::{
    approvals::{ApprovalFilter, ApprovalPage, ApprovalRemark, ApprovalView, Rejection},
    problem::ProblemDetails,
    receipts::{Changed, WaitQuery},
};
use akgate_state::{
    approvals::{AlreadyRequested, RequestError},
    directory::within,
    four_eyes::approvals::{self, DecideFault, Wanted},
    restrictions::leaked::LeakedFault,
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
pub async fn list(
    State(admin): State<Admin>,
    _: Reader,
    Query(filter): Query<ApprovalFilter>,
) -> Result<Answer<ApprovalPage>, Problem> {
    let state = choice("state", filter.state.as_deref())?;
    let size = page_size(filter.page_size, 500)?;
    let wanted = Wanted {
        approval_id: None,
        state,
        before: filter.page_token,
        limit: size + 1,
    };
    let reading = approvals::list(&admin.pool, &wanted, admin.clock.now());
    let mut approvals = within(admin.timeout, reading).await?;
    let next_page_token = cut(&mut approvals, size, |one| one.approval_id);
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
pub async fn one(
    State(admin): State<Admin>,
    _: Reader,
    Path(id): Path<Uuid>,
) -> Result<Answer<ApprovalView>, Problem> {
    view(&admin, id).await.map(Answer)
}

/// Reads one request.
pub async fn view(admin: &Admin, id: Uuid) -> Result<ApprovalView, Problem> {
    let wanted = Wanted {
        approval_id: Some(id),
        limit: 1,
        ..Wanted::default()
    };
    let reading = approvals::list(&admin.pool, &wanted, admin.clock.now());
    let mut found = within(admin.timeout, reading).await?;
    found.pop().ok_or_else(missing)
}

/// What is answered where something waits for a second operator.
pub async fn waits(admin: &Admin, id: Uuid) -> Result<(StatusCode, Answer<ApprovalView>), Problem> {
    let view = view(admin, id).await?;
    Ok((StatusCode::ACCEPTED, Answer(view)))
}

fn missing() -> Problem {
    Problem::not_found("No approval has this id.")
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
pub async fn approve(
    State(admin): State<Admin>,
    Approving(approver): Approving,
    Path(target): Path<String>,
    Query(waiting): Query<WaitQuery>,
    Json(body): Json<ApprovalRemark>,
) -> Result<Answer<Changed<ApprovalView>>, Problem> {
    let id = id_of(&target).ok_or_else(missing)?;
    if let Some(remark) = &body.remark {
        text("remark", remark, 1024)?;
    }
    let approver = approver.actor();
    let remark = body.remark.as_deref();
    let approving = approvals::approve(&admin.pool, id, &approver, remark, admin.clock.now());
    // Ten thousand keys take their time.
    let approved = within(admin.timeout * 4, approving).await?;
    let position = approved.position;
    let receipt = match approved.concern {
        Some(concern) => Some(admin.receipt(position, concern, waiting.wait).await?),
        None => {
            admin.enforce(position).await;
            None
        }
    };
    Ok(Answer(Changed {
        view: view(&admin, id).await?,
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
pub async fn reject(
    State(admin): State<Admin>,
    Approving(by): Approving,
    Path(target): Path<String>,
    Json(body): Json<Rejection>,
) -> Result<Answer<ApprovalView>, Problem> {
    let id = id_of(&target).ok_or_else(missing)?;
    text("remark", &body.remark, 1024)?;
    let by = by.actor();
    let rejecting = approvals::reject(&admin.pool, id, &by, &body.remark, admin.clock.now());
    within(admin.timeout, rejecting).await?;
    view(&admin, id).await.map(Answer)
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
pub async fn withdraw(
    State(admin): State<Admin>,
    Acting(by): Acting,
    Path(target): Path<String>,
) -> Result<Answer<ApprovalView>, Problem> {
    let id = id_of(&target).ok_or_else(missing)?;
    let withdrawing = approvals::withdraw(&admin.pool, id, &by, admin.clock.now());
    within(admin.timeout, withdrawing).await?;
    view(&admin, id).await.map(Answer)
}

impl From<AlreadyRequested> for Problem {
    fn from(before: AlreadyRequested) -> Self {
        let AlreadyRequested {
            approval_id,
            asked_by,
        } = before;
        Self::conflict(
            "asked-before",
            "Another operator has already requested this.",
            format!(
                "Approval {approval_id}, requested by {asked_by}, is pending: approve it, reject it, or wait."
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

impl From<LeakedFault> for Problem {
    fn from(fault: LeakedFault) -> Self {
        match fault {
            LeakedFault::NotRestricted => Self::conflict(
                "not-restricted",
                "The key is not restricted.",
                "Report the leak first (POST /admin/v1/leak-reports); see GET /admin/v1/restrictions?access_key_id=ID.",
            ),
            LeakedFault::NotActive => Self::conflict(
                "not-active",
                "The access key is not active.",
                "It is already disabled or deleted, or it is not in the directory.",
            ),
            LeakedFault::Request(fault) => fault.into(),
        }
    }
}

impl From<DecideFault> for Problem {
    fn from(fault: DecideFault) -> Self {
        match fault {
            DecideFault::NotFound => missing(),
            DecideFault::Over(state) => Self::conflict(
                "request-over",
                "The approval is no longer pending.",
                format!("It is {state}. Request it again if it is still needed."),
            ),
            DecideFault::Expired => Self::conflict(
                "request-expired",
                "The approval has expired.",
                "Nobody decided in time. Request it again if it is still needed.",
            ),
            DecideFault::Own => Self::conflict(
                "own-request",
                "You cannot decide on your own request.",
                "Another approver must decide. You can withdraw your request (:withdraw).",
            ),
            DecideFault::NotOwn(by) => Self::conflict(
                "not-your-request",
                "Another operator made this request.",
                format!("Only {by} can withdraw it; an approver can reject it (:reject)."),
            ),
            DecideFault::AskerGone(by) => Self::conflict(
                "asker-gone",
                "The requester is no longer an operator.",
                format!("{by} was revoked. Request it again if it is still needed."),
            ),
            DecideFault::Lift(fault) => fault.into(),
            DecideFault::Undo(fault) => fault.into(),
            DecideFault::Leaked(fault) => fault.into(),
            DecideFault::State(fault) => fault.into(),
        }
    }
}
