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

/// Which restrictions to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Only those in this state.
    #[param(value_type = Option<StateName>, inline, nullable = false)]
    state: Option<String>,
    /// Only those of this access key.
    #[param(nullable = false)]
    access_key_id: Option<String>,
    /// Only those of this account.
    #[param(nullable = false)]
    account_id: Option<String>,
    /// Only those where one of these begins with this text: the key, its account or user, the ticket, the source's
    /// reference, the URL where it was found (with or without `https://`).
    #[param(
        nullable = false,
        min_length = 1,
        max_length = 128,
        pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$"
    )]
    q: Option<String>,
    /// The page size.
    #[param(minimum = 1, maximum = 500, default = 50, nullable = false)]
    page_size: Option<i64>,
    /// The `next_page_token` of the previous page.
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

/// A page of results.
#[derive(Serialize, ToSchema)]
#[schema(as = Restrictions)]
pub struct Page {
    /// Newest first.
    restrictions: Vec<RestrictionView>,
    /// Send this as `page_token` to get the next page; null on the last page.
    next_page_token: Option<Uuid>,
}

/// List restrictions
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/admin/v1/restrictions",
    operation_id = "listRestrictions",
    tag = "restrictions",
    params(Filter),
    responses((status = 200, description = "A page of results.", body = Page), Faults)
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
                .ok_or_else(|| Problem::invalid("`state` must be Imposed, Remediated or Lifted."))
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
/// With its key and its leak reports.
#[utoipa::path(
    get,
    path = "/admin/v1/restrictions/{id}",
    operation_id = "getRestriction",
    tag = "restrictions",
    params(("id" = Uuid, Path, description = "The restriction.")),
    responses(
        (status = 200, description = "The restriction.", body = RestrictionView, headers(("ETag", description = "Send it as If-Match with a change."))),
        (status = 404, description = "The restriction does not exist.", body = Details, content_type = "application/problem+json"),
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
    verbs::id_of(target).ok_or_else(|| Problem::not_found("No restriction has this id."))
}

/// Reads one restriction.
pub async fn view(admin: &Admin, id: Uuid) -> Result<RestrictionView, Problem> {
    let reading = admin.reading(async |db| read::one(db, id).await);
    reading
        .await?
        .ok_or_else(|| Problem::not_found("No restriction has this id."))
}
