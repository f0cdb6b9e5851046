//! Changes that are made once however often they are sent, and changes that are bound to what was seen.

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use time::Duration;

use crate::{
    desk::{Desk, assert_problem, kind},
    harness::ACCOUNT,
};

const KEY: &str = "LTAI5tFakeAlice";

async fn desk() -> Desk {
    let desk = Desk::new().await;
    desk.node.key(KEY, Some("alice")).await;
    desk
}

fn report(reference: &str) -> Value {
    json!({ "access_key_id": KEY, "source": "test", "reference": reference })
}

async fn post(
    desk: &Desk,
    token: &str,
    key: &str,
    path: &str,
    body: Value,
) -> (u16, HeaderMap, Value) {
    let headers = [("idempotency-key", key)];
    let (status, headers, answer) = desk
        .ask_with(token, Method::POST, path, &headers, Some(body))
        .await;
    if !status.is_success() {
        let kind = headers["content-type"].to_str().unwrap();
        assert_problem(status, kind, &answer);
    }
    (status.as_u16(), headers, answer)
}

async fn audited(desk: &Desk, action: &str) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM audit_records WHERE action = $1")
        .bind(action)
        .fetch_one(&desk.node.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn repeated_request_is_carried_out_once_and_answered_the_same() {
    let desk = desk().await;
    let (olga, key) = (&desk.operator, "\"one\"");
    let first = post(&desk, olga, key, "leak-reports", report("r-1")).await;
    assert_eq!(first.0, 201);
    let again = post(&desk, olga, key, "leak-reports", report("r-1")).await;
    assert_eq!((again.0, &again.2), (201, &first.2));
    assert_eq!(again.1["idempotency-replayed"], "true");
    assert!(!first.1.contains_key("idempotency-replayed"));
    assert_eq!(audited(&desk, "ReportLeak").await, 1);
    // The quotes of a structured string are no part of the key.
    assert_eq!(
        post(&desk, olga, "one", "leak-reports", report("r-1"))
            .await
            .2,
        first.2
    );

    // With another body, or for another path, it is another request.
    for (path, body) in [
        ("leak-reports", report("r-2")),
        ("leak-reports?x=1", report("r-1")),
        (
            "policy:switch_mode",
            json!({ "mode": "off", "reason": "test" }),
        ),
    ] {
        let (status, _, problem) = post(&desk, olga, key, path, body).await;
        assert_eq!((status, kind(&problem)), (422, "idempotency-key-reused"));
    }
    // A key is its operator's own, and opens nothing to who may not.
    let (status, _, _) = post(&desk, &desk.approver, key, "leak-reports", report("r-2")).await;
    assert_eq!(
        status,
        200 + u16::from(audited(&desk, "ReportLeak").await == 2)
    );
    let (status, _, problem) = post(&desk, &desk.viewer, key, "leak-reports", report("r-1")).await;
    assert_eq!((status, kind(&problem)), (403, "forbidden"));
    let (status, _, problem) = post(&desk, "", key, "leak-reports", report("r-1")).await;
    assert_eq!((status, kind(&problem)), (401, "unauthorized"));

    // After a day nobody sends it again.
    desk.node
        .clock
        .advance(Duration::days(1) + Duration::SECOND);
    let (status, headers, _) = post(&desk, olga, key, "leak-reports", report("r-1")).await;
    assert_eq!(status, 200, "the report itself counts once");
    assert!(!headers.contains_key("idempotency-replayed"));
}

#[tokio::test]
async fn failed_request_changes_nothing_and_can_be_retried() {
    let desk = desk().await;
    let (_, restriction) = desk.report(KEY, "r-1").await;
    let path = format!("restrictions/{restriction}:lift");
    let lift = json!({ "resolution": "Rotated", "reason": "test", "accept_active_key": true });
    let (status, _, problem) = post(&desk, &desk.operator, "k", &path, lift.clone()).await;
    assert_eq!((status, kind(&problem)), (409, "not-confirmed"));
    let confirm = format!("restrictions/{restriction}:confirm");
    desk.post(&confirm, json!({ "ticket": "T-1" })).await;
    let (status, _, waits) = post(&desk, &desk.operator, "k", &path, lift.clone()).await;
    assert_eq!((status, waits["state"].as_str()), (202, Some("Pending")));
    desk.approve(&waits).await;
    // Sent again it is answered as before, though the state is another by now.
    let (status, _, again) = post(&desk, &desk.operator, "k", &path, lift).await;
    assert_eq!((status, &again), (202, &waits));
}

#[tokio::test]
async fn concurrent_requests_with_one_idempotency_key_are_carried_out_once() {
    let desk = Arc::new(desk().await);
    // What a token may at first from a new place is another test's matter.
    desk.ask(&desk.operator, Method::GET, "me", None).await;
    let sending: Vec<_> = (0..16)
        .map(|_| {
            let desk = Arc::clone(&desk);
            tokio::spawn(async move {
                post(
                    &desk,
                    &desk.operator,
                    "at-once",
                    "leak-reports",
                    report("r"),
                )
                .await
            })
        })
        .collect();
    let mut made = Vec::new();
    for one in sending {
        let (status, headers, answer) = one.await.unwrap();
        match status {
            201 => made.push((headers.contains_key("idempotency-replayed"), answer)),
            409 => {
                assert_eq!(kind(&answer), "still-running");
                assert_eq!(headers["retry-after"], "1");
            }
            other => panic!("{other}: {answer}"),
        }
    }
    assert_eq!(made.iter().filter(|(replayed, _)| !replayed).count(), 1);
    assert!(made.iter().all(|(_, answer)| *answer == made[0].1));
    assert_eq!(audited(&desk, "ReportLeak").await, 1);
}

#[tokio::test]
async fn new_token_is_not_shown_to_a_repeated_request() {
    let desk = desk().await;
    let new = json!({ "name": "nina", "role": "viewer" });
    let (status, _, made) = post(&desk, &desk.admin, "k", "operators", new.clone()).await;
    assert_eq!(status, 201);
    let (status, _, problem) = post(&desk, &desk.admin, "k", "operators", new).await;
    assert_eq!((status, kind(&problem)), (409, "answer-not-kept"));
    let token = made["token"].as_str().unwrap();
    let kept: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM idempotency_keys WHERE position($1::bytea IN body) > 0",
    )
    .bind(token.as_bytes())
    .fetch_one(&desk.node.pool)
    .await
    .unwrap();
    assert_eq!(kept, 0);
}

