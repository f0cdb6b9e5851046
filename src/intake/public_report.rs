//! `POST /report`: anyone who has found a secret can have its key restricted. Off by default.
//!
//! The reporter proves possession of the secret with a MAC over the host and a nonce, so that the secret is not sent,
//! or by sending the secret. The answer is sent before anything is looked up and is always the same, so that nobody
//! learns whether a key or a secret is valid.

use std::time::Duration;

use axum::{
    Extension, Json,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;

use super::{body, context::Intake, public_reporting::PublicReporting, refusal::DeliveryRefusal};
use akgate_net::peer::Peer;
use akgate_rules::{
    access_key::{AccessKeyId, AccessKeySecret},
    leak::LeakPlace,
    secret_fragments::SecretFragments,
};
use akgate_state::{
    directory::with_timeout,
    leaks::claims::{self, PUBLIC_SOURCE, PossessionClaim, PossessionProof},
};

/// The longest report, in bytes.
const MAX_REPORT_BYTES: usize = 16 << 10;

/// How many claims are examined at a time.
const CLAIM_BATCH_SIZE: i64 = 100;

/// How long a claim waits until another node examines it, if its own node has stopped.
const ORPHANED_CLAIM_AGE: Duration = Duration::from_secs(5);

/// A report of the public.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PublicReport {
    #[serde(default)]
    access_key_id: Option<AccessKeyId>,
    #[serde(default)]
    nonce: Option<String>,
    #[serde(default)]
    mac: Option<String>,
    #[serde(default)]
    access_key_secret: Option<String>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    commit: Option<String>,
    #[serde(default)]
    path: Option<String>,
}

/// `POST /report`.
pub(super) async fn receive_public_report(
    State(intake): State<Intake>,
    peer: Option<Extension<Peer>>,
    body: Body,
) -> Response {
    let Some(public_reporting) = &intake.public_reporting else {
        return DeliveryRefusal::NoSource.into_response();
    };
    let peer = peer.map_or_else(Peer::default, |Extension(peer)| peer);
    let taken = accept_public_report(&intake, public_reporting, peer, body).await;
    let outcome = taken.as_ref().err().map_or("taken", |one| one.label());
    intake.metrics.delivery(PUBLIC_SOURCE, outcome);
    match taken {
        Ok(()) => (StatusCode::ACCEPTED, Json(json!({ "status": "received" }))).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn accept_public_report(
    intake: &Intake,
    public_reporting: &PublicReporting,
    peer: Peer,
    body: Body,
) -> Result<(), DeliveryRefusal> {
    if !public_reporting.lets_in(peer) {
        return Err(DeliveryRefusal::TooOften);
    }
    let body = body::read_body_up_to(intake, body, MAX_REPORT_BYTES).await?;
    let report: PublicReport = serde_json::from_slice(body.bytes()).map_err(|_| {
        DeliveryRefusal::Malformed(
            "the body must be a JSON object with access_key_id, nonce and mac, or with access_key_secret; add url, commit and path if known",
        )
    })?;
    let claim = parse_claim(intake, report)?;
    let keeping = claims::insert_claim(&intake.pool, &claim, intake.clock.now());
    with_timeout(intake.timeout, keeping)
        .await
        .map_err(|fault| {
            tracing::error!(%fault, "cannot store a public report");
            DeliveryRefusal::Unavailable
        })?;
    public_reporting.arrived.notify_one();
    Ok(())
}

fn parse_claim(intake: &Intake, report: PublicReport) -> Result<PossessionClaim, DeliveryRefusal> {
    let place = LeakPlace::new(
        report.url.as_deref(),
        report.commit.as_deref(),
        report.path.as_deref(),
    );
    let secret = report.access_key_secret.map(AccessKeySecret::new);
    // The secret must not appear in the other fields.
    let place = match &secret {
        Some(secret) => place.without(&SecretFragments::of([secret])),
        None => place,
    };
    let shown = match (secret, report.access_key_id, report.nonce, report.mac) {
        (Some(secret), _, None, None) if !secret.expose().is_empty() => {
            PossessionProof::Digest(intake.ring.blind_index(&secret))
        }
        (None, Some(access_key_id), Some(nonce), Some(mac)) => {
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
            if !(16..=64).contains(&nonce.len()) || !nonce.bytes().all(plain) {
                return Err(DeliveryRefusal::Malformed(
                    "`nonce` must be 16 to 64 random letters, digits, hyphens and underscores",
                ));
            }
            let mac = hex::decode(mac).ok().filter(|mac| mac.len() == 32);
            PossessionProof::Mac {
                access_key_id,
                nonce,
                mac: mac.ok_or(DeliveryRefusal::Malformed(
                    "`mac` must be 64 hexadecimal digits",
                ))?,
            }
        }
        _ => {
            return Err(DeliveryRefusal::Malformed(
                "send access_key_id, nonce and mac, or only access_key_secret",
            ));
        }
    };
    Ok(PossessionClaim { shown, place })
}

/// Examines the claims that arrived here or at nodes that have stopped, until told to stop.
pub async fn process_claims(intake: Intake, mut stop: watch::Receiver<bool>) {
    let Some(public_reporting) = intake.public_reporting.clone() else {
        return;
    };
    while !*stop.borrow() {
        let now = intake.clock.now();
        let looking = claims::verify_claims(
            &intake.pool,
            &intake.ring,
            &public_reporting.host,
            intake.descendants,
            CLAIM_BATCH_SIZE,
            now,
        );
        match with_timeout(intake.timeout, looking).await {
            Ok((recorded, count)) => {
                // Nobody reports again what a failover has lost, so it is logged.
                intake.enforce(&recorded).await.ok();
                if count > 0 {
                    continue;
                }
            }
            Err(fault) => {
                tracing::error!(%fault, "cannot process public reports now");
            }
        }
        public_reporting.each.retain_recent();
        tokio::select! {
            () = public_reporting.arrived.notified() => {}
            () = tokio::time::sleep(ORPHANED_CLAIM_AGE) => {}
            _ = stop.changed() => {}
        }
    }
}
