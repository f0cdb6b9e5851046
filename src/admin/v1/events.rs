//! `GET /admin/v1/events`, `POST /admin/v1/hooks/{name}:revive`: what other programs were told, and trying again what a
//! hook did not take.

use axum::{Json as Answer, extract::State};

use crate::{
    context::Admin,
    http::{
        authentication::{Acting, Reader},
        extract::{Path, Query, choice, page_size},
        problem::Problem,
        responses::CommonFaults,
        verbs::before_verb,
    },
};
use akgate_api::events::{EventFilter, EventPage, RetriedEvents};
use akgate_state::{
    audit::is_name,
    directory::within,
    outbox::events::{self, Wanted},
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
pub async fn list(
    State(admin): State<Admin>,
    _: Reader,
    Query(filter): Query<EventFilter>,
) -> Result<Answer<EventPage>, Problem> {
    let state = choice("state", filter.state.as_deref())?;
    let size = page_size(filter.page_size, 500)?;
    let wanted = Wanted {
        hook: filter.hook,
        state,
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
    path = "/admin/v1/hooks/{name}:revive",
    operation_id = "reviveHook",
    tag = "records",
    params(("name" = String, Path, description = "The name of the hook in the configuration.", pattern = "^[A-Za-z0-9._-]+$", min_length = 1, max_length = 64)),
    responses((status = 200, description = "The number of events that are retried; 0 for an unknown hook.", body = RetriedEvents), CommonFaults)
)]
pub async fn revive(
    State(admin): State<Admin>,
    Acting(actor): Acting,
    Path(target): Path<String>,
) -> Result<Answer<RetriedEvents>, Problem> {
    let hook = before_verb(&target);
    if !is_name(hook) {
        return Err(Problem::invalid(
            "A hook's name consists of 1 to 64 of A-Z, a-z, 0-9, `.`, `_` and `-`.",
        ));
    }
    let reviving = events::revive(&admin.pool, hook, &actor, admin.clock.now());
    let events = within(admin.timeout, reviving).await?;
    Ok(Answer(RetriedEvents { events }))
}
