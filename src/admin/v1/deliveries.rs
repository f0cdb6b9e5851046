//! `GET /admin/v1/deliveries`, `POST /admin/v1/deliveries/{id}:undo`: lists deliveries and undoes one.

use axum::{
    Json as Answer,
    extract::State,
    response::{IntoResponse, Response},
};
use uuid::Uuid;

use crate::{
    context::AdminApi,
    http::{
        authentication::{CanAct, CanRead},
        extract::{Json, Path, Query},
        problem::Problem,
        responses::CommonFaults,
    },
    v1::approvals::pending_approval_response,
};
use akgate_api::{
    approvals::ApprovalView,
    deliveries::{DeliveryFilter, DeliveryPage, UndoDeliveryRequest, UndoneDelivery},
    problem::ProblemDetails,
};
use akgate_state::{
    approvals::ChangeOutcome,
    directory::{StateFault, with_timeout},
    leaks::{
        deliveries::list_deliveries as read,
        undo::{self, UndoFault},
    },
};

/// List deliveries
///
/// The newest first: webhooks by their bodies, imported files.
#[utoipa::path(
    get,
    path = "/admin/v1/deliveries",
    operation_id = "listDeliveries",
    tag = "leaks",
    params(DeliveryFilter),
    responses((status = 200, description = "A page of results.", body = DeliveryPage), CommonFaults)
)]
pub async fn list_deliveries(
    State(admin): State<AdminApi>,
    _: CanRead,
    Query(filter): Query<DeliveryFilter>,
) -> Result<Answer<DeliveryPage>, Problem> {
    let reading = read(&admin.pool, filter.page_token, filter.page_size.limit());
    let deliveries = admin.query(reading).await?;
    let (deliveries, next_page_token) =
        filter.page_size.paginate(deliveries, |one| one.delivery_id);
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
    request_body = UndoDeliveryRequest,
    responses(
        (status = 200, description = "The delivery is undone.", body = UndoneDelivery),
        (status = 202, description = "Waiting for a second operator to approve.", body = ApprovalView),
        (status = 404, description = "The delivery does not exist.", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 409, description = "An owner has confirmed a clean-up, the delivery was already undone, or another operator has already requested it.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn undo_delivery(
    State(admin): State<AdminApi>,
    CanAct(actor): CanAct,
    Path(id): Path<Uuid>,
    Json(body): Json<UndoDeliveryRequest>,
) -> Result<Response, Problem> {
    let now = admin.clock.now();
    let undoing = undo::undo_delivery(
        &admin.pool,
        id,
        &body.reason,
        &actor,
        admin.settings.four_eyes,
        now,
    );
    // Ten thousand keys take their time.
    match with_timeout(admin.timeout * 4, undoing).await? {
        ChangeOutcome::Done(undone) => {
            admin.enforce(undone.position).await;
            let receipt = UndoneDelivery {
                lifted: undone.lifted,
                kept: undone.kept,
                revision: undone.position.revision,
            };
            Ok(Answer(receipt).into_response())
        }
        ChangeOutcome::AwaitsApproval(approval) => {
            pending_approval_response(&admin, approval).await
        }
    }
}

impl From<UndoFault> for Problem {
    fn from(fault: UndoFault) -> Self {
        match fault {
            UndoFault::NotFound => Self::unknown("delivery"),
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
            UndoFault::NeedsApproval(_) => {
                StateFault::Corrupt("an undoing that nobody was asked about").into()
            }
            UndoFault::State(fault) => fault.into(),
        }
    }
}
