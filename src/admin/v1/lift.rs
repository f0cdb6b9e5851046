//! `POST /admin/v1/restrictions/{id}:lift`: lifts a restriction, with a reason; some lifts need a second operator.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use uuid::Uuid;

use crate::{
    context::AdminApi,
    http::{
        authentication::CanAct,
        etag::{IfMatch, WithEtag},
        extract::{Json, Path},
        problem::Problem,
        responses::CommonFaults,
    },
    v1::{approvals::pending_approval_response, restrictions::find_restriction},
};
use akgate_api::{
    approvals::ApprovalView,
    problem::ProblemDetails,
    restrictions::{LiftRequest, RestrictionView},
};
use akgate_rules::restriction::AcceptedConditions;
use akgate_state::{
    approvals::ChangeOutcome,
    directory::StateFault,
    restrictions::lift::{self, LiftFault, Lifting},
};

/// Lift a restriction
///
/// Possible once the owner has confirmed the clean-up and the key is disabled or deleted. To lift earlier, accept what
/// is missing, and a second operator must approve. Lifting frees the key, not the sessions that it minted before. This
/// node applies it before it answers.
#[utoipa::path(
    post,
    path = "/admin/v1/restrictions/{id}:lift",
    operation_id = "liftRestriction",
    tag = "restrictions",
    params(("id" = Uuid, Path, description = "The restriction."), IfMatch),
    request_body = LiftRequest,
    responses(
        (status = 200, description = "The restriction is lifted.", body = RestrictionView, headers(("ETag", description = "Send it as If-Match with a change."))),
        (status = 202, description = "Waiting for a second operator to approve.", body = ApprovalView),
        (status = 412, description = "The resource has changed since you read it.", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 404, description = "The restriction does not exist.", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 409, description = "The clean-up is not confirmed, the key is still active, the restriction is already lifted, or another operator has already requested it.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn lift_restriction(
    State(admin): State<AdminApi>,
    CanAct(actor): CanAct,
    Path(id): Path<Uuid>,
    IfMatch(seen): IfMatch,
    Json(body): Json<LiftRequest>,
) -> Result<Response, Problem> {
    let lifting = Lifting {
        resolution: body.resolution,
        reason: body.reason.into(),
        accepts: AcceptedConditions {
            active_key: body.accept_active_key,
            no_confirmation: body.accept_no_confirmation,
        },
        with_descendants: body.with_descendants,
    };
    let now = admin.clock.now();
    let (eyes, seen) = (admin.settings.four_eyes, seen.as_deref());
    let lifting = lift::lift_restriction(&admin.pool, id, &lifting, &actor, eyes, seen, now);
    match admin.query(lifting).await? {
        ChangeOutcome::Done(position) => {
            admin.enforce(position).await;
            Ok(WithEtag(find_restriction(&admin, id).await?).into_response())
        }
        ChangeOutcome::AwaitsApproval(approval) => {
            pending_approval_response(&admin, approval).await
        }
    }
}

impl From<LiftFault> for Problem {
    fn from(fault: LiftFault) -> Self {
        match fault {
            LiftFault::NotFound => Self::unknown("restriction"),
            LiftFault::Refused(refused) => refused.into(),
            LiftFault::Changed => Self::precondition_failed(),
            LiftFault::AlreadyRequested(before) => before.into(),
            LiftFault::NeedsApproval => {
                StateFault::Corrupt("a lift that nobody was asked about").into()
            }
            LiftFault::State(fault) => fault.into(),
        }
    }
}
