//! The endpoints for leak reports on the public listener. One file per kind of source.
//!
//! A source's report alone restricts nothing: only a key whose leak is proven is restricted.

#![forbid(unsafe_code)]

mod body;
mod context;
pub mod delivery_contract;
mod fetch;
pub mod public_report;
mod public_reporting;
mod refusal;
pub mod report_file;
pub mod reported_match;
pub mod revocation;
mod signature;
mod signed_delivery;
pub mod signing_keys;

use axum::{
    Router,
    routing::{get, post},
};

pub use self::{
    context::{Intake, SigningSource, TokenSource},
    delivery_contract::DeliveryContract,
    fetch::{KeyFetchFault, SigningKeyFetcher},
    public_reporting::PublicReporting,
    refusal::DeliveryRefusal,
    signature::{VerifyingKey, is_der_signature},
    signing_keys::SigningKeys,
};

/// The routes.
pub fn router(intake: Intake) -> Router {
    Router::new()
        .route(
            "/v1/leaks/{source}",
            post(signed_delivery::receive_signed_delivery),
        )
        .route("/report", post(public_report::receive_public_report))
        .route(
            "/v1/revocable_token_types",
            get(revocation::list_token_types),
        )
        .route("/v1/revoke_tokens", post(revocation::revoke_tokens))
        .with_state(intake)
}
