//! The doors for sources of leak reports: real deliveries to a node with a real PostgreSQL, and keys that a real server
//! publishes.

mod keys;
mod kills;
mod possession;
mod publisher;
mod revocation;
mod signed;

use std::sync::Arc;

use akgate::app::IntakeSettings;
use akgate_intake::{
    DeliveryContract, SigningKeyFetcher, TokenSource, delivery_contract::KeyIdCheck,
};
use axum::{Router, body::Body};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tower::ServiceExt;

use self::publisher::Publisher;
use crate::harness::{Behind, TestNode};

pub const TOKEN: &str = "a-token-that-both-sides-have-agreed-on";
/// With it, the secret that the node gives her key is of 30 characters.
pub const ALICE: &str = "LTAI5tFakeOfAlice1";

/// A node, and a source that signs.
pub struct Post {
    pub node: TestNode,
    pub publisher: Publisher,
    router: Router,
}

/// An answer to a delivery.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Value,
}

impl Post {
    pub async fn new() -> Self {
        let node = TestNode::new(Behind::Sandbox).await;
        let publisher = Publisher::start().await;
        let router = Self::router(&node, &publisher);
        Self {
            node,
            publisher,
            router,
        }
    }

    /// Another node on the same database.
    pub fn beside(&self) -> Router {
        Self::router(&self.node, &self.publisher)
    }

    fn router(node: &TestNode, publisher: &Publisher) -> Router {
        let source = |name: &str, path: &str, id_check, feedback| {
            let origin = DeliveryContract {
                name: name.into(),
                id_header: "github-public-key-identifier".parse().unwrap(),
                signature_header: "github-public-key-signature".parse().unwrap(),
                id_check,
                feedback,
            };
            let url = format!("{}{path}", publisher.url).parse().unwrap();
            (origin, SigningKeyFetcher::new(url, None, tls()))
        };
        let settings = IntakeSettings {
            signing_sources: vec![
                source("github", "/keys", KeyIdCheck::Sha256Pem, true),
                source("quiet", "/keys", KeyIdCheck::None, false),
                source("slow", "/slow", KeyIdCheck::None, true),
            ],
            token_sources: vec![TokenSource {
                name: "gitlab-internal".into(),
                token_sha256: Sha256::digest(TOKEN).into(),
            }],
            ..IntakeSettings::default()
        };
        node.public(settings)
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        send(&self.router, request).await
    }

    /// Delivers elements as GitHub does, signed with the publisher's current key.
    pub async fn deliver(&self, elements: &Value) -> Answer {
        self.send(self.publisher.delivery("github", &elements.to_string()))
            .await
    }

    pub async fn restricted(&self) -> Vec<String> {
        sqlx::query_scalar(
            "SELECT access_key_id FROM restrictions WHERE state <> 'Lifted' ORDER BY access_key_id",
        )
        .fetch_all(&self.node.pool)
        .await
        .unwrap()
    }
}

pub async fn send(router: &Router, request: Request<Body>) -> Answer {
    let answer = router.clone().oneshot(request).await.unwrap();
    let status = answer.status();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    Answer {
        status,
        body: serde_json::from_slice(&bytes).unwrap_or_default(),
    }
}

fn tls() -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}
