//! `/v1`: endpoints for the cloud's own programs, which use a token of the role `service`.

use axum::{Json as Answer, extract::State};
use http::StatusCode;
use uuid::Uuid;

use crate::{
    context::AdminApi,
    http::{
        authentication::CanServe,
        extract::{Json, Path, Query},
        problem::Problem,
        responses::CommonFaults,
    },
};
use akgate_api::{
    notices::{Bounce, NoticeFilter, NoticePage},
    problem::ProblemDetails,
};
use akgate_rules::evidence::sanitize_text;
use akgate_state::{audit::notices, outbox::settle};

/// Read an account's notices
///
/// What happened to the account's leaked keys, for a message centre: pass the last notice read to get later ones.
#[utoipa::path(
    get,
    path = "/v1/accounts/{id}/notices",
    operation_id = "listNotices",
    tag = "service",
    params(("id" = String, Path, description = "The account."), NoticeFilter),
    responses(
        (status = 200, description = "A page of notices.", body = NoticePage),
        (status = 404, description = "The account is not in the directory.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn list_notices(
    State(admin): State<AdminApi>,
    _: CanServe,
    Path(account_id): Path<String>,
    Query(filter): Query<NoticeFilter>,
) -> Result<Answer<NoticePage>, Problem> {
    let (after, size) = (filter.after, filter.page_size.get());
    let reading = notices::list_account_notices(&admin.pool, &account_id, after, size);
    let notices = admin.query(reading).await?;
    let notices = notices.ok_or_else(|| Problem::unknown("account in the directory"))?;
    Ok(Answer(NoticePage { notices }))
}

/// Report a bounce
///
/// The letter could not be delivered to its address. akgate notifies another contact of the account, or an operator if
/// there is none. Reporting the same bounce again changes nothing.
#[utoipa::path(
    post,
    path = "/v1/bounces",
    operation_id = "reportBounce",
    tag = "service",
    request_body = Bounce,
    responses(
        (status = 204, description = "The bounce is recorded."),
        (status = 404, description = "No such letter was sent, or its bounce is already recorded.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn report_bounce(
    State(admin): State<AdminApi>,
    _: CanServe,
    Json(body): Json<Bounce>,
) -> Result<StatusCode, Problem> {
    let unknown = || {
        Problem::not_found(
            "No letter with this Message-ID was sent, or its bounce is already recorded.",
        )
    };
    let id = body.message_id.trim().trim_start_matches('<');
    let id = id.split('@').next().unwrap_or_default();
    let letter_id = Uuid::parse_str(id).map_err(|_| unknown())?;
    let diagnostic = sanitize_text(&body.diagnostic);
    let bouncing = settle::record_bounce(&admin.pool, letter_id, &diagnostic, admin.clock.now());
    match admin.query(bouncing).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(unknown()),
    }
}
