//! `GET /admin/v1/restrictions`, `GET /admin/v1/restrictions/{id}`.

use axum::{Json as Answer, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    Admin, Problem,
    auth::Reader,
    extract::{Path, Query, cut, page_size, text},
    openapi::Faults,
    problem::Details,
    tagged::Tagged,
    verbs,
};
use akgate_rules::restriction;
use akgate_state::restrictions::read::{self, RestrictionView, Wanted};

/// Which restrictions are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// In this state.
    #[param(value_type = Option<StateName>, inline, nullable = false)]
    state: Option<String>,
    /// Of this key.
    #[param(nullable = false)]
    access_key_id: Option<String>,
    /// Of this account.
    #[param(nullable = false)]
    account_id: Option<String>,
    /// Of which something begins with this: the key, its account or user, the ticket, the source's number, the address
    /// where it was found (`https://` may be left out).
    #[param(
        nullable = false,
        min_length = 1,
        max_length = 128,
        pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$"
    )]
    q: Option<String>,
    /// How many at most.
    #[param(minimum = 1, maximum = 500, default = 50, nullable = false)]
    page_size: Option<i64>,
    /// Where the last page ended.
    #[param(nullable = false)]
    page_token: Option<Uuid>,
}

/// State of a restriction.
#[derive(ToSchema)]
#[schema(as = RestrictionState)]
#[expect(dead_code, reason = "the schema of a text")]
enum StateName {
    Imposed,
    Remediated,
    Lifted,
}

/// One page.
#[derive(Serialize, ToSchema)]
#[schema(as = Restrictions)]
pub struct Page {
    /// The newest first.
    restrictions: Vec<RestrictionView>,
    /// Where the next page begins; null where there is none.
    next_page_token: Option<Uuid>,
}

/// List restrictions
///
/// The newest first.
#[utoipa::path(
    get,
    path = "/admin/v1/restrictions",
    operation_id = "listRestrictions",
    tag = "restrictions",
    params(Filter),
    responses((status = 200, description = "A page.", body = Page), Faults)
)]
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
    if let Some(query) = &filter.q {
        text("q", query, 128)?;
    }
    let size = page_size(filter.page_size, 500)?;
    let wanted = Wanted {
        restriction_id: None,
        state,
        access_key_id: filter.access_key_id,
        account_id: filter.account_id,
        query: filter.q,
        before: filter.page_token,
        // One more than asked for tells whether there is another page.
        limit: size + 1,
    };
    let reading = admin.reading(async |db| read::list(db, &wanted).await);
    let mut restrictions = reading.await?;
    let next_page_token = cut(&mut restrictions, size, |one| one.restriction_id);
    Ok(Answer(Page {
        restrictions,
        next_page_token,
    }))
}

/// Show a restriction
///
/// With its key and the reports that led to it.
#[utoipa::path(
    get,
    path = "/admin/v1/restrictions/{id}",
    operation_id = "getRestriction",
    tag = "restrictions",
    params(("id" = Uuid, Path, description = "The restriction.")),
    responses(
        (status = 200, description = "The restriction.", body = RestrictionView, headers(("ETag", description = "For If-Match."))),
        (status = 404, description = "There is no such restriction.", body = Details, content_type = "application/problem+json"),
        Faults,
    )
)]
pub async fn one(
    State(admin): State<Admin>,
    _: Reader,
    Path(id): Path<Uuid>,
) -> Result<Tagged<RestrictionView>, Problem> {
    view(&admin, id).await.map(Tagged)
}

/// The id before a verb.
pub fn id_of(target: &str) -> Result<Uuid, Problem> {
    verbs::id_of(target).ok_or_else(|| Problem::not_found("There is no restriction of this id."))
}

/// Reads one restriction.
pub async fn view(admin: &Admin, id: Uuid) -> Result<RestrictionView, Problem> {
    let reading = admin.reading(async |db| read::one(db, id).await);
    reading
        .await?
        .ok_or_else(|| Problem::not_found("There is no restriction of this id."))
}
