//! `POST /report`: anybody who has found a secret can have its key restricted, off by default.
//!
//! They show that they hold it by a MAC over our host and a nonce, so that the secret need not travel, or by sending it. The
//! answer comes before anything is looked up and is always the same: nobody learns whether a key or a secret is good.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use axum::{
    Extension, Json,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{Notify, watch};

use super::{DeliveryRefusal, Intake, body};
use akgate_net::peer::Peer;
use akgate_rules::{
    access_key::{AccessKeyId, AccessKeySecret},
    evidence::SecretFragments,
    leak::LeakPlace,
};
use akgate_state::{
    directory::with_timeout,
    leaks::claims::{self, PUBLIC_SOURCE, PossessionClaim, PossessionProof},
};

/// The longest report, in bytes.
const MAX_REPORT_BYTES: usize = 16 << 10;

/// How many claims are looked into at a time.
const CLAIM_BATCH_SIZE: i64 = 100;

/// How long a claim of a node that has ended may wait for another.
const ORPHANED_CLAIM_AGE: Duration = Duration::from_secs(5);

/// The door for the public.
pub struct PublicReporting {
    /// The host that a MAC is made for: that of the public listener's address.
    pub host: String,
    all: DefaultDirectRateLimiter,
    each: DefaultKeyedRateLimiter<IpAddr>,
    arrived: Notify,
}

impl PublicReporting {
    /// Opens it for so many reports a minute, of all and of each source address.
    #[must_use]
    pub fn new(host: String, per_minute: NonZeroU32, each: NonZeroU32) -> Arc<Self> {
        Arc::new(Self {
            host,
            all: RateLimiter::direct(Quota::per_minute(per_minute)),
            each: RateLimiter::keyed(Quota::per_minute(each)),
            arrived: Notify::new(),
        })
    }

    fn lets_in(&self, peer: Peer) -> bool {
        // Each first: who is turned away there takes nothing from the others.
        self.each.check_key(&source_network(peer.ip)).is_ok() && self.all.check().is_ok()
    }
}

/// Whoever has an IPv6 address has a network of 64 bits of them.
fn source_network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => {
            let bits = u128::from(ip) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(bits))
        }
        ip @ IpAddr::V4(_) => ip,
    }
}

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
    let Some(door) = &intake.door else {
        return DeliveryRefusal::NoSource.into_response();
    };
    let peer = peer.map_or_else(Peer::default, |Extension(peer)| peer);
    let taken = accept_public_report(&intake, door, peer, body).await;
    let outcome = taken.as_ref().err().map_or("taken", |one| one.label());
    intake.metrics.delivery(PUBLIC_SOURCE, outcome);
    match taken {
        Ok(()) => (StatusCode::ACCEPTED, Json(json!({ "status": "received" }))).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn accept_public_report(
    intake: &Intake,
    door: &PublicReporting,
    peer: Peer,
    body: Body,
) -> Result<(), DeliveryRefusal> {
    if !door.lets_in(peer) {
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
    door.arrived.notify_one();
    Ok(())
}

fn parse_claim(intake: &Intake, report: PublicReport) -> Result<PossessionClaim, DeliveryRefusal> {
    let place = LeakPlace::new(
        report.url.as_deref(),
        report.commit.as_deref(),
        report.path.as_deref(),
    );
    let secret = report.access_key_secret.map(AccessKeySecret::new);
    // What is sent must not stand beside it.
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

/// Looks into what has arrived, here and at nodes that have ended, until told to stop.
pub async fn process_claims(intake: Intake, mut stop: watch::Receiver<bool>) {
    let Some(door) = intake.door.clone() else {
        return;
    };
    while !*stop.borrow() {
        let now = intake.clock.now();
        let looking = claims::verify_claims(
            &intake.pool,
            &intake.ring,
            &door.host,
            CLAIM_BATCH_SIZE,
            now,
        );
        match with_timeout(intake.timeout, looking).await {
            Ok((recorded, count)) => {
                // What a failover has lost is reported again by nobody: that is logged.
                intake.enforce(&recorded).await.ok();
                if count > 0 {
                    continue;
                }
            }
            Err(fault) => {
                tracing::error!(%fault, "cannot process public reports now");
            }
        }
        door.each.retain_recent();
        tokio::select! {
            () = door.arrived.notified() => {}
            () = tokio::time::sleep(ORPHANED_CLAIM_AGE) => {}
            _ = stop.changed() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_network_counts_as_one_source() {
        let of = |text: &str| source_network(text.parse().unwrap()).to_string();
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }

    #[test]
    fn public_reports_are_limited_per_source_and_in_total() {
        let limit = |n| NonZeroU32::new(n).unwrap();
        let door = PublicReporting::new("h".into(), limit(5), limit(2));
        let from = |n: u8| Peer {
            ip: IpAddr::from([192, 0, 2, n]),
            tls: true,
        };
        let let_in = |n| (0..4).filter(|_| door.lets_in(from(n))).count();
        assert_eq!([let_in(1), let_in(2), let_in(3), let_in(4)], [2, 2, 1, 0]);
    }
}
