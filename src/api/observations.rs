//! What was observed of calls that were not refused.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::values::{PageSize, choice};

/// What was observed in a period.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ObservationReport {
    /// Start, at a full hour.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// End.
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
    /// Numbers of calls.
    pub calls: ObservedCalls,
    /// Verified calls that the policy would have refused, most frequent first.
    pub would_be_refused: Vec<WouldBeRefused>,
    /// Calls that failed verification, with the reason.
    pub failed: Vec<FailedVerification>,
    /// Calls of keys and sessions that are not in the directory.
    pub not_in_directory: Vec<NotInDirectory>,
    /// Whether a list was truncated.
    pub is_truncated: bool,
}

/// Numbers of calls, by result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ObservedCalls {
    /// Calls that would have been forwarded.
    pub passed: i64,
    /// Calls that the policy would have refused.
    pub would_be_refused: i64,
    /// Calls that failed verification.
    pub failed: i64,
    /// Calls of keys that are not in the directory.
    pub not_in_directory: i64,
    /// Calls that could not be judged because the directory was unavailable.
    pub not_judged: i64,
}

/// Calls that the policy would have refused.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WouldBeRefused {
    /// The key or session that signed.
    pub access_key_id: String,
    /// Its account.
    pub account_id: String,
    /// Its principal.
    pub principal: String,
    /// The restriction that would have caused the refusal.
    pub restriction_id: Option<Uuid>,
    /// Product code.
    pub product: String,
    /// Action.
    pub action: String,
    /// Number of calls.
    pub calls: i64,
    /// RequestId of the last call.
    pub last_request_id: Uuid,
    /// The address that the last call came from.
    pub last_source_ip: String,
    /// When the last call came.
    #[serde(with = "time::serde::rfc3339")]
    pub last_at: OffsetDateTime,
}

/// Calls that failed verification.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FailedVerification {
    /// The key that was claimed; empty if none was, or if there are too many to list separately.
    pub access_key_id: String,
    /// Product code; empty if the operation is not known.
    pub product: String,
    /// Action; empty if the operation is not known.
    pub action: String,
    /// The error code.
    pub code: String,
    /// The last such error, in words.
    pub reason: String,
    /// Number of calls.
    pub calls: i64,
    /// RequestId of the last call.
    pub last_request_id: Uuid,
    /// The address that the last call came from.
    pub last_source_ip: String,
    /// When the last call came.
    #[serde(with = "time::serde::rfc3339")]
    pub last_at: OffsetDateTime,
}

/// Calls of a key that is not in the directory.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NotInDirectory {
    /// The key; empty if there are too many to list separately.
    pub access_key_id: String,
    /// `session` or `access_key`.
    pub kind: String,
    /// Product code; empty if the operation is not known.
    pub product: String,
    /// Action; empty if the operation is not known.
    pub action: String,
    /// Number of calls.
    pub calls: i64,
    /// The address that the last call came from.
    pub last_source_ip: String,
    /// When the last call came.
    #[serde(with = "time::serde::rfc3339")]
    pub last_at: OffsetDateTime,
}

akgate_rules::text_enum! {
    /// The point from which a node observes calls.
    #[derive(ToSchema)]
    pub enum ObservationPoint {
        /// Beside the path: it gets copies of calls.
        Mirror = "mirror",
        /// In the path, with refusals withheld.
        Shadow = "shadow",
    }
}

/// Which calls to report.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ObservationFilter {
    /// Start, rounded down to the hour; by default, one day before `until`.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(nullable = false)]
    pub since: Option<OffsetDateTime>,
    /// End; by default, now.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(nullable = false)]
    pub until: Option<OffsetDateTime>,
    /// Only calls seen at mirrors (`mirror`), or in the path (`shadow`).
    #[serde(default, deserialize_with = "choice")]
    #[param(inline, nullable = false)]
    pub observation_point: Option<ObservationPoint>,
    /// Maximum number of rows of each list.
    #[serde(default)]
    #[param(inline)]
    pub page_size: PageSize<1000>,
}
