//! The admin API under those who may not: requests of other people's browsers, members that nobody asked for, others'
//! things, places to be led to.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::desk::{Desk, assert_problem};

const KEY: &str = "LTAI5tFakeAlice";

async fn desk() -> (Desk, String) {
    let desk = Desk::new().await;
    desk.node.key(KEY, Some("alice")).await;
    let (_, restriction) = desk.report(KEY, "r-1").await;
    (desk, restriction)
}

/// A browser sends along what it has of a site: cookies, and passwords that it was told. Neither opens anything, so a
/// page of somebody else's can send what it likes.
#[tokio::test]
async fn cross_site_browser_request_is_refused_and_cannot_read_answers() {
    let (desk, restriction) = desk().await;
    let path = format!("restrictions/{restriction}:confirm");
    let token = desk.operator.clone();
    let basic = "Basic b2xnYTpzZWNyZXQ=";
    for headers in [
        [
            ("cookie", &*format!("session={token}; token={token}")),
            ("origin", "https://evil.example"),
        ],
        [("authorization", basic), ("origin", "https://evil.example")],
        [
            ("x-authorization", &*format!("Bearer {token}")),
            ("sec-fetch-site", "cross-site"),
        ],
    ] {
        let body = Some(json!({ "ticket": "T-1" }));
        let (status, told, _) = desk.ask_with("", Method::POST, &path, &headers, body).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{headers:?}");
        let opens = told
            .keys()
            .any(|name| name.as_str().starts_with("access-control-"));
        assert!(!opens, "{told:?}");
    }
    // In the address it is no token either: addresses are logged.
    let (status, ..) = desk
        .ask("", Method::GET, &format!("me?access_token={token}"), None)
        .await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    // The question that a browser asks before it sends a foreign page's request with a token.
    let preflight = [
        ("origin", "https://evil.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization"),
    ];
    let (status, told, _) = desk
        .ask_with("", Method::OPTIONS, &path, &preflight, None)
        .await;
    assert!(!status.is_success(), "{status}");
    assert!(
        !told.contains_key("access-control-allow-origin"),
        "{told:?}"
    );
    let view = desk.get(&format!("restrictions/{restriction}")).await;
    assert_eq!(view["state"], "Imposed");
}

/// Every body takes the members that it is described with, and no other: what is decided by akgate cannot be sent along.
#[tokio::test]
async fn unknown_json_members_are_refused() {
    let (desk, restriction) = desk().await;
    let of = |body: Value, more: &[(&str, Value)]| {
        let mut body = body;
        for (name, value) in more {
            body[*name] = value.clone();
        }
        body
    };
    let lift = json!({ "resolution": "Rotated", "reason": "x" });
    let exception = json!({ "access_key_id": KEY, "operations": ["RAM:GetUser"], "networks": ["10.0.0.1"],
                            "hours": 1, "reason": "x" });
    for (method, path, body) in [
        (
            Method::POST,
            format!("restrictions/{restriction}:lift"),
            of(lift.clone(), &[("approved_by", json!("operator:anna"))]),
        ),
        (
            Method::POST,
            format!("restrictions/{restriction}:lift"),
            of(lift.clone(), &[("tombstone", json!(false))]),
        ),
        (
            Method::POST,
            format!("restrictions/{restriction}:lift"),
            of(lift, &[("needs_approval", json!(false))]),
        ),
        (
            Method::POST,
            format!("restrictions/{restriction}:confirm"),
            json!({ "ticket": "T", "confirmed_by": "contact:x" }),
        ),
        (
            Method::POST,
            "exceptions".into(),
            of(
                exception.clone(),
                &[("approved_by", json!("operator:anna"))],
            ),
        ),
        (
            Method::POST,
            "exceptions".into(),
            of(
                exception.clone(),
                &[("expires_at", json!("2036-01-01T00:00:00Z"))],
            ),
        ),
        (
            Method::POST,
            "exceptions".into(),
            of(exception, &[("state", json!("Active"))]),
        ),
        (
            Method::POST,
            "operators".into(),
            json!({ "name": "eve", "role": "viewer", "is_admin": true }),
        ),
        (
            Method::POST,
            "operators".into(),
            json!({ "name": "eve", "role": "viewer", "token": "akg_x" }),
        ),
        (
            Method::POST,
            "operators/olga/tokens".into(),
            json!({ "role": "viewer", "operator": "ada" }),
        ),
        (
            Method::POST,
            "leak-reports".into(),
            json!({ "access_key_id": KEY, "source": "x", "reference": "y", "reported_by": "operator:ada" }),
        ),
        (
            Method::PUT,
            "accounts/5123456789012345/profile".into(),
            json!({ "profile": null, "self_remedy": true }),
        ),
        (
            Method::POST,
            "policy:switch_mode".into(),
            json!({ "mode": "off", "reason": "x", "approved_by": "operator:anna" }),
        ),
    ] {
        let (status, kind, problem) = desk
            .ask(&desk.admin, method, &path, Some(body.clone()))
            .await;
        assert_problem(status, &kind, &problem);
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path} {body}: {problem}");
        assert!(
            problem["detail"]
                .as_str()
                .unwrap()
                .contains("unknown field"),
            "{problem}"
        );
    }
    let described = akgate_admin::openapi_description();
    let schemas = described["components"]["schemas"].as_object().unwrap();
    let mut open = Vec::new();
    for item in described["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            let body = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
            let Some(name) = body.as_str().and_then(|name| name.rsplit('/').next()) else {
                continue;
            };
            if schemas[name]["additionalProperties"] != false {
                open.push(name.to_owned());
            }
        }
    }
    assert_eq!(open, Vec::<String>::new(), "described as taking anything");
}

