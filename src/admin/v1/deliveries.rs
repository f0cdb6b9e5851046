//! `GET /admin/v1/deliveries`, `POST /admin/v1/deliveries/{id}:undo`: what arrived, and taking it back.

use axum::{
    Json as Answer,
    extract::State,
    response::{IntoResponse, Response},
};

use crate::{
    context::Admin,
    http::{
        authentication::{Acting, Reader},
        extract::{Json, Path, Query, cut, page_size, text},
        problem::Problem,
        responses::CommonFaults,
        verbs::id_of,
    },
    v1::approvals::waits,
};
use akgate_api::{
    approvals::ApprovalView,
    deliveries::{DeliveryFilter, DeliveryPage, UndoRequest, UndoneDelivery},
    problem::ProblemDetails,
};
use akgate_state::{
    approvals::Outcome,
    directory::{StateFault, within},
    leaks::{
        deliveries::list as read,
        undo::{self, UndoFault},
    },
};

/// List deliveries
///
/// The newest first: webhooks by their bodies, imports by their batches.
#[utoipa::path(
    get,
    path = "/admin/v1/deliveries",
    operation_id = "listDeliveries",
    tag = "leaks",
    params(DeliveryFilter),
    responses((status = 200, description = "A page of results.", body = DeliveryPage), CommonFaults)
)]
pub async fn list(
    State(admin): State<Admin>,
    _: Reader,
    Query(filter): Query<DeliveryFilter>,
) -> Result<Answer<DeliveryPage>, Problem> {
    let size = page_size(filter.page_size.or(Some(20)), 100)?;
    let reading = read(&admin.pool, filter.page_token, size + 1);
    let mut deliveries = within(admin.timeout, reading).await?;
    let next_page_token = cut(&mut deliveries, size, |one| one.delivery_id);
    Ok(Answer(DeliveryPage {
        deliveries,
        next_page_token,
    }))
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
    request_body = UndoRequest,
    responses(
        (status = 200, description = "The delivery is undone.", body = UndoneDelivery),
        (status = 202, description = "Waiting for a second operator to approve.", body = ApprovalView),
        (status = 404, description = "The delivery does not exist.", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 409, description = "An owner has confirmed a clean-up, the delivery was already undone, or another operator has already requested it.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn undo(
    State(admin): State<Admin>,
    Acting(actor): Acting,
    Path(target): Path<String>,
    Json(body): Json<UndoRequest>,
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
            let receipt = UndoneDelivery {
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
