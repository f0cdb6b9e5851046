//! `POST /v1/leaks/{source}`: a signed delivery.
//!
//! Checks run from the cheapest to the most expensive: headers, the key that they name, the body, the signature, the
//! elements.

use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode};
use sha2::{Digest, Sha256};

use super::{
    body,
    context::{Intake, SigningSource},
    refusal::DeliveryRefusal,
    reported_match,
    signing_keys::SigningKeyFault,
};
use akgate_state::leaks::deliveries::DeliveryOrigin;

pub(super) async fn receive_signed_delivery(
    State(intake): State<Intake>,
    Path(source): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(signed) = intake.signing_sources.get(&source) else {
        return DeliveryRefusal::NoSource.into_response();
    };
    let answered = process_signed_delivery(&intake, signed, &headers, body).await;
    let outcome = answered.as_ref().err().map_or("taken", |one| one.label());
    intake.metrics.delivery(&source, outcome);
    answered.unwrap_or_else(DeliveryRefusal::into_response)
}

async fn process_signed_delivery(
    intake: &Intake,
    source: &SigningSource,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, DeliveryRefusal> {
    let contract = &source.contract;
    let claim = contract.claim(headers)?;
    let key = source.keys.find(&claim.key_identifier).await;
    let key = key.map_err(|fault| match fault {
        SigningKeyFault::Unknown => {
            DeliveryRefusal::Unproven("the source does not publish this key")
        }
        SigningKeyFault::NotNow => DeliveryRefusal::Unavailable,
    })?;
    let body = body::read_body(intake, body).await?;
    if !key.key.verifies(body.bytes(), &claim.signature) {
        return Err(DeliveryRefusal::Unproven(
            "the signature does not match this key and body",
        ));
    }
    if !key.is_current {
        tracing::warn!(
            source = contract.name,
            key_identifier = claim.key_identifier,
            "a delivery is signed with a key that is listed but no longer current"
        );
        intake.metrics.old_signing_key(&contract.name);
    }
    let (matches, bad) = reported_match::parse_matches(body.bytes())?;
    if bad > 0 {
        tracing::warn!(
            source = contract.name,
            bad,
            "some matches of a delivery cannot be read"
        );
    }
    let mut reports = Vec::new();
    let mut ends = Vec::with_capacity(matches.len());
    for reported in &matches {
        reports.extend(reported.reports(intake.secret_lengths));
        ends.push(reports.len());
    }
    let ledger = DeliveryOrigin::Body {
        sha256: &Sha256::digest(body.bytes()).into(),
        key_identifier: Some(&claim.key_identifier),
    };
    let recorded = intake.record(&contract.name, ledger, &reports).await?;
    if !contract.feedback {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let mut rest = recorded.as_slice();
    let mut start = 0;
    let labels = matches.iter().zip(ends).map(|(reported, end)| {
        let (mine, after) = rest.split_at_checked(end - start).unwrap_or_default();
        (rest, start) = (after, end);
        reported.label(mine.iter().flatten())
    });
    let labels: Vec<_> = labels.collect();
    Ok(Json(labels).into_response())
}
