//! `GET /admin/v1/restrictions/{id}/descendants`, `POST /admin/v1/restrictions/{id}:restrict_descendants`: what a leaked
//! key made.

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
    descendants::{
        DescendantFilter, Descendants, RestrictDescendantsRequest, RestrictedDescendants,
    },
    problem::ProblemDetails,
    receipts::WaitQuery,
};
use akgate_rules::access_key::AccessKeyId;
use akgate_state::{
    approvals::ChangeOutcome,
    directory::with_timeout,
    live::barrier::AffectedKeys,
    restrictions::{
        descendants,
        descendants_approval::{self, DescendantsFault},
        read,
    },
};

/// List what descends from a leaked key
///
/// AccessKeys, sessions still valid, users, roles, identity providers and everything else that the key made, or that came
/// through what it made, to any depth: since the key was first seen in public, or if nobody knows that, everything that
/// is recorded.
#[utoipa::path(
    get,
    path = "/admin/v1/restrictions/{id}/descendants",
    operation_id = "listDescendants",
    tag = "restrictions",
    params(("id" = Uuid, Path, description = "The restriction."), DescendantFilter),
    responses(
        (status = 200, description = "The descendants.", body = Descendants),
        (status = 404, description = "The restriction does not exist.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn list_descendants(
    State(admin): State<AdminApi>,
    _: CanRead,
    Path(id): Path<Uuid>,
    Query(filter): Query<DescendantFilter>,
) -> Result<Answer<Descendants>, Problem> {
    let (now, limit) = (admin.clock.now(), filter.page_size.limit());
    let reading = admin.reading(async |db| {
        let Some(exposure) = read::find_exposure(db, id).await? else {
            return Ok(None);
        };
        let since = exposure.looked_at_since();
        let descendants = descendants::list_descendants(db, id, since, now, limit).await?;
        Ok(Some(Descendants {
            since: exposure.first_seen,
            descendants,
        }))
    });
    let found = reading.await?;
    found
        .map(Answer)
        .ok_or_else(|| Problem::unknown("restriction"))
}

/// Restrict what descends from a leaked key
///
/// Restricts every AccessKey that the key made, and every session of a role or identity provider that it made, to any
/// depth; and from now on whatever else of that kind becomes known, until the restriction is lifted. What an operator has
/// freed by itself stays free. With many, a second operator must approve. `dry_run` only says what would be restricted.
/// The answer comes when every node enforces it.
#[utoipa::path(
    post,
    path = "/admin/v1/restrictions/{id}:restrict_descendants",
    operation_id = "restrictDescendants",
    tag = "restrictions",
    params(("id" = Uuid, Path, description = "The restriction."), WaitQuery),
    request_body = RestrictDescendantsRequest,
    responses(
        (status = 200, description = "The descendants are restricted, or would be.", body = RestrictedDescendants),
        (status = 202, description = "Waiting for a second operator to approve.", body = ApprovalView),
        (status = 404, description = "The restriction does not exist.", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 409, description = "The restriction is lifted, or another operator has already requested it.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn restrict_descendants(
    State(admin): State<AdminApi>,
    CanAct(actor): CanAct,
    Path(id): Path<Uuid>,
    Query(waiting): Query<WaitQuery>,
    Json(body): Json<RestrictDescendantsRequest>,
) -> Result<Response, Problem> {
    let (eyes, now) = (admin.settings.four_eyes, admin.clock.now());
    let ids = |keys: &[AccessKeyId]| keys.iter().map(|key| key.as_str().to_owned()).collect();
    if body.dry_run {
        let rehearsing = descendants_approval::rehearse_descendants(&admin.pool, id, eyes, now);
        let rehearsal = admin.query(rehearsing).await?;
        return Ok(Answer(RestrictedDescendants {
            restricted: ids(&rehearsal.restricted),
            dry_run: true,
            needs_approval: rehearsal.needs_approval,
            revision: None,
            receipt: None,
        })
        .into_response());
    }
    let restricting = descendants_approval::restrict_all_descendants(
        &admin.pool,
        id,
        &body.reason,
        &actor,
        eyes,
        now,
    );
    // Ten thousand keys take their time.
    match with_timeout(admin.timeout * 4, restricting).await? {
        ChangeOutcome::Done(done) => {
            let position = done.position;
            let receipt = admin.receipt(position, AffectedKeys::All, waiting.wait);
            let receipt = receipt.await?;
            Ok(Answer(RestrictedDescendants {
                restricted: ids(&done.restricted),
                dry_run: false,
                needs_approval: false,
                revision: Some(position.revision),
                receipt: Some(receipt),
            })
            .into_response())
        }
        ChangeOutcome::AwaitsApproval(approval) => {
            pending_approval_response(&admin, approval).await
        }
    }
}

impl From<DescendantsFault> for Problem {
    fn from(fault: DescendantsFault) -> Self {
        match fault {
            DescendantsFault::NotFound => Self::unknown("restriction"),
            DescendantsFault::NotInForce => Self::conflict(
                "already-lifted",
                "The restriction is lifted.",
                "Report the leak again if the key is still in the wrong hands.",
            ),
            DescendantsFault::AlreadyRequested(before) => before.into(),
            DescendantsFault::State(fault) => fault.into(),
        }
    }
}
