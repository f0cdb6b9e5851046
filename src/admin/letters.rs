//! `/admin/v1/letters`: the outbox, dead letters (`state=Buried`) included; sending one again, and giving one up.

use axum::{Json as Answer, extract::State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    Admin, Problem,
    auth::{Acting, Reader},
    extract::{Json, Path, Query, cut, page_size, text, text_schema},
    openapi::Faults,
    problem::Details,
    verbs::id_of,
};
use akgate_state::{
    directory::within,
    outbox::{
        again::{self, LetterFault},
        list::{LetterView, Wanted, list as read},
    },
};

/// Which letters are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// In this state; dead letters are `Buried`.
    #[param(value_type = Option<StateName>, inline, nullable = false)]
    state: Option<String>,
    /// About this restriction.
    #[param(nullable = false)]
    restriction_id: Option<Uuid>,
    /// How many at most.
    #[param(minimum = 1, maximum = 500, default = 50, nullable = false)]
    page_size: Option<i64>,
    /// Where the last page ended.
    #[param(nullable = false)]
    page_token: Option<Uuid>,
}

/// State of a letter.
#[derive(ToSchema)]
#[schema(as = LetterState)]
#[expect(dead_code, reason = "the schema of a text")]
enum StateName {
    Due,
    Sent,
    Buried,
}

/// One page.
#[derive(Serialize, ToSchema)]
#[schema(as = Letters)]
pub struct Page {
    /// The newest first.
    letters: Vec<LetterView>,
    /// Where the next page begins; null where there is none.
    next_page_token: Option<Uuid>,
}

/// List letters
///
/// The newest first: due, sent and buried.
#[utoipa::path(
    get,
    path = "/admin/v1/letters",
    operation_id = "listLetters",
    tag = "records",
    params(Filter),
    responses((status = 200, description = "A page.", body = Page), Faults)
)]
pub async fn list(
    State(admin): State<Admin>,
    _: Reader,
    Query(filter): Query<Filter>,
) -> Result<Answer<Page>, Problem> {
    if filter
        .state
        .as_ref()
        .is_some_and(|state| !["Due", "Sent", "Buried"].contains(&state.as_str()))
    {
        return Err(Problem::invalid("`state` is Due, Sent or Buried."));
    }
    let size = page_size(filter.page_size, 500)?;
    let wanted = Wanted {
        letter_id: None,
        state: filter.state,
        restriction_id: filter.restriction_id,
        before: filter.page_token,
        limit: size + 1,
    };
    let mut letters = within(admin.timeout, read(&admin.pool, &wanted)).await?;
    let next_page_token = cut(&mut letters, size, |letter| letter.letter_id);
    Ok(Answer(Page {
        letters,
        next_page_token,
    }))
}

/// Show a letter
///
/// Its state, and what the last attempt met.
#[utoipa::path(
    get,
    path = "/admin/v1/letters/{id}",
    operation_id = "getLetter",
    tag = "records",
    params(("id" = Uuid, Path, description = "The letter.")),
    responses(
        (status = 200, description = "The letter.", body = LetterView),
        (status = 404, description = "There is no such letter.", body = Details, content_type = "application/problem+json"),
        Faults,
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
    Problem::not_found("There is no letter of this id.")
}

/// Send a letter again
///
/// One that was sent or given up, with the facts of now. The new letter is answered, which waits to be sent.
#[utoipa::path(
    post,
    path = "/admin/v1/letters/{id}:resend",
    operation_id = "resendLetter",
    tag = "records",
    params(("id" = Uuid, Path, description = "The letter.")),
    responses(
        (status = 201, description = "The new letter.", body = LetterView),
        (status = 404, description = "There is no such letter.", body = Details, content_type = "application/problem+json"),
        (status = 409, description = "It is due already.", body = Details, content_type = "application/problem+json"),
        Faults,
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

/// Why.
#[derive(Deserialize, ToSchema)]
#[schema(as = Burying)]
#[serde(deny_unknown_fields)]
pub struct Burying {
    /// Why, for the audit.
    #[schema(schema_with = text_schema::<1024>)]
    reason: String,
}

/// Give a letter up
///
/// One that waits to be sent. Whoever it is for is told nothing by it.
#[utoipa::path(
    post,
    path = "/admin/v1/letters/{id}:bury",
    operation_id = "buryLetter",
    tag = "records",
    params(("id" = Uuid, Path, description = "The letter.")),
    request_body = Burying,
    responses(
        (status = 200, description = "It is given up.", body = LetterView),
        (status = 404, description = "There is no such letter.", body = Details, content_type = "application/problem+json"),
        (status = 409, description = "It is sent or given up already.", body = Details, content_type = "application/problem+json"),
        Faults,
    )
)]
pub async fn bury(
    State(admin): State<Admin>,
    Acting(actor): Acting,
    Path(target): Path<String>,
    Json(body): Json<Burying>,
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
                "The letter is due already.",
                "It is sent as soon as the mail server takes it; `last_error` says what it met.",
            ),
            LetterFault::Settled => Self::conflict(
                "letter-settled",
                "The letter is sent or given up already.",
                "Only a letter that waits to be sent can be given up.",
            ),
            LetterFault::State(fault) => fault.into(),
        }
    }
}
