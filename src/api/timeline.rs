//! What happened to a restriction, in order.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use crate::values::PageSize;

/// One event of a restriction's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TimelineEvent {
    /// When it happened.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// `Found`, `Reported`, `Imposed`, `DescendantsRestricted`, `CallsRefused` (in one hour), `LetterSent`, `LetterFailed`,
    /// `Widened`, `Confirmed`, `Withdrawn`, `ApprovalRequested`, `ApprovalDecided`, `ExceptionRevoked`, `Lifted` or
    /// `Enforced` (the receipt of a change).
    pub event: String,
    /// Who: a source, `operator:NAME`, `contact:ID` or `policy`; null for nobody in particular.
    pub by: Option<String>,
    /// Further details, in words.
    pub detail: Option<String>,
}

/// How much to show.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct TimelineFilter {
    /// Maximum number of events; the newest are kept.
    #[serde(default)]
    #[param(inline)]
    pub page_size: PageSize<1000>,
}

/// A restriction's history.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Timeline {
    /// Oldest first.
    pub events: Vec<TimelineEvent>,
}
