//! A panic anywhere on the request road: the caller gets the envelope of this very call, the call is logged and counted,
//! and an intent that was written has an outcome.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use akgate_client::signer::SigningCredentials;
use axum::{Router, body::Body};
use bytes::Bytes;
use futures_util::stream;
use serde_json::Value;
use tracing::subscriber::DefaultGuard;

use crate::{
    harness::{Behind, Reply, TestNode},
    road::RAM,
    wait::eventually,
    window::{Held, until_it_waits},
};

const KEY: &str = "LTAI5tFakeAlice";

/// The log of this test's thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn start() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// The line of this call in the access log.
    fn line(&self, request_id: &str) -> Value {
        let text = self.0.lock().unwrap().clone();
        let text = String::from_utf8(text).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let lines: Vec<Value> = lines
            .filter(|line: &Value| line["target"] == "akgate::access")
            .filter(|line| line["request_id"] == request_id)
            .collect();
        assert_eq!(lines.len(), 1, "{text}");
        lines[0].clone()
    }
}

/// The XML envelope of an internal error; returns the RequestId.
fn expect_envelope(reply: &Reply, host: &str) -> String {
    assert_eq!(reply.status, 500, "{}", reply.text);
    assert!(reply.text.starts_with("<?xml"), "{}", reply.text);
    let element = |name: &str| {
        let (_, rest) = reply.text.split_once(&format!("<{name}>")).unwrap();
        rest.split_once("</").unwrap().0.to_owned()
    };
    assert_eq!(element("Code"), "InternalError");
    assert_eq!(element("HostId"), host);
    let request_id = element("RequestId");
    assert_eq!(request_id, request_id.to_uppercase());
    assert_eq!(reply.headers["x-acs-request-id"], *request_id);
    request_id
}

fn expect_count(node: &TestNode, labels: &str) {
    let line = format!("akgate_calls_total{{{labels},code=\"InternalError\"}} 1\n");
    let text = node.metrics.text();
    assert!(text.contains(&line), "{line}{text}");
}

async fn outcomes(node: &TestNode) -> Vec<(String, Option<String>)> {
    node.node.recorder().flush().await.unwrap();
    sqlx::query_as("SELECT coalesce(outcome, 'none'), code FROM intents")
        .fetch_all(&node.pool)
        .await
        .unwrap()
}

/// A handler that panics for users of one name.
async fn node_before_a_panic() -> (TestNode, SigningCredentials) {
    let handler = Router::new().fallback(|request: axum::extract::Request| async move {
        assert!(!request.uri().to_string().contains("boom"), "planted");
        axum::Json(serde_json::json!({ "RequestId": "x" }))
    });
    let node = TestNode::new(Behind::Router(handler)).await;
    let key = node.key(KEY, Some("alice")).await;
    (node, key)
}

async fn call(node: &TestNode, key: &SigningCredentials, action: &str, name: &str) -> Reply {
    let parameters = [("UserName", name), ("Format", "XML")];
    node.call(key, RAM, action, &parameters).await
}

#[tokio::test]
async fn panic_before_authentication_keeps_the_call_and_its_turn() {
    let (log, _guard) = Log::start();
    let node = TestNode::new(Behind::Yes).await;
    let body =
        stream::poll_fn(|_| -> std::task::Poll<Option<io::Result<Bytes>>> { panic!("planted") });
    let request = http::Request::post("/?Action=ListUsers&Format=XML")
        .header("host", "ram.example")
        .body(Body::from_stream(body))
        .unwrap();
    let request_id = expect_envelope(&node.send(request).await, "ram.example");
    let line = log.line(&request_id);
    assert_eq!(
        (line["status"].as_u64(), &line["code"]),
        (Some(500), &"InternalError".into())
    );
    expect_count(&node, r#"product="none",effect="none",verdict="none""#);
    let key = node.key(KEY, Some("alice")).await;
    assert_eq!(call(&node, &key, "ListUsers", "x").await.status, 200);
}

#[tokio::test]
async fn panic_in_the_upstream_of_a_read_keeps_the_call() {
    let (log, _guard) = Log::start();
    let (node, key) = node_before_a_panic().await;
    let reply = call(&node, &key, "ListUsers", "boom").await;
    let line = log.line(&expect_envelope(&reply, "gateway.test"));
    assert_eq!(line["action"], "ListUsers");
    assert_eq!(line["verdict"], "clear");
    expect_count(&node, r#"product="RAM",effect="Read",verdict="clear""#);
    assert_eq!(outcomes(&node).await, []);
    assert_eq!(call(&node, &key, "ListUsers", "x").await.status, 200);
}

#[tokio::test]
async fn panic_in_the_upstream_of_a_change_leaves_an_unknown_outcome() {
    let (log, _guard) = Log::start();
    let (node, key) = node_before_a_panic().await;
    let reply = call(&node, &key, "CreateUser", "boom").await;
    let line = log.line(&expect_envelope(&reply, "gateway.test"));
    assert_eq!(line["action"], "CreateUser");
    expect_count(
        &node,
        r#"product="RAM",effect="Mutate(Identity)",verdict="clear""#,
    );
    assert_eq!(outcomes(&node).await, [("Unknown".to_owned(), None)]);
    assert_eq!(call(&node, &key, "CreateUser", "x").await.status, 200);
}

#[tokio::test]
async fn panic_between_the_intent_and_the_upstream_leaves_an_unforwarded_outcome() {
    let (node, key) = node_before_a_panic().await;
    let held = Held::by(&node, "LOCK TABLE intents IN EXCLUSIVE MODE").await;
    let plant = async {
        until_it_waits(&node.pool, "INSERT INTO intents").await;
        node.clock.plant_panic();
        held.let_go().await;
    };
    let (reply, ()) = tokio::join!(call(&node, &key, "CreateUser", "x"), plant);
    expect_envelope(&reply, "gateway.test");
    let code = Some("InternalError".to_owned());
    assert_eq!(outcomes(&node).await, [("NotForwarded".to_owned(), code)]);
}

/// The caller hangs up after the intent: the call runs to its end, and is logged.
#[tokio::test]
async fn change_whose_caller_hangs_up_runs_to_its_end() {
    let (log, _guard) = Log::start();
    let node = TestNode::new(Behind::Yes).await;
    let key = node.key(KEY, Some("alice")).await;
    let held = Held::by(&node, "LOCK TABLE intents IN EXCLUSIVE MODE").await;
    {
        let mut calling = Box::pin(call(&node, &key, "CreateUser", "x"));
        tokio::select! {
            reply = &mut calling => panic!("{reply:?}"),
            () = until_it_waits(&node.pool, "INSERT INTO intents") => {}
        }
    }
    held.let_go().await;
    eventually("the change has succeeded", async || {
        node.node.recorder().flush().await.unwrap();
        outcomes(&node).await == [("Succeeded".to_owned(), None)]
    })
    .await;
    let request_id: uuid::Uuid = sqlx::query_scalar("SELECT request_id FROM intents")
        .fetch_one(&node.pool)
        .await
        .unwrap();
    let request_id = request_id.to_string().to_uppercase();
    assert_eq!(log.line(&request_id)["status"], 200);
}
