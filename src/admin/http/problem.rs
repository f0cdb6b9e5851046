//! Faults of the admin API, as problem details (RFC 9457).

use std::fmt::Display;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use time::Duration;

use akgate_api::operators::Right;
use akgate_api::{operators::Role, problem::ProblemDetails};
use akgate_net::{
    fair_budget::BudgetFault,
    received_body::{BodyFault, BodyLimits},
};
use akgate_rules::restriction::LiftRefusal;
use akgate_state::directory::StateFault;

/// Why a request failed, and what to do.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    /// Names the kind of problem; stable, part of the contract.
    kind: &'static str,
    title: &'static str,
    detail: String,
    /// After how many seconds the request may be repeated.
    retry_after: Option<u64>,
}

impl Problem {
    /// The request is invalid.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid-request",
            "The request is not valid.",
            detail,
        )
    }

    /// The request is well-formed, but what it asks for is not possible.
    pub fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "not-possible",
            "What the request asks for is not possible.",
            detail,
        )
    }

    /// The token is missing or not valid.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "An operator token is required.",
            detail,
        )
    }

    /// The operator's role does not allow this.
    pub fn forbidden(role: Role, right: Right) -> Self {
        let needed = match right {
            Right::Serve => "a token with the role `service`",
            Right::Read => "the role `viewer` or higher",
            Right::Act => "the role `operator` or higher",
            Right::Approve => "the role `approver` or higher",
            Right::Manage => "the role `admin`",
        };
        Self::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "Your role does not allow this.",
            format!("This needs {needed}; the token's role is `{role}`."),
        )
    }

    /// The person who signed in is not an operator.
    pub fn no_operator(name: &str) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "no-operator",
            "You are not an operator here.",
            format!(
                "The identity provider calls you `{name}`. Ask an admin to run `akgate operators add {name} --role ROLE`."
            ),
        )
    }

    /// The identity provider failed.
    pub fn provider(reason: impl Display) -> Self {
        Self {
            retry_after: Some(10),
            ..Self::new(
                StatusCode::BAD_GATEWAY,
                "provider",
                "The identity provider failed.",
                format!("{reason}. Try again; if it fails again, check [admin.oidc]."),
            )
        }
    }

    /// Too many wrong tokens: this one was not checked.
    pub fn too_many_guesses(rest: Duration) -> Self {
        let seconds = u64::try_from(rest.whole_seconds())
            .unwrap_or_default()
            .max(1);
        Self {
            retry_after: Some(seconds),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-guesses",
                "Too many wrong tokens.",
                format!(
                    "The token was not checked. Try again in {seconds} seconds, or from an address that used it in the last 24 hours."
                ),
            )
        }
    }

    /// The source address has sent too many requests.
    pub fn too_many_requests(wait: std::time::Duration) -> Self {
        let seconds = wait.as_secs().saturating_add(1);
        Self {
            retry_after: Some(seconds),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-requests",
                "Too many requests.",
                format!(
                    "Nothing has changed. Try again in {seconds} s (admin.requests_per_second)."
                ),
            )
        }
    }

    /// The body cannot be read.
    #[must_use]
    pub fn body(fault: BodyFault) -> Self {
        let (kind, title, detail) = match fault {
            BodyFault::TooLong => (
                "body-too-large",
                "The body is too large.",
                format!("Send at most {} bytes.", BodyLimits::default().bytes),
            ),
            BodyFault::TooSlow => (
                "body-too-slow",
                "The body did not arrive in time.",
                "Nothing has changed. Send the request again.".to_owned(),
            ),
            BodyFault::Broken => {
                return Self::invalid("The body ends early or is framed wrongly.");
            }
            BodyFault::Trailers => {
                return Self::invalid("The body carries trailers; send none.");
            }
            BodyFault::NoMemory(BudgetFault::Greedy) => (
                "too-many-requests",
                "Too many requests.",
                "Nothing has changed. Send fewer requests at a time (limits.request_memory_bytes)."
                    .to_owned(),
            ),
            BodyFault::NoMemory(BudgetFault::Exhausted) => (
                "busy",
                "akgate is busy.",
                "Nothing has changed. Send the request again (limits.request_memory_bytes)."
                    .to_owned(),
            ),
        };
        Self::new(fault.status(), kind, title, detail)
    }

    /// A failover has lost the change.
    pub fn lost() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "change-lost",
            "The database lost this change in a failover.",
            "Send the request again: no part of the change is in force.",
        )
    }

    /// Internal error.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Internal error.",
            "The change may have been made: look for it in the audit log (GET /admin/v1/audit). The cause is in akgate's log.",
        )
    }

    /// Nothing of this kind has this id.
    pub fn unknown(thing: &str) -> Self {
        Self::not_found(format!("No {thing} has this id."))
    }

    /// Not found.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found.", detail)
    }

    /// The state of the resource does not allow the request.
    pub fn conflict(kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, kind, title, detail)
    }

    /// The resource has changed since the operator read it.
    pub fn precondition_failed() -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "changed-meanwhile",
            "The resource has changed since you read it.",
            "Your request changed nothing. Read the resource again and send its new ETag, quotes included, in If-Match.",
        )
    }

    /// The same request is still being processed.
    pub fn still_running() -> Self {
        Self {
            retry_after: Some(1),
            ..Self::conflict(
                "still-running",
                "The same request is still being processed.",
                "Send it again with the same Idempotency-Key to get the response.",
            )
        }
    }

    /// The Idempotency-Key was used for another request.
    pub fn key_reused() -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency-key-reused",
            "This Idempotency-Key was used for another request.",
            "Nothing has changed. Use a new key for every request; reuse a key only to repeat the identical request.",
        )
    }

    /// The change was made, but its response cannot be repeated: it contained a token, or was too large to be stored.
    pub fn answer_not_kept() -> Self {
        Self::conflict(
            "answer-not-kept",
            "The change was made; its response is not repeated.",
            "A token is shown only once: revoke the one that was lost (:revoke), and create another. A response of more than 1 MiB is not stored: read the resource with GET.",
        )
    }

    /// The path exists, but does not support this method.
    pub fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "This method is not supported here.",
            "See the API's description for the methods of this path.",
        )
    }

    fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status,
            kind,
            title,
            detail: detail.into(),
            retry_after: None,
        }
    }
}

