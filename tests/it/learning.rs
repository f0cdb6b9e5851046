//! What akgate learns from an upstream's answer, in whichever form it comes.

use std::io::Write;

use axum::Router;
use flate2::{Compression, write::GzEncoder};
use serde_json::json;

use crate::harness::{ACCOUNT, Behind, TestNode};

const RAM: &str = "2015-05-01";
const STS: &str = "2015-04-01";

/// Answers every call with a session, compressed and behind a byte order mark.
fn same_session() -> Router {
    let answer = json!({
        "RequestId": "x",
        "AssumedRoleUser": { "Arn": format!("acs:ram::{ACCOUNT}:role/sso/carol") },
        "Credentials": {
            "AccessKeyId": "STS.FakeSession",
            "AccessKeySecret": "FakeSecretOfSession",
            "SecurityToken": "FakeTokenOfSession",
            "Expiration": "2026-11-26T13:00:00Z",
        },
    });
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    write!(encoder, "\u{feff}{answer}").unwrap();
    let body = encoder.finish().unwrap();
    Router::new().fallback(move || async move {
        let headers = [
            ("content-type", "application/json;charset=utf-8"),
            ("content-encoding", "gzip"),
        ];
        (headers, body)
    })
}

#[tokio::test]
async fn session_in_a_compressed_answer_behind_a_mark_is_learnt() {
    let node = TestNode::new(Behind::Router(same_session())).await;
    let alice = node.key("LTAI5tFakeAlice", Some("alice")).await;
    let role = format!("acs:ram::{ACCOUNT}:role/sso");
    let parameters = [("RoleArn", role.as_str()), ("RoleSessionName", "carol")];
    let minted = node.call(&alice, STS, "AssumeRole", &parameters).await;
    assert_eq!(minted.status, 200, "{}", minted.text);
    assert_eq!(
        minted.headers["content-encoding"], "gzip",
        "as upstream sent it"
    );
    let session = akgate_client::signer::SigningCredentials {
        access_key_id: "STS.FakeSession".into(),
        access_key_secret: "FakeSecretOfSession".into(),
        security_token: Some("FakeTokenOfSession".into()),
    };
    let listed = node.call(&session, RAM, "ListUsers", &[]).await;
    assert_eq!(listed.status, 200, "{}", listed.text);
}
