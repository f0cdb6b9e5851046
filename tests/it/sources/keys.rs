//! The keys that sources sign with: asked for seldom, kept for bad times.

use akgate_state::leaks::sources::KEY_REQUEST_INTERVAL;
use http::StatusCode;
use serde_json::json;

use super::{
    Post,
    publisher::{Signer, signed},
    send,
};
use crate::wait::eventually;

const BODY: &str = "[]";

#[tokio::test]
async fn unknown_signing_key_is_fetched_once_a_minute() {
    let post = Post::new().await;
    assert_eq!(post.deliver(&json!([])).await.status, StatusCode::OK);
    assert_eq!(post.publisher.asked(), 1);
    post.node.clock.advance(time::Duration::SECOND);
    // A minute of a flood: two nodes, a thousand identifiers.
    let beside = post.beside();
    let signature = post.publisher.current.sign(BODY.as_bytes());
    let mut codes = std::collections::BTreeMap::new();
    for n in 0..1000 {
        let request = signed("github", &format!("{n:064x}"), &signature, BODY);
        let answer = match n % 2 {
            0 => post.send(request).await,
            _ => send(&beside, request).await,
        };
        *codes.entry(answer.status.as_u16()).or_insert(0) += 1;
        post.node.clock.advance(KEY_REQUEST_INTERVAL / 1100);
    }
    assert_eq!(post.publisher.asked(), 1);
    assert_eq!(codes.keys().copied().collect::<Vec<_>>(), [503]);
    // Known ones pass all the while.
    assert_eq!(post.deliver(&json!([])).await.status, StatusCode::OK);
    post.node.clock.advance(KEY_REQUEST_INTERVAL);
    let unknown = Signer::new();
    let answer = post.send(unknown.delivery("github", BODY)).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(post.publisher.asked(), 2);
}

#[tokio::test]
async fn new_signing_key_is_fetched_and_an_old_one_accepted_while_published() {
    let post = Post::new().await;
    assert_eq!(post.deliver(&json!([])).await.status, StatusCode::OK);
    let next = Signer::new();
    let (old, new) = (
        post.publisher.current.published(false),
        next.published(true),
    );
    post.publisher
        .direct(|directed| directed.keys = vec![old, new.clone()]);
    post.node.clock.advance(time::Duration::SECOND);
    // The minute's request is spent: it is to come again.
    let answer = post.send(next.delivery("github", BODY)).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    post.node.clock.advance(KEY_REQUEST_INTERVAL);
    let answer = post.send(next.delivery("github", BODY)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(post.deliver(&json!([])).await.status, StatusCode::OK);
    let counted = post.node.metrics.text();
    assert!(
        counted.contains("akgate_old_signing_keys_total{source=\"github\"} 1"),
        "{counted}"
    );
    // No longer listed: once the set is an hour old it is asked for again, and the key is gone.
    post.publisher.direct(|directed| directed.keys = vec![new]);
    post.node.clock.advance(time::Duration::HOUR);
    assert_eq!(post.deliver(&json!([])).await.status, StatusCode::OK);
    eventually("the keys are fetched a third time", async || {
        post.publisher.asked() == 3
    })
    .await;
    eventually("the old key is no longer accepted", async || {
        post.deliver(&json!([])).await.status != StatusCode::OK
    })
    .await;
    assert_eq!(post.publisher.asked(), 3);
    post.node.clock.advance(time::Duration::SECOND);
    let answer = post.deliver(&json!([])).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn last_good_signing_keys_serve_while_the_source_is_away() {
    let post = Post::new().await;
    assert_eq!(post.deliver(&json!([])).await.status, StatusCode::OK);
    let impostor = Signer {
        pem: Signer::new().pem,
        ..Signer::new()
    };
    for (status, keys) in [
        (StatusCode::INTERNAL_SERVER_ERROR, vec![]),
        (StatusCode::OK, vec![]),
        (
            StatusCode::OK,
            vec![json!({ "key_identifier": "x", "key": "no key" })],
        ),
        // The identifier is not its digest.
        (StatusCode::OK, vec![impostor.published(true)]),
    ] {
        post.publisher.direct(|directed| {
            directed.keys = keys;
            directed.status = status;
        });
        post.node.clock.advance(KEY_REQUEST_INTERVAL);
        let unknown = post.send(impostor.delivery("github", BODY)).await;
        assert_eq!(unknown.status, StatusCode::SERVICE_UNAVAILABLE, "{status}");
        assert_eq!(post.deliver(&json!([])).await.status, StatusCode::OK);
        // A node that begins now has the set from the database.
        let beside = post.beside();
        let answer = send(&beside, post.publisher.delivery("github", BODY)).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn slow_source_delays_no_other_delivery() {
    let post = Post::new().await;
    assert_eq!(post.deliver(&json!([])).await.status, StatusCode::OK);
    let router = post.beside();
    let request = post.publisher.delivery("slow", BODY);
    let slow = tokio::spawn(async move { send(&router, request).await });
    post.publisher.slow.asked.notified().await;
    for _ in 0..50 {
        assert_eq!(post.deliver(&json!([])).await.status, StatusCode::OK);
    }
    assert!(!slow.is_finished());
    post.publisher.slow.going.notify_one();
    assert_eq!(slow.await.unwrap().status, StatusCode::OK);
}
