//! What somebody tries who wants to talk a restriction away, or to hide a leak behind another one.

use akgate::app::{IntakeSettings, PublicSettings};
use akgate_rules::restriction::LiftRule;
use axum::body::Body;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use std::num::NonZeroU32;
use tower::ServiceExt;

use crate::{desk::Desk, harness::ACCOUNT};

async fn report(desk: &Desk, key: &str, reference: &str, more: Value) -> (u16, Value) {
    let mut body = json!({ "access_key_id": key, "source": "github", "reference": reference });
    let members = body.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    let (status, _, answer) = desk
        .ask(&desk.operator, Method::POST, "leak-reports", Some(body))
        .await;
    (status.as_u16(), answer)
}

async fn restricted(desk: &Desk, key: &str) -> bool {
    let found = desk.get(&format!("restrictions?access_key_id={key}")).await;
    let found = found["restrictions"].as_array().unwrap().clone();
    found.iter().any(|one| one["state"] != "Lifted")
}

#[tokio::test]
async fn same_reference_for_another_key_is_another_report() {
    let desk = Desk::new().await;
    for key in ["LTAI5tFakeAlice", "LTAI5tFakeBob"] {
        desk.node.key(key, Some("alice")).await;
        assert_eq!(
            report(&desk, key, "alert-7", json!({})).await.0,
            201,
            "{key}"
        );
        assert!(restricted(&desk, key).await, "{key}");
        assert_eq!(
            report(&desk, key, "alert-7", json!({})).await.0,
            200,
            "{key}"
        );
    }
    // References that read the same once a secret is removed from them are two.
    let secret = json!({ "access_key_secret": "FakeLeakedSecretOfTheTests0001" });
    for reference in [
        "a/FakeLeakedSecretOfTheTests0001",
        "a/FakeLeakedSecretOfTheTest",
    ] {
        let (status, answer) = report(&desk, "LTAI5tFakeAlice", reference, secret.clone()).await;
        assert_eq!(status, 201, "{reference}: {answer}");
    }
    assert_eq!(desk.node.database.send_letters().await.len(), 0);
}

#[tokio::test]
async fn same_report_takes_over_new_details() {
    let desk = Desk::new().await;
    desk.node.key("LTAI5tFakeAlice", Some("alice")).await;
    let (_, first) = report(&desk, "LTAI5tFakeAlice", "alert-7", json!({})).await;
    let details = [
        json!({ "url": "https://h.example/a", "first_seen": "2024-04-01T00:00:00Z" }),
        json!({ "url": "https://h.example/b", "first_seen": "2024-04-02T00:00:00Z" }),
        json!({ "first_seen": "2024-03-01T00:00:00Z" }),
    ];
    for details in details {
        let (status, again) = report(&desk, "LTAI5tFakeAlice", "alert-7", details).await;
        assert_eq!((status, &again["report_id"]), (200, &first["report_id"]));
    }
    let id = first["restriction_id"].as_str().unwrap();
    let shown = desk.get(&format!("restrictions/{id}")).await;
    assert_eq!(shown["report_count"], 1);
    assert_eq!(
        shown["first_seen"], "2024-03-01T00:00:00Z",
        "the earliest counts"
    );
    assert_eq!(shown["reports"][0]["url"], "https://h.example/b");
    let updates = desk.get("audit?action=ReportLeak").await;
    let updates = updates["records"].as_array().unwrap().iter();
    assert_eq!(
        updates
            .filter(|one| one["detail"]["updated"] == true)
            .count(),
        3
    );
}

#[tokio::test]
async fn time_of_a_leak_is_between_2009_and_now() {
    let desk = Desk::new().await;
    desk.node.key("LTAI5tFakeAlice", Some("alice")).await;
    for at in [
        "1970-01-01T00:00:00Z",
        "2008-12-31T23:59:59Z",
        "2100-01-01T00:00:00Z",
    ] {
        let (status, problem) = report(
            &desk,
            "LTAI5tFakeAlice",
            "alert-7",
            json!({ "first_seen": at }),
        )
        .await;
        assert_eq!(status, 422, "{at}");
        assert!(
            problem["detail"].as_str().unwrap().contains("first_seen"),
            "{problem}"
        );
    }
    assert!(!restricted(&desk, "LTAI5tFakeAlice").await);
}

