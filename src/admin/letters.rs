//! `GET /admin/v1/letters`: the outbox, dead letters (`state=Buried`) included.

use axum::{Json as Answer, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    Admin, Problem,
    auth::Reader,
    extract::{Query, cut, page_size},
    openapi::Faults,
};
use crate::{
    directory::within,
    outbox::list::{LetterView, Wanted, list as read},
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
