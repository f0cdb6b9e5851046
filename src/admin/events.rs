//! `GET /admin/v1/events`, `POST /admin/v1/hooks/{name}:revive`: what other programs were told, and trying again what a
//! hook did not take.

use axum::{Json as Answer, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Admin, Problem,
    auth::{Acting, Reader},
    extract::{Path, Query, page_size},
    openapi::Faults,
    verbs::before_verb,
};
use akgate_state::{
    audit::is_name,
    directory::within,
    outbox::events::{self, EventView, Wanted},
};

/// Which events are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// For this hook.
    #[param(nullable = false)]
    hook: Option<String>,
    /// In this state; those that were given up are `Buried`.
    #[param(value_type = Option<StateName>, inline, nullable = false)]
    state: Option<String>,
    /// How many at most; what is of one record stays together.
    #[param(minimum = 1, maximum = 500, default = 50, nullable = false)]
    page_size: Option<i64>,
    /// Where the last page ended.
    #[param(nullable = false)]
    page_token: Option<i64>,
}

/// State of an event.
#[derive(ToSchema)]
#[schema(as = EventState)]
#[expect(dead_code, reason = "the schema of a text")]
enum StateName {
    Due,
    Sent,
    Buried,
}

/// One page.
#[derive(Serialize, ToSchema)]
#[schema(as = Events)]
pub struct Page {
    /// The newest first.
    events: Vec<EventView>,
    /// Where the next page begins; null where there is none.
    next_page_token: Option<i64>,
}

/// List events
///
/// What other programs were told, or are to be: the newest first, those that were given up included.
#[utoipa::path(
    get,
    path = "/admin/v1/events",
    operation_id = "listEvents",
    tag = "records",
    params(Filter),
    responses((status = 200, description = "A page.", body = Page), Faults)
)]
pub async fn list(
    State(admin): State<Admin>,
    _: Reader,
    Query(filter): Query<Filter>,
) -> Result<Answer<Page>, Problem> {
    if let Some(state) = &filter.state
        && !["Due", "Sent", "Buried"].contains(&state.as_str())
    {
        return Err(Problem::invalid("`state` is Due, Sent or Buried."));
    }
    let size = page_size(filter.page_size, 500)?;
    let wanted = Wanted {
        hook: filter.hook,
        state: filter.state,
        before: filter.page_token,
        limit: size,
    };
    let events = within(admin.timeout, events::list(&admin.pool, &wanted)).await?;
    // A full page may be the last one: then the next is empty.
    let is_full = i64::try_from(events.len()).is_ok_and(|count| count >= size);
    let next_page_token = events
        .last()
        .filter(|_| is_full)
        .map(|event| event.audit_id);
    Ok(Answer(Page {
        events,
        next_page_token,
    }))
}

/// What is tried again.
#[derive(Serialize, ToSchema)]
#[schema(as = RevivedEvents)]
pub struct Revived {
    /// How many events.
    events: u64,
}

/// Try a hook again
///
/// What was given up for it is due at once.
#[utoipa::path(
    post,
    path = "/admin/v1/hooks/{name}:revive",
    operation_id = "reviveHook",
    tag = "records",
    params(("name" = String, Path, description = "The hook, as it is configured.", pattern = "^[A-Za-z0-9._-]+$", min_length = 1, max_length = 64)),
    responses((status = 200, description = "How many events are tried again; of a hook that nobody knows none.", body = Revived), Faults)
)]
pub async fn revive(
    State(admin): State<Admin>,
    Acting(actor): Acting,
    Path(target): Path<String>,
) -> Result<Answer<Revived>, Problem> {
    let hook = before_verb(&target);
    if !is_name(hook) {
        return Err(Problem::invalid(
            "A hook's name is 1 to 64 of A-Z, a-z, 0-9, `.`, `_` and `-`.",
        ));
    }
    let reviving = events::revive(&admin.pool, hook, &actor, admin.clock.now());
    let events = within(admin.timeout, reviving).await?;
    Ok(Answer(Revived { events }))
}