#[tokio::test]
async fn report_after_a_lift_says_that_nothing_is_restricted() {
    let desk = Desk::new().await;
    desk.node.key("LTAI5tFakeAlice", Some("alice")).await;
    let (_, first) = report(&desk, "LTAI5tFakeAlice", "alert-7", json!({})).await;
    let lift = json!({
        "resolution": "FalsePositive",
        "reason": "a placeholder",
        "accept_active_key": true,
        "accept_no_confirmation": true,
    });
    let id = first["restriction_id"].as_str().unwrap();
    let (_, waits) = desk.post(&format!("restrictions/{id}:lift"), lift).await;
    desk.approve(&waits).await;
    let (status, problem) = report(&desk, "LTAI5tFakeAlice", "alert-7", json!({})).await;
    assert_eq!(
        (status, problem["type"].as_str()),
        (409, Some("urn:akgate:problem:report-already-lifted"))
    );
    assert!(
        problem["detail"].as_str().unwrap().contains(id),
        "{problem}"
    );
    assert!(!restricted(&desk, "LTAI5tFakeAlice").await);
    assert_eq!(
        report(&desk, "LTAI5tFakeAlice", "alert-8", json!({}))
            .await
            .0,
        201
    );
    assert!(restricted(&desk, "LTAI5tFakeAlice").await);
}

#[tokio::test]
async fn exceptions_of_a_restriction_are_measured_together() {
    let desk = Desk::new().await;
    desk.node.key("LTAI5tFakeAlice", Some("alice")).await;
    report(&desk, "LTAI5tFakeAlice", "alert-7", json!({})).await;
    let ask = async |networks: &[&str]| {
        let body = json!({
            "access_key_id": "LTAI5tFakeAlice",
            "operations": ["RAM:CreateAccessKey"],
            "networks": networks,
            "hours": 1,
            "reason": "the pipeline",
        });
        desk.post("exceptions", body).await
    };
    let sixteen: Vec<String> = (0..16).map(|n| format!("10.{n}.0.0/16")).collect();
    let sixteen: Vec<&str> = sixteen.iter().map(String::as_str).collect();
    for wide in [
        &sixteen[..],
        &["10.0.0.0/16", "::ffff:10.1.0.0/112"],
        &["2001:db8::/32", "2001:db9::/32"],
    ] {
        let (status, problem) = ask(wide).await;
        assert_eq!(status, 422, "{wide:?}");
        assert!(
            problem["detail"].as_str().unwrap().contains("together"),
            "{problem}"
        );
    }
    let (status, waits) = ask(&["10.0.0.0/16"]).await;
    assert_eq!(status, 202);
    desk.approve(&waits).await;
    let (status, problem) = ask(&["10.1.0.0/24"]).await;
    assert_eq!(status, 422, "with what passes already: {problem}");
    assert_eq!(
        ask(&["10.0.7.0/24"]).await.0,
        202,
        "what passes already adds nothing"
    );
}

#[tokio::test]
async fn public_listener_limits_the_requests_of_each_address() {
    let desk = Desk::new().await;
    let settings = PublicSettings {
        lift: LiftRule::default(),
        requests_per_second: NonZeroU32::MIN,
    };
    let intake = desk.node.node.intake(IntakeSettings::default(), true);
    let router = desk.node.node.public(settings, intake).unwrap();
    let get = async |address: &str| {
        let peer = akgate_net::peer::Peer {
            ip: address.parse().unwrap(),
            tls: true,
        };
        let request = Request::get(format!("/confirm/{ACCOUNT}"))
            .extension(peer)
            .body(Body::empty())
            .unwrap();
        router.clone().oneshot(request).await.unwrap()
    };
    for _ in 0..10 {
        assert_eq!(get("192.0.2.1").await.status(), StatusCode::NOT_FOUND);
    }
    let refused = get("192.0.2.1").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(get("192.0.2.2").await.status(), StatusCode::NOT_FOUND);
}
