//! `/admin/v1/approvals`: what takes two operators, asked for by one and decided by another.

use axum::{Json as Answer, extract::State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    Admin, Problem,
    auth::{Acting, Approving, Reader},
    extract::{Json, Path, Query, cut, optional_text_schema, page_size, text, text_schema},
    openapi::Faults,
    problem::Details,
    receipt::{Changed, Waiting},
    verbs::id_of,
};
use akgate_state::{
    directory::within,
    four_eyes::approvals::{self, ApprovalView, AskFault, AskedBefore, DecideFault, Wanted},
    restrictions::leaked::LeakedFault,
};

/// Which requests are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// In this state.
    #[param(value_type = Option<StateName>, inline, nullable = false)]
    state: Option<String>,
    /// How many at most.
    #[param(minimum = 1, maximum = 500, default = 50, nullable = false)]
    page_size: Option<i64>,
    /// Where the last page ended.
    #[param(nullable = false)]
    page_token: Option<Uuid>,
}

/// State of a request.
#[derive(ToSchema)]
#[schema(as = ApprovalState)]
#[expect(dead_code, reason = "the schema of a text")]
enum StateName {
    Waiting,
    Approved,
    Rejected,
    Withdrawn,
    Expired,
}

const STATES: [&str; 5] = ["Waiting", "Approved", "Rejected", "Withdrawn", "Expired"];

/// One page.
#[derive(Serialize, ToSchema)]
#[schema(as = Approvals)]
pub struct Page {
    /// The newest first.
    approvals: Vec<ApprovalView>,
    /// Where the next page begins; null where there is none.
    next_page_token: Option<Uuid>,
}

/// List requests for a second operator
///
/// The newest first, with who asks, why, and until when they wait.
#[utoipa::path(
    get,
    path = "/admin/v1/approvals",
    operation_id = "listApprovals",
    tag = "approvals",
    params(Filter),
    responses((status = 200, description = "A page.", body = Page), Faults)
)]
pub async fn list(
    State(admin): State<Admin>,
    _: Reader,
    Query(filter): Query<Filter>,
) -> Result<Answer<Page>, Problem> {
    if let Some(state) = &filter.state
        && !STATES.contains(&state.as_str())
    {
        return Err(Problem::invalid(format!(
            "`state` is one of {}.",
            STATES.join(", ")
        )));
    }
    let size = page_size(filter.page_size, 500)?;
    let wanted = Wanted {
        approval_id: None,
        state: filter.state,
        before: filter.page_token,
        limit: size + 1,
    };
    let reading = approvals::list(&admin.pool, &wanted, admin.clock.now());
    let mut approvals = within(admin.timeout, reading).await?;
    let next_page_token = cut(&mut approvals, size, |one| one.approval_id);
    Ok(Answer(Page {
        approvals,
        next_page_token,
    }))
}

/// Show a request
///
/// What would be done, who asks, and what became of it.
#[utoipa::path(
    get,
    path = "/admin/v1/approvals/{id}",
    operation_id = "getApproval",
    tag = "approvals",
    params(("id" = Uuid, Path, description = "The request.")),
    responses(
        (status = 200, description = "The request.", body = ApprovalView),
        (status = 404, description = "There is no such request.", body = Details, content_type = "application/problem+json"),
        Faults,
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
    Problem::not_found("There is no request of this id.")
}

/// What the second operator says of it.
#[derive(Deserialize, ToSchema)]
#[schema(as = ApprovalRemark)]
#[serde(deny_unknown_fields)]
pub struct Remark {
    /// For the record.
    #[serde(default)]
    #[schema(schema_with = optional_text_schema::<1024>)]
    remark: Option<String>,
}