/// What is one operator's own stays so: requests, answers that are kept, tokens.
#[tokio::test]
async fn resource_of_another_operator_cannot_be_changed_by_its_id() {
    let (desk, restriction) = desk().await;
    let how = json!({ "resolution": "AcceptedRisk", "reason": "x", "accept_active_key": true, "accept_no_confirmation": true });
    let path = format!("restrictions/{restriction}:lift");
    let (_, _, waits) = desk
        .ask(&desk.approver, Method::POST, &path, Some(how))
        .await;
    let approval = waits["approval_id"].as_str().unwrap();
    let withdraw = format!("approvals/{approval}:withdraw");
    for token in [&desk.operator, &desk.admin] {
        let (status, _, problem) = desk.ask(token, Method::POST, &withdraw, None).await;
        assert_eq!(status, StatusCode::CONFLICT);
        assert_eq!(problem["type"], "urn:akgate:problem:not-your-approval");
    }
    // An id of one kind is none of another: neither by path nor by body.
    for path in [
        format!("restrictions/{approval}"),
        format!("exceptions/{restriction}"),
        format!("letters/{restriction}"),
        format!("approvals/{restriction}"),
        format!("keys/{restriction}"),
        format!("accounts/{restriction}"),
        format!("decisions/{restriction}"),
    ] {
        let (status, ..) = desk.ask(&desk.viewer, Method::GET, &path, None).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
    }
    // An operator ends their own tokens alone, and an admin's word is needed for another's.
    let id = |token: &str| token[4..14].to_owned();
    let revoke = format!("tokens/{}:revoke", id(&desk.approver));
    let (status, ..) = desk.ask(&desk.operator, Method::POST, &revoke, None).await;
    assert!(
        status == StatusCode::FORBIDDEN || status == StatusCode::NOT_FOUND,
        "{status}"
    );
    let (status, ..) = desk.ask(&desk.approver, Method::GET, "me", None).await;
    assert_eq!(status, StatusCode::OK);
}

/// No answer leads anywhere: neither by a header nor by a path that a proxy reads as a host.
#[tokio::test]
async fn no_answer_redirects_to_another_site() {
    let (desk, restriction) = desk().await;
    for path in [
        "//evil.example/admin/v1/me".to_owned(),
        "/admin/v1//evil.example".to_owned(),
        "/admin/v1/me/..;/".to_owned(),
        "/admin/v1/%2e%2e/%2e%2e/".to_owned(),
        format!("/admin/v1/restrictions/{restriction}?next=https://evil.example"),
        "/admin/v1/me?redirect=https://evil.example".to_owned(),
        "/admin/docs".to_owned(),
        "/admin/v1".to_owned(),
        "/admin".to_owned(),
    ] {
        let headers = [
            ("x-forwarded-host", "evil.example"),
            ("host", "evil.example"),
        ];
        let (status, told, _) = desk
            .ask_with(&desk.viewer, Method::GET, &path, &headers, None)
            .await;
        let location = told
            .get("location")
            .map(|to| to.to_str().unwrap().to_owned());
        let stays = location
            .as_deref()
            .is_none_or(|to| to.starts_with("/admin/") && !to.contains("evil"));
        assert!(stays, "{path}: {status} {location:?}");
    }
}
