//! `GET /admin/v1/events`, `POST /admin/v1/hooks/{name}:retry`: what other programs were told, and trying again what a
//! hook did not take.

use axum::{Json as Answer, extract::State};

use crate::{
    context::AdminApi,
    http::{
        authentication::{CanAct, CanRead},
        extract::{Path, Query, checked_page_size, choice},
        problem::Problem,
        responses::CommonFaults,
        verbs::strip_method,
    },
};
use akgate_api::events::{EventFilter, EventPage, RetriedEvents};
use akgate_state::{
    audit::is_valid_name,
    directory::with_timeout,
    outbox::events::{self, EventCriteria},
};

/// List events
///
/// The events that were sent to other programs or are to be sent: newest first, failed ones included.
#[utoipa::path(
    get,
    path = "/admin/v1/events",
    operation_id = "listEvents",
    tag = "records",
    params(EventFilter),
    responses((status = 200, description = "A page of results.", body = EventPage), CommonFaults)
)]
pub async fn list_events(
    State(admin): State<AdminApi>,
    _: CanRead,
    Query(filter): Query<EventFilter>,
) -> Result<Answer<EventPage>, Problem> {
    let state = choice("state", filter.state.as_deref())?;
    let size = checked_page_size(filter.page_size, 500)?;
    let wanted = EventCriteria {
        hook: filter.hook,
        state,
        before: filter.page_token,
        limit: size,
    };
    let events = with_timeout(admin.timeout, events::list_events(&admin.pool, &wanted)).await?;
    // A full page may be the last one: then the next is empty.
    let is_full = i64::try_from(events.len()).is_ok_and(|count| count >= size);
    let next_page_token = events
        .last()
        .filter(|_| is_full)
        .map(|event| event.audit_id);
    Ok(Answer(EventPage {
        events,
        next_page_token,
    }))
}

/// Retry the failed events of a hook
///
/// All failed events of the hook are due at once.
#[utoipa::path(
    post,
    path = "/admin/v1/hooks/{name}:retry",
    operation_id = "retryHook",
    tag = "records",
    params(("name" = String, Path, description = "The name of the hook in the configuration.", pattern = "^[A-Za-z0-9._-]+$", min_length = 1, max_length = 64)),
    responses((status = 200, description = "The number of events that are retried; 0 for an unknown hook.", body = RetriedEvents), CommonFaults)
)]
pub async fn retry_hook_events(
    State(admin): State<AdminApi>,
    CanAct(actor): CanAct,
    Path(target): Path<String>,
) -> Result<Answer<RetriedEvents>, Problem> {
    let hook = strip_method(&target);
    if !is_valid_name(hook) {
        return Err(Problem::invalid(
            "A hook's name consists of 1 to 64 of A-Z, a-z, 0-9, `.`, `_` and `-`.",
        ));
    }
    let retrying = events::retry_failed_events(&admin.pool, hook, &actor, admin.clock.now());
    let events = with_timeout(admin.timeout, retrying).await?;
    Ok(Answer(RetriedEvents { events }))
}
