//! `POST /admin/v1/restrictions/{id}:confirm`: records a confirmation that came by ticket or telephone.

use axum::extract::State;
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
    v1::restrictions::find_restriction,
};
use akgate_api::{
    problem::ProblemDetails,
    restrictions::{Confirmation, RestrictionView},
};
use akgate_rules::restriction;
use akgate_state::{
    directory::StateFault,
    restrictions::confirm::{ConfirmOutcome, confirm_by_ticket},
};

/// Record the owner's confirmation
///
/// For an owner who confirmed in another way than with the link in the letter. This does not lift the restriction.
#[utoipa::path(
    post,
    path = "/admin/v1/restrictions/{id}:confirm",
    operation_id = "confirmRestriction",
    tag = "restrictions",
    params(("id" = Uuid, Path, description = "The restriction."), IfMatch),
    request_body = Confirmation,
    responses(
        (status = 200, description = "The clean-up is confirmed.", body = RestrictionView, headers(("ETag", description = "Send it as If-Match with a change."))),
        (status = 412, description = "The resource has changed since you read it.", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 404, description = "The restriction does not exist.", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 409, description = "The restriction is already confirmed or lifted.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn confirm_restriction(
    State(admin): State<AdminApi>,
    CanAct(actor): CanAct,
    Path(id): Path<Uuid>,
    IfMatch(seen): IfMatch,
    Json(body): Json<Confirmation>,
) -> Result<WithEtag<RestrictionView>, Problem> {
    let now = admin.clock.now();
    let confirming = confirm_by_ticket(&admin.pool, id, &actor, &body.ticket, seen.as_deref(), now);
    match admin.query(confirming).await? {
        ConfirmOutcome::Now(_) | ConfirmOutcome::Lifted { .. } => {
            find_restriction(&admin, id).await.map(WithEtag)
        }
        ConfirmOutcome::Before(_, restriction::RestrictionState::Lifted) => Err(Problem::conflict(
            "already-lifted",
            "The restriction is already lifted.",
            "There is nothing left to confirm.",
        )),
        ConfirmOutcome::Before(..) => Err(Problem::conflict(
            "already-confirmed",
            "The clean-up is already confirmed.",
            "The restriction can be lifted.",
        )),
        ConfirmOutcome::Incomplete(_) => {
            Err(StateFault::Corrupt("a ticket that was judged like a form").into())
        }
        ConfirmOutcome::Changed => Err(Problem::precondition_failed()),
        ConfirmOutcome::NotFound => Err(Problem::unknown("restriction")),
    }
}
