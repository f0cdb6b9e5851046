//! GitLab's Token Revocation API.

use axum::body::Body;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use super::{ALICE, Post, TOKEN};

fn request(method: Method, path: &str, token: Option<&str>, body: &Value) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header("Authorization", token);
    }
    request.body(Body::from(body.to_string())).unwrap()
}

#[tokio::test]
async fn gitlab_reads_the_token_types_and_revokes_tokens() {
    let post = Post::new().await;
    let alice = post.node.key(ALICE, Some("alice")).await;
    let path = "/v1/revocable_token_types";
    let answer = post
        .send(request(Method::GET, path, Some(TOKEN), &Value::Null))
        .await;
    let types = answer.body["types"].as_array().unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(types.len(), 2);
    let location = "https://gitlab.example/group/app/-/raw/main/.env";
    let findings = json!([
        { "type": types[0], "token": ALICE, "location": location },
        { "type": types[1], "token": alice.access_key_secret, "location": location, "vulnerability": { "id": 7 } },
        { "no": "token" },
    ]);
    let tell = || request(Method::POST, "/v1/revoke_tokens", Some(TOKEN), &findings);
    for _ in 0..2 {
        let answer = post.send(tell()).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
    }
    assert_eq!(post.restricted().await, [ALICE]);
    let told: Vec<(String, Option<String>)> =
        sqlx::query_as("SELECT source, url FROM leak_reports")
            .fetch_all(&post.node.pool)
            .await
            .unwrap();
    assert_eq!(
        told,
        [("gitlab-internal".to_owned(), Some(location.to_owned()))]
    );
}

#[tokio::test]
async fn revocation_api_needs_the_token() {
    let post = Post::new().await;
    let bearer = format!("Bearer {TOKEN}");
    for token in [
        None,
        Some(""),
        Some("x"),
        Some(bearer.as_str()),
        Some(&TOKEN[1..]),
    ] {
        for (method, path) in [
            (Method::GET, "/v1/revocable_token_types"),
            (Method::POST, "/v1/revoke_tokens"),
        ] {
            let answer = post.send(request(method, path, token, &json!([]))).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{token:?}");
        }
    }
    for (body, status) in [
        (json!([]), StatusCode::NO_CONTENT),
        (json!({}), StatusCode::BAD_REQUEST),
        (json!([{ "type": "t" }]), StatusCode::BAD_REQUEST),
    ] {
        let path = "/v1/revoke_tokens";
        let answer = post
            .send(request(Method::POST, path, Some(TOKEN), &body))
            .await;
        assert_eq!(answer.status, status, "{body}");
    }
    let path = "/v1/revoke_tokens";
    let answer = post
        .send(request(Method::GET, path, Some(TOKEN), &Value::Null))
        .await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
}
