//! `POST /admin/v1/restrictions/{id}:confirm`: the owner's word came by ticket or hotline.

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    Admin, Problem,
    auth::Acting,
    extract::{Json, Path, text, text_schema},
    openapi::Faults,
    problem::Details,
    restrictions::{id_of, view},
    tagged::{IfMatch, Tagged},
};
use akgate_rules::restriction;
use akgate_state::{
    directory::within,
    restrictions::{
        confirm::{Confirmed, by_ticket},
        read::RestrictionView,
    },
};

/// Where the owner's confirmation is recorded.
#[derive(Deserialize, ToSchema)]
#[schema(as = Confirmation)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// The number of the ticket in which the owner confirmed.
    #[schema(schema_with = text_schema::<128>)]
    ticket: String,
}

/// Record the owner's confirmation
///
/// For an owner who confirmed in another way than with the link in the letter. This does not lift the restriction.
#[utoipa::path(
    post,
    path = "/admin/v1/restrictions/{id}:confirm",
    operation_id = "confirmRestriction",
    tag = "restrictions",
    params(("id" = Uuid, Path, description = "The restriction."), IfMatch),
    request_body = Body,
    responses(
        (status = 200, description = "The clean-up is confirmed.", body = RestrictionView, headers(("ETag", description = "Send it as If-Match with a change."))),
        (status = 412, description = "The resource has changed since you read it.", body = Details, content_type = "application/problem+json"),
        (status = 404, description = "The restriction does not exist.", body = Details, content_type = "application/problem+json"),
        (status = 409, description = "The restriction is already confirmed or lifted.", body = Details, content_type = "application/problem+json"),
        Faults,
    )
)]
pub async fn confirm(
    State(admin): State<Admin>,
    Acting(actor): Acting,
    Path(target): Path<String>,
    IfMatch(seen): IfMatch,
    Json(body): Json<Body>,
) -> Result<Tagged<RestrictionView>, Problem> {
    let id = id_of(&target)?;
    text("ticket", &body.ticket, 128)?;
    let now = admin.clock.now();
    let confirming = by_ticket(&admin.pool, id, &actor, &body.ticket, seen.as_deref(), now);
    match within(admin.timeout, confirming).await? {
        Confirmed::Now(_) | Confirmed::Lifted { .. } => view(&admin, id).await.map(Tagged),
        Confirmed::Before(_, restriction::State::Lifted) => Err(Problem::conflict(
            "already-lifted",
            "The restriction is already lifted.",
            "There is nothing left to confirm.",
        )),
        Confirmed::Before(..) => Err(Problem::conflict(
            "already-confirmed",
            "The clean-up is already confirmed.",
            "The restriction can be lifted.",
        )),
        Confirmed::Changed => Err(Problem::precondition_failed()),
        Confirmed::NotFound => Err(Problem::not_found("No restriction has this id.")),
    }
}
