//! `/admin/v1/letters`: the outbox, dead letters (`state=Buried`) included; sending one again, and giving one up.

use axum::{Json as Answer, extract::State};
use http::StatusCode;
use uuid::Uuid;

use crate::{
    context::Admin,
    http::{
        authentication::{Acting, Reader},
        extract::{Json, Path, Query, choice, cut, page_size, text},
        problem::Problem,
        responses::CommonFaults,
        verbs::id_of,
    },
};
use akgate_api::{
    letters::{LetterFilter, LetterPage, LetterView, StopLetterRequest},
    problem::ProblemDetails,
};
use akgate_state::{
    directory::within,
    outbox::{
        again::{self, LetterFault},
        list::{Wanted, list as read},
    },
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
pub async fn list(
    State(admin): State<Admin>,
    _: Reader,
    Query(filter): Query<LetterFilter>,
) -> Result<Answer<LetterPage>, Problem> {
    let state = choice("state", filter.state.as_deref())?;
    let size = page_size(filter.page_size, 500)?;
    let wanted = Wanted {
        letter_id: None,
        state,
        restriction_id: filter.restriction_id,
        before: filter.page_token,
        limit: size + 1,
    };
    let mut letters = within(admin.timeout, read(&admin.pool, &wanted)).await?;
    let next_page_token = cut(&mut letters, size, |letter| letter.letter_id);
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
pub async fn one(
    State(admin): State<Admin>,
    _: Reader,
    Path(id): Path<Uuid>,
) -> Result<Answer<LetterView>, Problem> {
    view(&admin, id).await.map(Answer)
}

async fn view(admin: &Admin, id: Uuid) -> Result<LetterView, Problem> {
    let wanted = Wanted {
        letter_id: Some(id),
        limit: 1,
        ..Wanted::default()
    };
    let mut found = within(admin.timeout, read(&admin.pool, &wanted)).await?;
    found.pop().ok_or_else(missing)
}

fn missing() -> Problem {
    Problem::not_found("No letter has this id.")
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
pub async fn resend(
    State(admin): State<Admin>,
    Acting(actor): Acting,
    Path(target): Path<String>,
) -> Result<(StatusCode, Answer<LetterView>), Problem> {
    let id = id_of(&target).ok_or_else(missing)?;
    let resending = again::resend(&admin.pool, id, &actor, admin.clock.now());
    let id = within(admin.timeout, resending).await?;
    Ok((StatusCode::CREATED, Answer(view(&admin, id).await?)))
}

/// Stop sending a letter
///
/// For a letter that is due. Its recipient does not get it.
#[utoipa::path(
    post,
    path = "/admin/v1/letters/{id}:bury",
    operation_id = "buryLetter",
    tag = "records",
    params(("id" = Uuid, Path, description = "The letter.")),
    request_body = StopLetterRequest,
    responses(
        (status = 200, description = "The letter will not be sent.", body = LetterView),
        (status = 404, description = "The letter does not exist.", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 409, description = "The letter was already sent, or has already failed.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn bury(
    State(admin): State<Admin>,
    Acting(actor): Acting,
    Path(target): Path<String>,
    Json(body): Json<StopLetterRequest>,
) -> Result<Answer<LetterView>, Problem> {
    let id = id_of(&target).ok_or_else(missing)?;
    text("reason", &body.reason, 1024)?;
    let burying = again::bury(&admin.pool, id, &body.reason, &actor, admin.clock.now());
    within(admin.timeout, burying).await?;
    view(&admin, id).await.map(Answer)
}

impl From<LetterFault> for Problem {
    fn from(fault: LetterFault) -> Self {
        match fault {
            LetterFault::NotFound => missing(),
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
