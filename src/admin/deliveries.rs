//! `GET /admin/v1/deliveries`, `POST /admin/v1/deliveries/{id}:undo`: what arrived, and taking it back.

use axum::{
    Json as Answer,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    Admin, Problem,
    approvals::waits,
    auth::{Acting, Reader},
    extract::{Json, Path, Query, cut, page_size, text, text_schema},
    openapi::Faults,
    problem::Details,
    verbs::id_of,
};
use akgate_state::{
    directory::{StateFault, within},
    four_eyes::approvals::{ApprovalView, Outcome},
    leaks::{
        deliveries::{DeliveryView, list as read},
        undo::{self, UndoFault},
    },
};

/// Which deliveries are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// How many at most.
    #[param(minimum = 1, maximum = 100, default = 20, nullable = false)]
    page_size: Option<i64>,
    /// Where the last page ended.
    #[param(nullable = false)]
    page_token: Option<Uuid>,
}

/// One page.
#[derive(Serialize, ToSchema)]
#[schema(as = Deliveries)]
pub struct Page {
    /// The newest first.
    deliveries: Vec<DeliveryView>,
    /// Where the next page begins; null where there is none.
    next_page_token: Option<Uuid>,
}

/// List deliveries
///
/// The newest first: webhooks by their bodies, imports by their batches.
#[utoipa::path(
    get,
    path = "/admin/v1/deliveries",
    operation_id = "listDeliveries",
    tag = "leaks",
    params(Filter),
    responses((status = 200, description = "A page.", body = Page), Faults)
)]
pub async fn list(
    State(admin): State<Admin>,
    _: Reader,
    Query(filter): Query<Filter>,
) -> Result<Answer<Page>, Problem> {
    let size = page_size(filter.page_size.or(Some(20)), 100)?;
    let reading = read(&admin.pool, filter.page_token, size + 1);
    let mut deliveries = within(admin.timeout, reading).await?;
    let next_page_token = cut(&mut deliveries, size, |one| one.delivery_id);
    Ok(Answer(Page {
        deliveries,
        next_page_token,
    }))
}

/// Why.
#[derive(Deserialize, ToSchema)]
#[schema(as = Undoing)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// Why, for the audit and the letters.
    #[schema(schema_with = text_schema::<1024>)]
    reason: String,
}

/// What was taken back.
#[derive(Serialize, ToSchema)]
#[schema(as = Undone)]
pub struct Receipt {
    /// Restrictions that are lifted.
    lifted: usize,
    /// Restrictions that stay, since other reports restrict the key as well.
    kept: usize,
    /// The revision from which on every node enforces it.
    revision: i64,
}

/// Undo a delivery
///
/// The restrictions that it alone has led to are lifted as if they had never been, before any owner has confirmed. Its
/// reports stay, so that the same sightings told again change nothing. What would lift many restrictions takes a second
/// operator.
#[utoipa::path(
    post,
    path = "/admin/v1/deliveries/{id}:undo",
    operation_id = "undoDelivery",
    tag = "leaks",
    params(("id" = Uuid, Path, description = "The delivery.")),
    request_body = Body,
    responses(
        (status = 200, description = "It is undone.", body = Receipt),
        (status = 202, description = "It waits for a second operator.", body = ApprovalView),
        (status = 404, description = "There is no such delivery.", body = Details, content_type = "application/problem+json"),
        (status = 409, description = "An owner has confirmed a clean-up, it was undone before, or another operator has asked for it.", body = Details, content_type = "application/problem+json"),
        Faults,
    )
)]
pub async fn undo(
    State(admin): State<Admin>,
    Acting(actor): Acting,
    Path(target): Path<String>,
    Json(body): Json<Body>,
) -> Result<Response, Problem> {
    let id = id_of(&target).ok_or_else(missing)?;
    text("reason", &body.reason, 1024)?;
    let now = admin.clock.now();
    let undoing = undo::undo(
        &admin.pool,
        id,
        &body.reason,
        &actor,
        admin.settings.four_eyes,
        now,
    );
    // Ten thousand keys take their time.
    match within(admin.timeout * 4, undoing).await? {
        Outcome::Done(undone) => {
            admin.enforce(undone.position).await;
            let receipt = Receipt {
                lifted: undone.lifted,
                kept: undone.kept,
                revision: undone.position.revision,
            };
            Ok(Answer(receipt).into_response())
        }
        Outcome::Waits(approval) => Ok(waits(&admin, approval).await?.into_response()),
    }
}

fn missing() -> Problem {
    Problem::not_found("There is no delivery of this id.")
}

impl From<UndoFault> for Problem {
    fn from(fault: UndoFault) -> Self {
        match fault {
            UndoFault::NotFound => missing(),
            UndoFault::Undone => Self::conflict(
                "already-undone",
                "It is undone already.",
                "This delivery was undone before.",
            ),
            UndoFault::Confirmed(keys) => Self::conflict(
                "confirmed",
                "An owner has confirmed.",
                format!(
                    "Owners of {keys} of its keys have confirmed a clean-up: lift the restrictions one by one."
                ),
            ),
            UndoFault::AskedBefore(before) => before.into(),
            UndoFault::NeedsTwo(_) => {
                StateFault::Corrupt("an undoing that nobody was asked about").into()
            }
            UndoFault::State(fault) => fault.into(),
        }
    }
}
