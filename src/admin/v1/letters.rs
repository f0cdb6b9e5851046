//! `/admin/v1/letters`: lists letters, including failed ones (`state=Failed`); sends one again; cancels one.

use axum::{Json as Answer, extract::State};
use http::StatusCode;
use uuid::Uuid;

use crate::{
    context::AdminApi,
    http::{
        authentication::{CanAct, CanRead},
        extract::{Json, Path, Query},
        problem::Problem,
        responses::CommonFaults,
    },
};
use akgate_api::{
    letters::{CancelLetterRequest, LetterFilter, LetterPage, LetterView},
    problem::ProblemDetails,
};
use akgate_state::outbox::{
    list::{LetterCriteria, list_letters as read},
    operator_actions::{self, LetterFault},
};

/// List letters
///
/// Newest first: due, sent and failed ones.
#[utoipa::path(
    get,
    path = "/admin/v1/letters",
    operation_id = "listLetters",
    tag = "records",
    params(LetterFilter),
    responses((status = 200, description = "A page of results.", body = LetterPage), CommonFaults)
)]
pub async fn list_letters(
    State(admin): State<AdminApi>,
    _: CanRead,
    Query(filter): Query<LetterFilter>,
) -> Result<Answer<LetterPage>, Problem> {
    let criteria = LetterCriteria {
        letter_id: None,
        state: filter.state,
        restriction_id: filter.restriction_id,
        before: filter.page_token,
        limit: filter.page_size.limit(),
    };
    let letters = admin.query(read(&admin.pool, &criteria)).await?;
    let (letters, next_page_token) = filter
        .page_size
        .paginate(letters, |letter| letter.letter_id);
    Ok(Answer(LetterPage {
        letters,
        next_page_token,
    }))
}

/// Show a letter
///
/// Its state, and the result of the last attempt.
#[utoipa::path(
    get,
    path = "/admin/v1/letters/{id}",
    operation_id = "getLetter",
    tag = "records",
    params(("id" = Uuid, Path, description = "The letter.")),
    responses(
        (status = 200, description = "The letter.", body = LetterView),
        (status = 404, description = "The letter does not exist.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn get_letter(
    State(admin): State<AdminApi>,
    _: CanRead,
    Path(id): Path<Uuid>,
) -> Result<Answer<LetterView>, Problem> {
    find_letter(&admin, id).await.map(Answer)
}

async fn find_letter(admin: &AdminApi, id: Uuid) -> Result<LetterView, Problem> {
    let criteria = LetterCriteria {
        letter_id: Some(id),
        limit: 1,
        ..LetterCriteria::default()
    };
    let mut found = admin.query(read(&admin.pool, &criteria)).await?;
    found.pop().ok_or_else(|| Problem::unknown("letter"))
}

/// Send a letter again
///
/// For a letter that was sent or has failed, with current facts. Returns the new letter, which is due to be sent.
#[utoipa::path(
    post,
    path = "/admin/v1/letters/{id}:resend",
    operation_id = "resendLetter",
    tag = "records",
    params(("id" = Uuid, Path, description = "The letter.")),
    responses(
        (status = 201, description = "The new letter.", body = LetterView),
        (status = 404, description = "The letter does not exist.", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 409, description = "The letter is already due.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn resend_letter(
    State(admin): State<AdminApi>,
    CanAct(actor): CanAct,
    Path(id): Path<Uuid>,
) -> Result<(StatusCode, Answer<LetterView>), Problem> {
    let resending = operator_actions::resend_letter(&admin.pool, id, &actor, admin.clock.now());
    let id = admin.query(resending).await?;
    Ok((StatusCode::CREATED, Answer(find_letter(&admin, id).await?)))
}

/// Cancel a letter
///
/// For a letter that is due. Its recipient does not get it.
#[utoipa::path(
    post,
    path = "/admin/v1/letters/{id}:cancel",
    operation_id = "cancelLetter",
    tag = "records",
    params(("id" = Uuid, Path, description = "The letter.")),
    request_body = CancelLetterRequest,
    responses(
        (status = 200, description = "The letter will not be sent.", body = LetterView),
        (status = 404, description = "The letter does not exist.", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 409, description = "The letter was already sent, or has already failed.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn cancel_letter(
    State(admin): State<AdminApi>,
    CanAct(actor): CanAct,
    Path(id): Path<Uuid>,
    Json(body): Json<CancelLetterRequest>,
) -> Result<Answer<LetterView>, Problem> {
    let cancelling =
        operator_actions::cancel_letter(&admin.pool, id, &body.reason, &actor, admin.clock.now());
    admin.query(cancelling).await?;
    find_letter(&admin, id).await.map(Answer)
}

impl From<LetterFault> for Problem {
    fn from(fault: LetterFault) -> Self {
        match fault {
            LetterFault::NotFound => Self::unknown("letter"),
            LetterFault::Due => Self::conflict(
                "letter-due",
                "The letter is already due.",
                "It is sent as soon as the mail server accepts it; see `last_error` for the last failure.",
            ),
            LetterFault::Settled => Self::conflict(
                "letter-settled",
                "The letter was already sent, or has already failed.",
                "Only a letter that is due can be stopped.",
            ),
            LetterFault::State(fault) => fault.into(),
        }
    }
}
