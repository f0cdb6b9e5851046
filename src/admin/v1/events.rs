//! `GET /admin/v1/events`, `POST /admin/v1/hooks/{name}:retry`: lists the events for other programs, and retries the
//! failed ones of a hook.

use axum::{Json as Answer, extract::State};

use crate::{
    context::AdminApi,
    http::{
        authentication::{CanAct, CanRead},
        extract::{Path, Query},
        problem::Problem,
        responses::CommonFaults,
    },
};
use akgate_api::events::{EventFilter, EventPage, HookName, RetriedEvents};
use akgate_state::outbox::events::{self, EventCriteria};

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
    let size = filter.page_size.get();
    let criteria = EventCriteria {
        hook: filter.hook,
        state: filter.state,
        before: filter.page_token,
        limit: size,
    };
    let events = admin
        .query(events::list_events(&admin.pool, &criteria))
        .await?;
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
    Path(hook): Path<HookName>,
) -> Result<Answer<RetriedEvents>, Problem> {
    let retrying = events::retry_failed_events(&admin.pool, &hook, &actor, admin.clock.now());
    let events = admin.query(retrying).await?;
    Ok(Answer(RetriedEvents { events }))
}
