//! Events for other programs.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::values::{PageSize, check_plain, checked_text, choice};

/// An event.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = EventDelivery)]
pub struct EventView {
    /// The audit record that it reports; also the event's id for the receiver.
    pub audit_id: i64,
    /// The hook that receives it.
    pub hook: String,
    /// `imposed`, `widened`, `confirmed`, `withdrawn`, `lifted` or `suspected`.
    pub kind: String,
    /// The key concerned.
    pub access_key_id: Option<String>,
    /// The restriction concerned.
    pub restriction_id: Option<Uuid>,
    /// `Due`, `Sent` or `Failed`.
    pub state: String,
    /// Number of attempts.
    pub attempts: i32,
    /// When the next attempt is due.
    #[serde(with = "time::serde::rfc3339")]
    pub due_at: OffsetDateTime,
    /// The error of the last attempt.
    pub last_error: Option<String>,
    /// When the reported change was made.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// When it was sent or failed for good.
    #[serde(with = "time::serde::rfc3339::option")]
    pub settled_at: Option<OffsetDateTime>,
}

/// Which events to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct EventFilter {
    /// Only those for this hook.
    #[param(nullable = false)]
    pub hook: Option<String>,
    /// Only those in this state; failed events are `Failed`.
    #[serde(default, deserialize_with = "choice")]
    #[param(inline, nullable = false)]
    pub state: Option<EventState>,
    /// The page size; the events of one audit record stay together, so a page may be larger.
    #[serde(default)]
    #[param(inline)]
    pub page_size: PageSize,
    /// The `next_page_token` of the previous page.
    #[param(nullable = false)]
    pub page_token: Option<i64>,
}

akgate_rules::text_enum! {
    /// State of an event.
    #[derive(ToSchema)]
    pub enum EventState {
        /// It is still to be sent.
        Due = "Due",
        /// The hook has received it.
        Sent = "Sent",
        /// It has failed for good.
        Failed = "Failed",
    }
}

checked_text! {
    /// The name of a hook in the configuration.
    pub HookName, |text| check_plain(text, 1..=64, "-._")
}

/// A page of results.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EventPage {
    /// Newest first.
    pub events: Vec<EventView>,
    /// Send this as `page_token` to get the next page; null on the last page.
    pub next_page_token: Option<i64>,
}

/// The events that are retried.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RetriedEvents {
    /// The number of events.
    pub events: u64,
}
