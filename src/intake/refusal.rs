//! Why a delivery is refused. For akgate's own failures, the source is asked to deliver again.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use serde_json::json;

/// Why a delivery is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryRefusal {
    /// No source has this name.
    NoSource,
    /// It does not follow the contract.
    Malformed(&'static str),
    /// It is not proven to come from the source.
    Unproven(&'static str),
    /// It is too long.
    TooLong,
    /// It did not arrive in time.
    TooSlow,
    /// The source address sends too many.
    TooOften,
    /// akgate cannot accept it now; the source should deliver it again.
    Unavailable,
}

impl DeliveryRefusal {
    fn parts(self) -> (StatusCode, &'static str) {
        match self {
            Self::NoSource => (
                StatusCode::NOT_FOUND,
                "no source of this name is configured",
            ),
            Self::Malformed(what) => (StatusCode::BAD_REQUEST, what),
            Self::Unproven(what) => (StatusCode::UNAUTHORIZED, what),
            Self::TooLong => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "the body is too large: send smaller deliveries",
            ),
            Self::TooSlow => (
                StatusCode::REQUEST_TIMEOUT,
                "the body did not arrive in time",
            ),
            Self::TooOften => (
                StatusCode::TOO_MANY_REQUESTS,
                "too many requests: try again later",
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "the delivery cannot be accepted now: send it again",
            ),
        }
    }

    /// Seconds after which to try again.
    fn retry_after(self) -> Option<HeaderValue> {
        match self {
            Self::Unavailable | Self::TooOften => Some(HeaderValue::from_static("60")),
            Self::NoSource
            | Self::Malformed(_)
            | Self::Unproven(_)
            | Self::TooLong
            | Self::TooSlow => None,
        }
    }

    /// The label in the metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::NoSource => "no_source",
            Self::Malformed(_) => "malformed",
            Self::Unproven(_) => "unproven",
            Self::TooLong => "too_long",
            Self::TooSlow => "too_slow",
            Self::TooOften => "too_often",
            Self::Unavailable => "unavailable",
        }
    }
}

impl IntoResponse for DeliveryRefusal {
    fn into_response(self) -> Response {
        let (status, detail) = self.parts();
        let mut answer = (status, Json(json!({ "error": detail }))).into_response();
        if let Some(seconds) = self.retry_after() {
            answer.headers_mut().insert(RETRY_AFTER, seconds);
        }
        answer
    }
}
