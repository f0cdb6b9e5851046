//! Reports of the public: possession is shown, and nothing is told.

use std::{num::NonZeroU32, time::Duration};

use akgate::app::IntakeSettings;
use akgate_intake::{PublicReporting, public_report};
use akgate_state::leaks::claims;
use axum::{Router, body::Body};
use hmac::{Hmac, KeyInit, Mac};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::sync::watch;

use super::{ALICE, Answer, send};
use crate::{
    harness::{Behind, TestNode},
    road::confirm_and_lift,
    wait::eventually,
};

const HOST: &str = "akgate.example";

fn open(per_minute: u32) -> IntakeSettings {
    let limit = NonZeroU32::new(per_minute).unwrap();
    IntakeSettings {
        public_reporting: Some(PublicReporting::new(HOST.into(), limit, limit)),
        ..IntakeSettings::default()
    }
}

async fn report(router: &Router, body: &Value) -> Answer {
    let request = Request::post("/report").body(Body::from(body.to_string()));
    send(router, request.unwrap()).await
}

fn mac(secret: &str, host: &str, nonce: &str) -> String {
    let text = format!("akgate-leak-report-v1\n{host}\n{nonce}");
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    hex::encode(mac.chain_update(text).finalize().into_bytes())
}

async fn look_into(node: &TestNode) {
    let now = akgate_state::clock::Clock::now(&*node.clock);
    claims::verify_claims(
        &node.pool,
        &node.ring,
        HOST,
        akgate_rules::lineage::DescendantPolicy::default(),
        100,
        now,
    )
    .await
    .unwrap();
}

async fn restricted(node: &TestNode) -> Vec<(uuid::Uuid, String)> {
    sqlx::query_as("SELECT restriction_id, access_key_id FROM restrictions WHERE state <> 'Lifted'")
        .fetch_all(&node.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn public_reporting_is_off_by_default() {
    let node = TestNode::new(Behind::Sandbox).await;
    let router = node.public(IntakeSettings::default());
    let answer = report(&router, &json!({ "access_key_secret": "x" })).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn public_report_restricts_a_key_only_with_its_secret() {
    let node = TestNode::new(Behind::Sandbox).await;
    let alice = node.key(ALICE, Some("alice")).await;
    let secret = &alice.access_key_secret;
    let router = node.public(open(100));
    let nonce = "a-nonce-of-16-characters";
    let shown = |id: &str, mac: String, url: &str| json!({ "access_key_id": id, "nonce": nonce, "mac": mac, "url": url });
    let good = mac(secret, HOST, nonce);
    let url = "https://h.example/x";
    // Whatever is behind it, the answer is the same.
    for body in [
        shown(ALICE, mac("another", HOST, nonce), url),
        shown(ALICE, mac(secret, "other.example", nonce), url),
        shown(ALICE, mac(secret, HOST, "another-nonce-0123"), url),
        shown("LTAI5tFakeOfNobody", good.clone(), url),
        json!({ "access_key_secret": "FakeSecretOfNobodyForTests1xYz" }),
    ] {
        let answer = report(&router, &body).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        assert_eq!(answer.body, json!({ "status": "received" }));
    }
    look_into(&node).await;
    assert!(restricted(&node).await.is_empty());
    let kept: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM leak_reports) + (SELECT count(*) FROM possession_claims)",
    )
    .fetch_one(&node.pool)
    .await
    .unwrap();
    assert_eq!(kept, 0, "what proves nothing is forgotten");

    let answer = report(&router, &shown(ALICE, good.clone(), url)).await;
    assert_eq!(answer.body, json!({ "status": "received" }));
    look_into(&node).await;
    let [(restriction, key)] = restricted(&node).await.try_into().unwrap();
    assert_eq!(key, ALICE);
    // Who has only seen the MAC cannot use it again, whatever place they name.
    confirm_and_lift(&node, restriction).await;
    report(&router, &shown(ALICE, good, "https://other.example")).await;
    look_into(&node).await;
    assert!(restricted(&node).await.is_empty());

    // The secret itself is as good, and is not written anywhere.
    let sent = json!({ "access_key_secret": secret, "url": format!("https://h.example/{secret}") });
    assert_eq!(report(&router, &sent).await.status, StatusCode::ACCEPTED);
    for _ in 0..2 {
        for row in ["possession_claims", "leak_reports", "audit_records"] {
            let rows: Vec<String> =
                sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT t::text FROM {row} t")))
                    .fetch_all(&node.pool)
                    .await
                    .unwrap();
            assert!(
                !rows.iter().any(|text| text.contains(&secret[..8])),
                "{rows:?}"
            );
        }
        look_into(&node).await;
    }
    assert_eq!(restricted(&node).await.len(), 1);
}

#[tokio::test]
async fn public_report_is_answered_before_any_lookup_and_outlives_its_node() {
    let node = TestNode::new(Behind::Sandbox).await;
    let alice = node.key(ALICE, Some("alice")).await;
    let router = node.public(open(100));
    let mut blocker = node.pool.begin().await.unwrap();
    sqlx::query(
        "LOCK TABLE access_keys, sessions, leak_reports, restrictions IN ACCESS EXCLUSIVE MODE",
    )
    .execute(&mut *blocker)
    .await
    .unwrap();
    let body = json!({ "access_key_secret": alice.access_key_secret });
    let answer = tokio::time::timeout(Duration::from_secs(3), report(&router, &body)).await;
    assert_eq!(answer.unwrap().status, StatusCode::ACCEPTED);
    blocker.rollback().await.unwrap();
    // That node is gone; another one has the loop.
    drop(router);
    let (stop, stopped) = watch::channel(false);
    let loop_of_another = tokio::spawn(public_report::process_claims(
        node.node.intake(open(1), true),
        stopped,
    ));
    eventually("alice's key is restricted", async || {
        !restricted(&node).await.is_empty()
    })
    .await;
    assert_eq!(restricted(&node).await.len(), 1);
    stop.send_replace(true);
    loop_of_another.await.unwrap();
}

#[tokio::test]
async fn public_report_that_is_malformed_or_one_too_many_is_refused() {
    let node = TestNode::new(Behind::Sandbox).await;
    let router = node.public(open(100));
    let good = mac("x", HOST, "a-nonce-of-16-characters");
    for body in [
        json!([]),
        json!({}),
        json!({ "access_key_secret": "" }),
        json!({ "access_key_id": ALICE }),
        json!({ "access_key_id": ALICE, "nonce": "short", "mac": good }),
        json!({ "access_key_id": ALICE, "nonce": "a-nonce-of-16-characters\n", "mac": good }),
        json!({ "access_key_id": ALICE, "nonce": "a-nonce-of-16-characters", "mac": "00" }),
        json!({ "access_key_id": ALICE, "nonce": "a-nonce-of-16-characters", "mac": good, "access_key_secret": "x" }),
        json!({ "access_key_secret": "x", "unknown": 1 }),
    ] {
        let answer = report(&router, &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
    }
    let long = json!({ "access_key_secret": "x", "url": "x".repeat(17 << 10) });
    let answer = report(&router, &long).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    let router = node.public(open(3));
    let body = json!({ "access_key_secret": "FakeSecretOfNobodyForTests1xYz" });
    let mut codes = Vec::new();
    for _ in 0..5 {
        codes.push(report(&router, &body).await.status.as_u16());
    }
    assert_eq!(codes, [202, 202, 202, 429, 429]);
}
