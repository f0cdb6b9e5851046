//! Problem details (RFC 9457).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a request failed, and what to do: problem details (RFC 9457).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDetails {
    /// Identifies the kind of problem; stable.
    #[schema(pattern = "^urn:akgate:problem:[a-z-]+$")]
    pub r#type: String,
    /// The kind, in words.
    pub title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What was wrong with this request, and what to do.
    pub detail: String,
}
