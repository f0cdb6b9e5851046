//! The responses that every endpoint can give, for the OpenAPI description.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses, ToSchema,
    openapi::{Content, Ref, RefOr, ResponseBuilder},
};

use akgate_api::problem::ProblemDetails;

/// The error responses that every endpoint can give.
pub struct CommonFaults;

impl IntoResponses for CommonFaults {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        faults(&[
            ("400", "The request is not valid."),
            ("401", "The token is missing or not valid."),
            ("403", "The operator's role does not allow this."),
            (
                "429",
                "Too many requests, or too many wrong tokens; this request was not processed.",
            ),
            (
                "500",
                "Internal error. The audit log tells whether anything has changed.",
            ),
            ("503", "The registry is not available. Nothing has changed."),
        ])
    }
}

/// The responses of these statuses, each a problem document.
pub fn faults(
    told: &[(&'static str, &'static str)],
) -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
    told.iter()
        .map(|(status, description)| ((*status).to_owned(), fault(description).into()))
        .collect()
}

fn fault(description: &str) -> utoipa::openapi::Response {
    let body = Content::new(Some(Ref::from_schema_name(ProblemDetails::name())));
    ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", body)
        .build()
}
