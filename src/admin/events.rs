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

/// Which events to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Only those for this hook.
    #[param(nullable = false)]
    hook: Option<String>,
    /// Only those in this state; failed events are `Buried`.
    #[param(value_type = Option<StateName>, inline, nullable = false)]
    state: Option<String>,
    /// The page size; the events of one audit record stay together, so a page may be larger.
    #[param(minimum = 1, maximum = 500, default = 50, nullable = false)]
    page_size: Option<i64>,
    /// The `next_page_token` of the previous page.
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

/// A page of results.
#[derive(Serialize, ToSchema)]
#[schema(as = Events)]
pub struct Page {
    /// Newest first.
    events: Vec<EventView>,
    /// Send this as `page_token` to get the next page; null on the last page.
    next_page_token: Option<i64>,
}

/// List events
///
/// The events that were sent to other programs or are to be sent: newest first, failed ones included.
#[utoipa::path(
    get,
    path = "/admin/v1/events",
    operation_id = "listEvents",
    tag = "records",
    params(Filter),
    responses((status = 200, description = "A page of results.", body = Page), Faults)
)]
pub async fn list(
    State(admin): State<Admin>,
    _: Reader,
    Query(filter): Query<Filter>,
) -> Result<Answer<Page>, Problem> {
    if let Some(state) = &filter.state
        && !["Due", "Sent", "Buried"].contains(&state.as_str())
    {
        return Err(Problem::invalid("`state` must be Due, Sent or Buried."));
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

/// The events that are retried.
#[derive(Serialize, ToSchema)]
#[schema(as = RevivedEvents)]
pub struct Revived {
    /// The number of events.
    events: u64,
}

/// Retry the failed events of a hook
///
/// All failed events of the hook are due at once.
#[utoipa::path(
    post,
    path = "/admin/v1/hooks/{name}:revive",
    operation_id = "reviveHook",
    tag = "records",
    params(("name" = String, Path, description = "The name of the hook in the configuration.", pattern = "^[A-Za-z0-9._-]+$", min_length = 1, max_length = 64)),
    responses((status = 200, description = "The number of events that are retried; 0 for an unknown hook.", body = Revived), Faults)
)]
pub async fn revive(
    State(admin): State<Admin>,
    Acting(actor): Acting,
    Path(target): Path<String>,
) -> Result<Answer<Revived>, Problem> {
    let hook = before_verb(&target);
    if !is_name(hook) {
        return Err(Problem::invalid(
            "A hook's name consists of 1 to 64 of A-Z, a-z, 0-9, `.`, `_` and `-`.",
        ));
    }
    let reviving = events::revive(&admin.pool, hook, &actor, admin.clock.now());
    let events = within(admin.timeout, reviving).await?;
    Ok(Answer(Revived { events }))
}
