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
    approvals::Outcome,
    directory::{StateFault, within},
    four_eyes::approvals::ApprovalView,
    leaks::{
        deliveries::{DeliveryView, list as read},
        undo::{self, UndoFault},
    },
};

/// Which deliveries to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// The page size.
    #[param(minimum = 1, maximum = 100, default = 20, nullable = false)]
    page_size: Option<i64>,
    /// The `next_page_token` of the previous page.
    #[param(nullable = false)]
    page_token: Option<Uuid>,
}

/// A page of results.
#[derive(Serialize, ToSchema)]
#[schema(as = Deliveries)]
pub struct Page {
    /// Newest first.
    deliveries: Vec<DeliveryView>,
    /// Send this as `page_token` to get the next page; null on the last page.
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
    responses((status = 200, description = "A page of results.", body = Page), Faults)
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
    /// The reason, kept in the audit log and quoted in the letters.
    #[schema(schema_with = text_schema::<1024>)]
    reason: String,
}

/// What was undone.
#[derive(Serialize, ToSchema)]
#[schema(as = Undone)]
pub struct Receipt {
    /// Number of restrictions that were lifted.
    lifted: usize,
    /// Number of restrictions that remain because other reports restrict the key as well.
    kept: usize,
    /// The revision from which on every node enforces it.
    revision: i64,
}

/// Undo a delivery
///
/// Lifts the restrictions that only this delivery led to, as if they had never existed. Not possible once an owner has
/// confirmed. The reports are kept, so sending the same sightings again changes nothing. If many restrictions would be
/// lifted, a second operator must approve.
#[utoipa::path(
    post,
    path = "/admin/v1/deliveries/{id}:undo",
    operation_id = "undoDelivery",
    tag = "leaks",
    params(("id" = Uuid, Path, description = "The delivery.")),
    request_body = Body,
    responses(
        (status = 200, description = "The delivery is undone.", body = Receipt),
        (status = 202, description = "Waiting for a second operator to approve.", body = ApprovalView),
        (status = 404, description = "The delivery does not exist.", body = Details, content_type = "application/problem+json"),
        (status = 409, description = "An owner has confirmed a clean-up, the delivery was already undone, or another operator has already requested it.", body = Details, content_type = "application/problem+json"),
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
    Problem::not_found("No delivery has this id.")
}

impl From<UndoFault> for Problem {
    fn from(fault: UndoFault) -> Self {
        match fault {
            UndoFault::NotFound => missing(),
            UndoFault::Undone => Self::conflict(
                "already-undone",
                "The delivery is already undone.",
                "There is nothing left to undo.",
            ),
            UndoFault::Confirmed(keys) => Self::conflict(
                "confirmed",
                "An owner has confirmed the clean-up.",
                format!(
                    "The owners of {keys} of its keys have confirmed the clean-up: lift the restrictions one by one."
                ),
            ),
            UndoFault::AlreadyRequested(before) => before.into(),
            UndoFault::NeedsTwo(_) => {
                StateFault::Corrupt("an undoing that nobody was asked about").into()
            }
            UndoFault::State(fault) => fault.into(),
        }
    }
}