#[tokio::test]
async fn malformed_idempotency_key_is_refused() {
    let desk = desk().await;
    for key in ["", "\"\"", "a b", &"k".repeat(256)] {
        let (status, _, problem) =
            post(&desk, &desk.operator, key, "leak-reports", report("r")).await;
        assert_eq!((status, kind(&problem)), (400, "invalid-request"), "{key}");
    }
    assert_eq!(audited(&desk, "ReportLeak").await, 0);
}

/// Sends a change that is bound to a tag.
async fn bound(desk: &Desk, method: Method, path: &str, tag: &str, body: Value) -> (u16, Value) {
    let headers = [("if-match", tag)];
    let (status, _, answer) = desk
        .ask_with(&desk.operator, method, path, &headers, Some(body))
        .await;
    (status.as_u16(), answer)
}

async fn tag(desk: &Desk, path: &str) -> String {
    let (status, headers, _) = desk
        .ask_with(&desk.viewer, Method::GET, path, &[], None)
        .await;
    assert_eq!(status, StatusCode::OK);
    headers["etag"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn change_with_if_match_fails_if_the_resource_has_changed() {
    let desk = desk().await;
    let (_, restriction) = desk.report(KEY, "r-1").await;
    let path = format!("restrictions/{restriction}");
    let (confirm, lift) = (format!("{path}:confirm"), format!("{path}:lift"));
    let seen = tag(&desk, &path).await;
    assert_eq!(tag(&desk, &path).await, seen);
    // It is seen in another place meanwhile.
    desk.report(KEY, "r-2").await;
    let ticket = json!({ "ticket": "T-1" });
    let (status, problem) = bound(&desk, Method::POST, &confirm, &seen, ticket.clone()).await;
    assert_eq!((status, kind(&problem)), (412, "changed-meanwhile"));
    assert_eq!(desk.get(&path).await["state"], "Imposed");
    let weak = format!("W/{}", tag(&desk, &path).await);
    let (status, _) = bound(&desk, Method::POST, &confirm, &weak, ticket.clone()).await;
    assert_eq!(status, 412);
    for wrong in ["", "x", "\"", "\"a\"b\""] {
        let (status, problem) = bound(&desk, Method::POST, &confirm, wrong, ticket.clone()).await;
        assert_eq!(
            (status, kind(&problem)),
            (412, "changed-meanwhile"),
            "{wrong}"
        );
    }
    let both = format!("{seen}, {}", tag(&desk, &path).await);
    let (status, confirmed) = bound(&desk, Method::POST, &confirm, &both, ticket).await;
    assert_eq!(
        (status, confirmed["state"].as_str()),
        (200, Some("Confirmed"))
    );

    let why = json!({ "resolution": "Rotated", "reason": "test", "accept_active_key": true });
    let (status, _) = bound(&desk, Method::POST, &lift, &seen, why.clone()).await;
    assert_eq!(status, 412);
    let now = tag(&desk, &path).await;
    assert_eq!(bound(&desk, Method::POST, &lift, &now, why).await.0, 202);
}

#[tokio::test]
async fn account_change_with_if_match_fails_if_the_account_has_changed() {
    let desk = desk().await;
    let path = format!("accounts/{ACCOUNT}");
    let profile = format!("{path}/profile");
    let seen = tag(&desk, &path).await;
    let strict = json!({ "profile": "strict" });
    let (status, account) = bound(&desk, Method::PUT, &profile, &seen, strict.clone()).await;
    assert_eq!((status, account["profile"].as_str()), (200, Some("strict")));
    let (status, problem) = bound(&desk, Method::PUT, &profile, &seen, strict.clone()).await;
    assert_eq!((status, kind(&problem)), (412, "changed-meanwhile"));
    assert_eq!(
        bound(&desk, Method::PUT, &profile, "*", strict).await.0,
        200
    );
    assert_eq!(audited(&desk, "SetProfile").await, 2);
}
