//! `POST /admin/v1/restrictions/{id}:lift`: an operator's decision, with a reason, or two operators'.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    Admin, Problem,
    approvals::waits,
    auth::Acting,
    extract::{Json, Path, text, text_schema},
    openapi::Faults,
    problem::Details,
    restrictions::{id_of, view},
    tagged::{IfMatch, Tagged},
};
use akgate_rules::restriction::{Accepts, Closing};
use akgate_state::{
    approvals::Outcome,
    directory::{StateFault, within},
    four_eyes::approvals::ApprovalView,
    restrictions::{
        lift::{self, LiftFault, Lifting},
        read::RestrictionView,
    },
};

/// Why the restriction is lifted.
#[derive(Deserialize, ToSchema)]
#[schema(as = Lifting)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// The resolution.
    #[schema(value_type = ClosingName)]
    closing: Closing,
    /// The reason, kept in the audit log.
    #[schema(schema_with = text_schema::<1024>)]
    reason: String,
    /// Lift although the leaked key is still active: a second operator must approve.
    #[serde(default)]
    accept_active_key: bool,
    /// Lift although the owner has not confirmed the clean-up: a second operator must approve.
    #[serde(default)]
    accept_no_confirmation: bool,
}

/// The resolution of a restriction.
#[derive(ToSchema)]
#[schema(as = Closing)]
#[expect(dead_code, reason = "the schema of a text")]
enum ClosingName {
    Rotated,
    Disabled,
    Deleted,
    FalsePositive,
    UsedInTests,
    AcceptedRisk,
}

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
    request_body = Body,
    responses(
        (status = 200, description = "The restriction is lifted.", body = RestrictionView, headers(("ETag", description = "Send it as If-Match with a change."))),
        (status = 202, description = "Waiting for a second operator to approve.", body = ApprovalView),
        (status = 412, description = "The resource has changed since you read it.", body = Details, content_type = "application/problem+json"),
        (status = 404, description = "The restriction does not exist.", body = Details, content_type = "application/problem+json"),
        (status = 409, description = "The clean-up is not confirmed, the key is still active, the restriction is already lifted, or another operator has already requested it.", body = Details, content_type = "application/problem+json"),
        Faults,
    )
)]
pub async fn lift(
    State(admin): State<Admin>,
    Acting(actor): Acting,
    Path(target): Path<String>,
    IfMatch(seen): IfMatch,
    Json(body): Json<Body>,
) -> Result<Response, Problem> {
    let id = id_of(&target)?;
    text("reason", &body.reason, 1024)?;
    let lifting = Lifting {
        closing: body.closing,
        reason: body.reason,
        accepts: Accepts {
            active_key: body.accept_active_key,
            no_confirmation: body.accept_no_confirmation,
        },
    };
    let now = admin.clock.now();
    let (eyes, seen) = (admin.settings.four_eyes, seen.as_deref());
    let lifting = lift::lift(&admin.pool, id, &lifting, &actor, eyes, seen, now);
    match within(admin.timeout, lifting).await? {
        Outcome::Done(position) => {
            admin.enforce(position).await;
            Ok(Tagged(view(&admin, id).await?).into_response())
        }
        Outcome::Waits(approval) => Ok(waits(&admin, approval).await?.into_response()),
    }
}

impl From<LiftFault> for Problem {
    fn from(fault: LiftFault) -> Self {
        match fault {
            LiftFault::NotFound => Self::not_found("No restriction has this id."),
            LiftFault::Refused(refused) => refused.into(),
            LiftFault::Changed => Self::precondition_failed(),
            LiftFault::AlreadyRequested(before) => before.into(),
            LiftFault::NeedsTwo => StateFault::Corrupt("a lift that nobody was asked about").into(),
            LiftFault::State(fault) => fault.into(),
        }
    }
}
