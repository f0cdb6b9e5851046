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
    directory::{StateFault, within},
    four_eyes::approvals::{ApprovalView, Outcome},
    restrictions::{
        lift::{self, LiftFault, Lifting},
        read::RestrictionView,
    },
};

/// Why.
#[derive(Deserialize, ToSchema)]
#[schema(as = Lifting)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// Why, in a word.
    #[schema(value_type = ClosingName)]
    closing: Closing,
    /// Why, for the audit.
    #[schema(schema_with = text_schema::<1024>)]
    reason: String,
    /// Lift although the leaked pair still works: takes a second operator.
    #[serde(default)]
    accept_active_key: bool,
    /// Lift although the owner has not confirmed the clean-up: takes a second operator.
    #[serde(default)]
    accept_no_confirmation: bool,
}

/// Why a restriction is closed.
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
/// After the owner's confirmation, of a pair that works no more. Where it is otherwise and that is accepted, a second
/// operator has to approve. It frees the key, never the sessions that it minted before. It is enforced on this node
/// before the answer.
#[utoipa::path(
    post,
    path = "/admin/v1/restrictions/{id}:lift",
    operation_id = "liftRestriction",
    tag = "restrictions",
    params(("id" = Uuid, Path, description = "The restriction."), IfMatch),
    request_body = Body,
    responses(
        (status = 200, description = "It is lifted.", body = RestrictionView, headers(("ETag", description = "For If-Match."))),
        (status = 202, description = "It waits for a second operator.", body = ApprovalView),
        (status = 412, description = "It has changed since it was looked at.", body = Details, content_type = "application/problem+json"),
        (status = 404, description = "There is no such restriction.", body = Details, content_type = "application/problem+json"),
        (status = 409, description = "The clean-up is not confirmed, the pair still works, it is lifted already, or another operator has asked for it.", body = Details, content_type = "application/problem+json"),
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
            LiftFault::NotFound => Self::not_found("There is no restriction of this id."),
            LiftFault::Refused(refused) => refused.into(),
            LiftFault::Changed => Self::precondition_failed(),
            LiftFault::AskedBefore(before) => before.into(),
            LiftFault::NeedsTwo => StateFault::Corrupt("a lift that nobody was asked about").into(),
            LiftFault::State(fault) => fault.into(),
        }
    }
}
