//! The admin API, as its clients see it.

use std::process::Command;

use akgate_admin::AdminSettings;
use akgate_api::operators::{Role, TOKEN_DAYS};
use akgate_state::{audit::Actor, operators::store};
use axum::{Router, body::Body};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use rand::{SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::ServiceExt;

use crate::{
    harness::{Behind, NOW, TestNode},
    process::{AKGATE, Scratch},
};

/// A node, and an operator of each role, by their tokens.
pub struct Desk {
    pub node: TestNode,
    pub service: String,
    pub viewer: String,
    pub operator: String,
    pub approver: String,
    pub admin: String,
    /// Made once: its description takes longer than most requests.
    router: Router,
}

impl Desk {
    pub async fn new() -> Self {
        Self::behind(Behind::Yes).await
    }

    pub async fn behind(behind: Behind) -> Self {
        let node = TestNode::new(behind).await;
        Self {
            service: token(&node, "message-centre", Role::Service).await,
            viewer: token(&node, "victor", Role::Viewer).await,
            operator: token(&node, "olga", Role::Operator).await,
            approver: token(&node, "anna", Role::Approver).await,
            admin: token(&node, "ada", Role::Admin).await,
            router: node.node.admin(true, AdminSettings::default()).unwrap(),
            node,
        }
    }

    /// Serves the admin API on this machine; returns its address.
    pub async fn serve(&self) -> String {
        self.serve_as(AdminSettings::default()).await
    }

    /// As [`Self::serve`], with other settings.
    pub async fn serve_as(&self, settings: AdminSettings) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let admin = self.node.node.admin(true, settings).unwrap();
        tokio::spawn(async move { axum::serve(listener, admin).await });
        server
    }

    pub async fn ask(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (StatusCode, String, Value) {
        let (status, headers, body) = self.ask_with(token, method, path, &[], body).await;
        let kind = headers.get("content-type");
        let kind = kind.map(|value| value.to_str().unwrap().to_owned());
        (status, kind.unwrap_or_default(), body)
    }

    pub async fn ask_with(
        &self,
        token: &str,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> (StatusCode, HeaderMap, Value) {
        let mut request = Request::builder()
            .method(method)
            .uri(match path.starts_with('/') {
                true => path.to_owned(),
                false => format!("/admin/v1/{path}"),
            })
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let answer = self
            .router
            .clone()
            .oneshot(request.body(body).unwrap())
            .await
            .unwrap();
        let headers = answer.headers().clone();
        let status = answer.status();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        (
            status,
            headers,
            serde_json::from_slice(&bytes).unwrap_or_default(),
        )
    }

    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let (status, kind, body) = self
            .ask(&self.operator, Method::POST, path, Some(body))
            .await;
        if !status.is_success() {
            assert_problem(status, &kind, &body);
        }
        (status.as_u16(), body)
    }

    pub async fn report(&self, key: &str, reference: &str) -> (u16, String) {
        let body = json!({
            "access_key_id": key,
            "access_key_secret": "FakeLeakedSecret",
            "source": "github",
            "reference": reference,
            "url": "https://github.com/example/app?secret=FakeLeakedSecret",
        });
        let (status, body) = self.post("leak-reports", body).await;
        (status, body["restriction_id"].as_str().unwrap().to_owned())
    }

    /// The second operator approves.
    pub async fn approve(&self, waits: &Value) {
        let id = waits["approval_id"].as_str().unwrap();
        let path = format!("approvals/{id}:approve");
        let (status, _, approved) = self
            .ask(&self.approver, Method::POST, &path, Some(json!({})))
            .await;
        assert_eq!(status, StatusCode::OK, "{approved}");
        assert_eq!(approved["state"], "Approved");
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, _, body) = self.ask(&self.viewer, Method::GET, path, None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }
}

/// A desk whose admin API is served, and a home for the command line that speaks to it.
pub struct ServedDesk {
    pub desk: Desk,
    pub server: String,
    pub scratch: Scratch,
}

impl ServedDesk {
    pub async fn of(desk: Desk) -> Self {
        let server = desk.serve().await;
        Self {
            desk,
            server,
            scratch: Scratch::new(),
        }
    }

    /// The binary as the holder of a token runs it, with nothing of whoever runs the tests around it.
    pub fn akgate<'a>(&self, token: &str, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(AKGATE);
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.scratch.path())
            .env("AKGATE_SERVER", &self.server)
            .env("AKGATE_TOKEN", token);
        command
    }
}

pub fn assert_problem(status: StatusCode, kind: &str, body: &Value) {
    assert_eq!(kind, "application/problem+json", "{body}");
    assert_eq!(body["status"], status.as_u16());
    for member in ["type", "title", "detail"] {
        assert!(
            body[member].as_str().is_some_and(|text| !text.is_empty()),
            "{body}"
        );
    }
}

/// The kind of a problem, without what all have in common.
pub fn kind(problem: &Value) -> &str {
    let kind = problem["type"].as_str().unwrap();
    kind.trim_start_matches("urn:akgate:problem:")
}

/// A new operator's token.
pub async fn token(node: &TestNode, name: &str, role: Role) -> String {
    let mut rng = StdRng::from_rng(&mut rand::rng());
    let lasts = Some(time::Duration::days(TOKEN_DAYS.into()));
    let made = store::add_operator(&node.pool, name, role, lasts, &Actor::Akgate, NOW, &mut rng);
    made.await.unwrap().unwrap().token.expose().to_owned()
}
