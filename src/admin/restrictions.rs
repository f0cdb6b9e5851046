//! `GET /admin/v1/restrictions`, `GET /admin/v1/restrictions/{id}`, and the verbs
//! `POST /admin/v1/restrictions/{id}:confirm` and `:lift`.

use axum::{
    Json as Answer,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::{
    Admin, Problem,
    auth::{Acting, Reader},
    confirm,
    extract::{Path, Query, cut, page_size},
    lift,
};
use crate::{
    directory::within,
    registry::read::{self, RestrictionView, Wanted},
    restriction,
};

/// Which restrictions are wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    state: Option<String>,
    access_key_id: Option<String>,
    page_size: Option<i64>,
    page_token: Option<Uuid>,
}

/// One page.
#[derive(Serialize)]
pub struct Page {
    restrictions: Vec<RestrictionView>,
    next_page_token: Option<Uuid>,
}

/// Lists restrictions, the newest first.
pub async fn list(
    State(admin): State<Admin>,
    _: Reader,
    Query(filter): Query<Filter>,
) -> Result<Answer<Page>, Problem> {
    let state = filter
        .state
        .map(|text| {
            restriction::State::parse(&text)
                .ok_or_else(|| Problem::invalid("`state` is Imposed, Remediated or Lifted."))
        })
        .transpose()?;
    let size = page_size(filter.page_size, 500)?;
    let wanted = Wanted {
        restriction_id: None,
        state,
        access_key_id: filter.access_key_id,
        before: filter.page_token,
        // One more than asked for tells whether there is another page.
        limit: size + 1,
    };
    let mut restrictions = within(admin.timeout, read::list(&admin.pool, &wanted)).await?;
    let next_page_token = cut(&mut restrictions, size, |one| one.restriction_id);
    Ok(Answer(Page {
        restrictions,
        next_page_token,
    }))
}

/// Shows one restriction.
pub async fn one(
    State(admin): State<Admin>,
    _: Reader,
    Path(id): Path<Uuid>,
) -> Result<Answer<RestrictionView>, Problem> {
    view(&admin, id).await.map(Answer)
}

/// Does what the verb after the id says.
pub async fn act(
    State(admin): State<Admin>,
    Acting(actor): Acting,
    Path(target): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let (id, verb) = target
        .split_once(':')
        .ok_or_else(|| Problem::invalid("Say what to do: {id}:confirm or {id}:lift."))?;
    let id = Uuid::parse_str(id)
        .map_err(|_| Problem::not_found("There is no restriction of this id."))?;
    match verb {
        "confirm" => confirm::confirm(&admin, &actor, id, read_body(&body)?).await?,
        "lift" => lift::lift(&admin, actor, id, read_body(&body)?).await?,
        _ => {
            return Err(Problem::not_found(
                "A restriction can be confirmed (:confirm) and lifted (:lift).",
            ));
        }
    }
    Ok(Answer(view(&admin, id).await?).into_response())
}

fn read_body<T: DeserializeOwned>(body: &Bytes) -> Result<T, Problem> {
    serde_json::from_slice(body)
        .map_err(|fault| Problem::invalid(format!("The body is not what is expected: {fault}.")))
}

async fn view(admin: &Admin, id: Uuid) -> Result<RestrictionView, Problem> {
    within(admin.timeout, read::one(&admin.pool, id))
        .await?
        .ok_or_else(|| Problem::not_found("There is no restriction of this id."))
}