/// Approve
///
/// By another operator than who asks. It is done at once, if it is still possible. What restricts is answered when every
/// node goes by it, with a receipt; what frees, when this node does.
#[utoipa::path(
    post,
    path = "/admin/v1/approvals/{id}:approve",
    operation_id = "approve",
    tag = "approvals",
    params(("id" = Uuid, Path, description = "The request."), Waiting),
    request_body = Remark,
    responses(
        (status = 200, description = "It is done.", body = Changed<ApprovalView>),
        (status = 404, description = "There is no such request.", body = Details, content_type = "application/problem+json"),
        (status = 409, description = "It is your own, it waits no more, or it is not possible any more.", body = Details, content_type = "application/problem+json"),
        Faults,
    )
)]
pub async fn approve(
    State(admin): State<Admin>,
    Approving(approver): Approving,
    Path(target): Path<String>,
    Query(waiting): Query<Waiting>,
    Json(body): Json<Remark>,
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

/// Why not.
#[derive(Deserialize, ToSchema)]
#[schema(as = Rejection)]
#[serde(deny_unknown_fields)]
pub struct Rejection {
    /// For who asked.
    #[schema(schema_with = text_schema::<1024>)]
    remark: String,
}

/// Reject
///
/// By another operator than who asks.
#[utoipa::path(
    post,
    path = "/admin/v1/approvals/{id}:reject",
    operation_id = "reject",
    tag = "approvals",
    params(("id" = Uuid, Path, description = "The request.")),
    request_body = Rejection,
    responses(
        (status = 200, description = "It is rejected.", body = ApprovalView),
        (status = 404, description = "There is no such request.", body = Details, content_type = "application/problem+json"),
        (status = 409, description = "It is your own, or it waits no more.", body = Details, content_type = "application/problem+json"),
        Faults,
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

/// Withdraw
///
/// By who asks.
#[utoipa::path(
    post,
    path = "/admin/v1/approvals/{id}:withdraw",
    operation_id = "withdrawApproval",
    tag = "approvals",
    params(("id" = Uuid, Path, description = "The request.")),
    responses(
        (status = 200, description = "It is withdrawn.", body = ApprovalView),
        (status = 404, description = "There is no such request.", body = Details, content_type = "application/problem+json"),
        (status = 409, description = "It is somebody else's, or it waits no more.", body = Details, content_type = "application/problem+json"),
        Faults,
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

impl From<AskedBefore> for Problem {
    fn from(before: AskedBefore) -> Self {
        let AskedBefore {
            approval_id,
            asked_by,
        } = before;
        Self::conflict(
            "asked-before",
            "Another operator has asked for it.",
            format!(
                "The request {approval_id} of {asked_by} waits: approve it, reject it, or wait."
            ),
        )
    }
}

impl From<AskFault> for Problem {
    fn from(fault: AskFault) -> Self {
        match fault {
            AskFault::Before(before) => before.into(),
            AskFault::State(fault) => fault.into(),
        }
    }
}

impl From<LeakedFault> for Problem {
    fn from(fault: LeakedFault) -> Self {
        match fault {
            LeakedFault::NotRestricted => Self::conflict(
                "not-restricted",
                "No restriction of the key is in force.",
                "Report the leak first (POST /admin/v1/leak-reports); see GET /admin/v1/restrictions?access_key_id=ID.",
            ),
            LeakedFault::NotActive => Self::conflict(
                "not-active",
                "The pair is not active.",
                "It is disabled or deleted already, or the directory does not know it.",
            ),
            LeakedFault::Ask(fault) => fault.into(),
        }
    }
}

impl From<DecideFault> for Problem {
    fn from(fault: DecideFault) -> Self {
        match fault {
            DecideFault::NotFound => missing(),
            DecideFault::Over(state) => Self::conflict(
                "request-over",
                "The request waits no more.",
                format!("It is {state}. Ask anew if it is still needed."),
            ),
            DecideFault::Expired => Self::conflict(
                "request-expired",
                "The request has expired.",
                "Nobody decided in time. Ask anew if it is still needed.",
            ),
            DecideFault::Own => Self::conflict(
                "own-request",
                "Who asks cannot decide.",
                "It takes another approver; your own request can be withdrawn (:withdraw).",
            ),
            DecideFault::NotOwn(by) => Self::conflict(
                "not-your-request",
                "It is somebody else's request.",
                format!("Only {by} can withdraw it; an approver can reject it (:reject)."),
            ),
            DecideFault::AskerGone(by) => Self::conflict(
                "asker-gone",
                "Who asked is no operator any more.",
                format!("{by} was revoked. Ask anew if it is still needed."),
            ),
            DecideFault::Lift(fault) => fault.into(),
            DecideFault::Undo(fault) => fault.into(),
            DecideFault::Leaked(fault) => fault.into(),
            DecideFault::State(fault) => fault.into(),
        }
    }
}
