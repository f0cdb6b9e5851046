//! The description of the admin API: the one that is served is the one that is kept, and it is whole.

use std::fs;

use akgate_admin::AdminSettings;
use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use crate::harness::{Behind, TestNode};

const KEPT: &str = "docs/openapi.json";

async fn get(path: &str) -> (StatusCode, http::HeaderMap, Vec<u8>) {
    let node = TestNode::new(Behind::Yes).await;
    let request = Request::get(path).body(Body::empty()).unwrap();
    let answer = node
        .node
        .admin(true, AdminSettings::default())
        .unwrap()
        .oneshot(request)
        .await
        .unwrap();
    let (head, body) = answer.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    (head.status, head.headers, body)
}

#[tokio::test]
async fn served_openapi_description_matches_the_committed_file() {
    let (status, _, body) = get("/admin/openapi.json").await;
    assert_eq!(status, StatusCode::OK);
    let served: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(served["openapi"], "3.1.0");
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        let text = serde_json::to_string_pretty(&served).unwrap();
        fs::write(KEPT, text + "\n").unwrap();
    }
    let kept: Value = serde_json::from_str(&fs::read_to_string(KEPT).unwrap()).unwrap();
    assert_eq!(
        served, kept,
        "the API has changed: INSTA_UPDATE=always cargo test --test it openapi"
    );
}

#[tokio::test]
async fn operation_documents_its_errors_and_requires_a_token() {
    let (_, _, body) = get("/admin/openapi.json").await;
    let api: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(api["security"][0]["token"], serde_json::json!([]));
    let mut count = 0;
    for (path, item) in api["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            count += 1;
            let responses = operation["responses"].as_object().unwrap();
            for status in ["400", "401", "403", "503"] {
                let body = &responses[status]["content"]["application/problem+json"]["schema"];
                assert_eq!(
                    body["$ref"], "#/components/schemas/Problem",
                    "{method} {path}"
                );
            }
            assert!(operation["operationId"].is_string());
        }
    }
    assert_eq!(count, 56);
}

#[tokio::test]
async fn api_page_loads_nothing_from_elsewhere() {
    let (status, headers, body) = get("/admin/docs/").await;
    assert_eq!(status, StatusCode::OK);
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("http"),
        "{policy}"
    );
    let html = String::from_utf8(body).unwrap();
    assert!(
        !html.contains("//unpkg") && !html.contains("https://"),
        "{html}"
    );
    let (status, _, script) = get("/admin/docs/swagger-ui-bundle.js").await;
    assert_eq!(status, StatusCode::OK);
    assert!(script.len() > 500_000);
}