impl From<StateFault> for Problem {
    /// The cause goes to the log, not to the operator's client.
    fn from(fault: StateFault) -> Self {
        tracing::error!(%fault, "an admin request failed in the database");
        Self {
            retry_after: Some(1),
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "The registry is not available.",
                "Nothing has changed. Try again; the cause is in akgate's log.",
            )
        }
    }
}

impl From<LiftRefusal> for Problem {
    fn from(refused: LiftRefusal) -> Self {
        match refused {
            LiftRefusal::NotConfirmed => Self::conflict(
                "not-confirmed",
                "The clean-up has not been confirmed.",
                "Wait for the owner, record the owner's confirmation with :confirm and its ticket number, or request approval with \"accept_no_confirmation\": true.",
            ),
            LiftRefusal::AlreadyLifted => Self::conflict(
                "already-lifted",
                "The restriction is already lifted.",
                "A new leak report opens a new restriction.",
            ),
            LiftRefusal::KeyActive => Self::conflict(
                "key-active",
                "The leaked access key is still active.",
                "Ask the owner to disable or delete it, or request approval with \"accept_active_key\": true.",
            ),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = ProblemDetails {
            r#type: format!("urn:akgate:problem:{}", self.kind),
            title: self.title.to_owned(),
            status: self.status.as_u16(),
            detail: self.detail,
        };
        let mut response = (self.status, Json(body)).into_response();
        response.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.retry_after {
            let headers = response.headers_mut();
            headers.insert(http::header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(
                http::header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"akgate\""),
            );
        }
        response
    }
}
