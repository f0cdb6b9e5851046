//! GitLab's Token Revocation API: any self-managed GitLab can be a source, authenticated by a shared token.
//!
//! `GET /v1/revocable_token_types` lists the types to report, `POST /v1/revoke_tokens` accepts reports. The token is
//! the whole value of `Authorization`, without a scheme.

use axum::{
    Json,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header::AUTHORIZATION};
use serde_json::json;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{
    body,
    context::{Intake, TokenSource},
    refusal::DeliveryRefusal,
    reported_match,
};
use akgate_state::leaks::deliveries::DeliveryOrigin;

/// What GitLab calls the findings of its rules "Alibaba AccessKey ID" and "Alibaba Secret Key".
const TOKEN_TYPES: [&str; 2] = [
    "gitleaks_rule_id_alibaba_accesskey_id",
    "gitleaks_rule_id_alibaba_secret_key",
];

/// `GET /v1/revocable_token_types`.
pub(super) async fn list_token_types(State(intake): State<Intake>, headers: HeaderMap) -> Response {
    match authenticate_source(&intake, &headers) {
        Ok(_) => Json(json!({ "types": TOKEN_TYPES })).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

/// `POST /v1/revoke_tokens`.
pub(super) async fn revoke_tokens(
    State(intake): State<Intake>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let revoker = match authenticate_source(&intake, &headers) {
        Ok(revoker) => revoker,
        Err(refusal) => return refusal.into_response(),
    };
    let taken = record_revoked_tokens(&intake, revoker, body).await;
    let outcome = taken.as_ref().err().map_or("taken", |one| one.label());
    intake.metrics.delivery(&revoker.name, outcome);
    match taken {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

/// Finds the source of a token. Every token is compared, so that the time reveals nothing.
fn authenticate_source<'i>(
    intake: &'i Intake,
    headers: &HeaderMap,
) -> Result<&'i TokenSource, DeliveryRefusal> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let (Some(token), None) = (given.next(), given.next()) else {
        return Err(DeliveryRefusal::Unproven(
            "`Authorization` must contain the agreed token",
        ));
    };
    let digest = Sha256::digest(token.as_bytes());
    let mut found = None;
    for revoker in intake.token_sources.iter() {
        if bool::from(revoker.token_sha256.ct_eq(digest.as_slice())) {
            found = Some(revoker);
        }
    }
    found.ok_or(DeliveryRefusal::Unproven("the token is not valid"))
}

async fn record_revoked_tokens(
    intake: &Intake,
    revoker: &TokenSource,
    body: Body,
) -> Result<(), DeliveryRefusal> {
    let body = body::read_body(intake, body).await?;
    let (matches, bad) = reported_match::parse_matches(body.bytes())?;
    if bad > 0 {
        tracing::warn!(
            source = revoker.name,
            bad,
            "some matches of a delivery cannot be read"
        );
    }
    if bad > 0 && matches.is_empty() {
        return Err(DeliveryRefusal::Malformed(
            "every element must be an object with `type`, `token` and `location`",
        ));
    }
    let reports: Vec<_> = matches
        .iter()
        .flat_map(|reported| reported.reports(intake.secret_lengths))
        .collect();
    let ledger = DeliveryOrigin::Body {
        sha256: &Sha256::digest(body.bytes()).into(),
        key_identifier: None,
    };
    intake.record(&revoker.name, ledger, &reports).await?;
    Ok(())
}
