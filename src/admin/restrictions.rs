//! `GET /admin/v1/restrictions`, `GET /admin/v1/restrictions/{id}`, and where the verbs
//! `POST /admin/v1/restrictions/{id}:confirm` and `:lift` are found.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use axum::{
    Json as Answer,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use futures_core::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tower::{Service, ServiceExt};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    Admin, Problem,
    auth::Reader,
    confirm,
    extract::{Path, Query, cut, page_size},
    lift,
    openapi::Faults,
    problem::Details,
};
use crate::{
    directory::within,
    registry::read::{self, RestrictionView, Wanted},
    restriction,
};

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
        (status = 200, description = "The restriction.", body = RestrictionView),
        (status = 404, description = "There is no such restriction.", body = Details, content_type = "application/problem+json"),
        Faults,
    )
)]
pub async fn one(
    State(admin): State<Admin>,
    _: Reader,
    Path(id): Path<Uuid>,
) -> Result<Answer<RestrictionView>, Problem> {
    view(&admin, id).await.map(Answer)
}

/// Finds the method that a path means: the router knows no `{id}:verb`.
pub fn target(admin: &Admin) -> Target {
    let not_allowed = || async { Problem::method_not_allowed() };
    Target {
        one: get(one).fallback(not_allowed).with_state(admin.clone()),
        confirm: post(confirm::confirm)
            .fallback(not_allowed)
            .with_state(admin.clone()),
        lift: post(lift::lift)
            .fallback(not_allowed)
            .with_state(admin.clone()),
    }
}

/// What can be asked of one restriction.
#[derive(Clone)]
pub struct Target {
    one: MethodRouter,
    confirm: MethodRouter,
    lift: MethodRouter,
}

impl Service<Request> for Target {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let last = request.uri().path().rsplit('/').next().unwrap_or_default();
        let route = match last.split_once(':') {
            None => self.one.clone(),
            Some((_, "confirm")) => self.confirm.clone(),
            Some((_, "lift")) => self.lift.clone(),
            Some(_) => {
                let problem = Problem::not_found(
                    "A restriction can be confirmed (:confirm) and lifted (:lift).",
                );
                return Box::pin(async move { Ok(problem.into_response()) });
            }
        };
        Box::pin(route.oneshot(request))
    }
}

/// The id before a verb.
pub fn id_of(target: &str) -> Result<Uuid, Problem> {
    target
        .split(':')
        .next()
        .and_then(|id| Uuid::parse_str(id).ok())
        .ok_or_else(|| Problem::not_found("There is no restriction of this id."))
}

/// Reads one restriction.
pub async fn view(admin: &Admin, id: Uuid) -> Result<RestrictionView, Problem> {
    within(admin.timeout, read::one(&admin.pool, id))
        .await?
        .ok_or_else(|| Problem::not_found("There is no restriction of this id."))
}
