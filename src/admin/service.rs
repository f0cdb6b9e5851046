//! `/v1`: what programs of the cloud ask and tell, by a token of the role `service`.

use axum::{Json as Answer, extract::State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    Admin, Problem,
    auth::Service,
    extract::{Json, Path, Query, page_size, text, text_schema},
    openapi::Faults,
    problem::Details,
};
use akgate_rules::evidence::clean;
use akgate_state::{
    audit::notices::{self, Notice},
    directory::within,
    outbox,
};

/// Which notices to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Only those after this notice.
    #[param(minimum = 0, default = 0, nullable = false)]
    after: Option<i64>,
    /// The page size.
    #[param(minimum = 1, maximum = 500, default = 50, nullable = false)]
    page_size: Option<i64>,
}

/// A page of results.
#[derive(Serialize, ToSchema)]
#[schema(as = Notices)]
pub struct Page {
    /// Oldest first.
    notices: Vec<Notice>,
}

/// Read an account's notices
///
/// What happened to the account's leaked keys, for a message centre: pass the last notice read to get later ones.
#[utoipa::path(
    get,
    path = "/v1/accounts/{id}/notices",
    operation_id = "listNotices",
    tag = "service",
    params(("id" = String, Path, description = "The account."), Filter),
    responses(
        (status = 200, description = "A page of notices.", body = Page),
        (status = 404, description = "The account is not in the directory.", body = Details, content_type = "application/problem+json"),
        Faults,
    )
)]
pub async fn list(
    State(admin): State<Admin>,
    _: Service,
    Path(account_id): Path<String>,
    Query(filter): Query<Filter>,
) -> Result<Answer<Page>, Problem> {
    let size = page_size(filter.page_size, 500)?;
    let after = filter.after.unwrap_or_default();
    if after < 0 {
        return Err(Problem::invalid("`after` must be 0 or more."));
    }
    let reading = notices::of_account(&admin.pool, &account_id, after, size);
    let notices = within(admin.timeout, reading)
        .await?
        .ok_or_else(|| Problem::not_found("No account in the directory has this id."))?;
    Ok(Answer(Page { notices }))
}

/// A letter that bounced.
#[derive(Deserialize, ToSchema)]
#[schema(as = Bounce)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// The letter's Message-ID, with or without angle brackets.
    #[schema(schema_with = text_schema::<256>)]
    message_id: String,
    /// What the mail server said.
    #[schema(schema_with = text_schema::<1024>)]
    said: String,
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
    request_body = Body,
    responses(
        (status = 204, description = "The bounce is recorded."),
        (status = 404, description = "No such letter was sent, or its bounce is already recorded.", body = Details, content_type = "application/problem+json"),
        Faults,
    )
)]
pub async fn bounce(
    State(admin): State<Admin>,
    _: Service,
    Json(body): Json<Body>,
) -> Result<StatusCode, Problem> {
    text("message_id", &body.message_id, 256)?;
    text("said", &body.said, 1024)?;
    let unknown = || {
        Problem::not_found(
            "No letter with this Message-ID was sent, or its bounce is already recorded.",
        )
    };
    let id = body.message_id.trim().trim_start_matches('<');
    let id = id.split('@').next().unwrap_or_default();
    let letter_id = Uuid::parse_str(id).map_err(|_| unknown())?;
    let said = clean(&body.said);
    let bouncing = outbox::bounced(&admin.pool, letter_id, &said, admin.clock.now());
    match within(admin.timeout, bouncing).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(unknown()),
    }
}
