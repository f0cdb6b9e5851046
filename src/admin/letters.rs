//! `GET /admin/v1/letters`: the outbox, dead letters (`state=Buried`) included.

use axum::{Json as Answer, extract::State};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Admin, Problem,
    auth::Reader,
    extract::{Query, cut, page_size},
};
use crate::{
    directory::within,
    outbox::list::{LetterView, Wanted, list as read},
};

/// Which letters are wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    state: Option<String>,
    restriction_id: Option<Uuid>,
    page_size: Option<i64>,
    page_token: Option<Uuid>,
}

/// One page.
#[derive(Serialize)]
pub struct Page {
    letters: Vec<LetterView>,
    next_page_token: Option<Uuid>,
}

/// Lists letters, the newest first.
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
