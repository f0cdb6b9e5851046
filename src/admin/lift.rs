//! `POST /admin/v1/restrictions/{id}:lift`: an operator's decision, with a reason.

use axum::{Json as Answer, extract::State};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    Admin, Problem,
    auth::Acting,
    extract::{Json, Path, text, text_schema},
    openapi::Faults,
    problem::Details,
    restrictions::{id_of, view},
};
use crate::{
    directory::within,
    registry::{
        lift::{self, LiftFault, Lifting},
        read::RestrictionView,
    },
};

/// Why.
#[derive(Deserialize, ToSchema)]
#[schema(as = Lifting)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// Why, for the audit and the letter.
    #[schema(schema_with = text_schema::<1024>)]
    reason: String,
    /// Lift although the leaked pair still works.
    #[serde(default)]
    accept_active_key: bool,
}

/// Lift a restriction
///
/// After the owner's confirmation. It frees the key, never the sessions that it minted before. It is enforced on this
/// node before the answer.
#[utoipa::path(
    post,
    path = "/admin/v1/restrictions/{id}:lift",
    operation_id = "liftRestriction",
    tag = "restrictions",
    params(("id" = Uuid, Path, description = "The restriction.")),
    request_body = Body,
    responses(
        (status = 200, description = "It is lifted.", body = RestrictionView),
        (status = 404, description = "There is no such restriction.", body = Details, content_type = "application/problem+json"),
        (status = 409, description = "The clean-up is not confirmed, the pair still works, or it is lifted already.", body = Details, content_type = "application/problem+json"),
        Faults,
    )
)]
pub async fn lift(
    State(admin): State<Admin>,
    Acting(actor): Acting,
    Path(target): Path<String>,
    Json(body): Json<Body>,
) -> Result<Answer<RestrictionView>, Problem> {
    let id = id_of(&target)?;
    text("reason", &body.reason, 1024)?;
    let lifting = Lifting {
        actor,
        reason: body.reason,
        accept_active_key: body.accept_active_key,
    };
    let now = admin.clock.now();
    let lifted = within(admin.timeout, async {
        Ok::<_, crate::directory::StateFault>(lift::lift(&admin.pool, id, &lifting, now).await)
    })
    .await?;
    match lifted {
        Ok(revision) => {
            admin.enforce(revision).await;
            view(&admin, id).await.map(Answer)
        }
        Err(LiftFault::NotFound) => Err(Problem::not_found("There is no restriction of this id.")),
        Err(LiftFault::Refused(refused)) => Err(refused.into()),
        Err(LiftFault::State(fault)) => Err(fault.into()),
    }
}
