//! A source: signs deliveries, and publishes its keys on a server of its own, as a test directs.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use axum::{
    Router,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::{net::TcpListener, sync::Notify};

/// A key pair of the source.
pub struct Signer {
    pub pair: EcdsaKeyPair,
    pub pem: String,
    pub id: String,
}

impl Signer {
    pub fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let der = pair.public_key().as_der().unwrap();
        let text = STANDARD.encode(der.as_ref());
        let lines: Vec<&str> = (0..text.len())
            .step_by(64)
            .map(|at| &text[at..text.len().min(at + 64)])
            .collect();
        let pem = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            lines.join("\n")
        );
        Self {
            id: hex::encode(Sha256::digest(&pem)),
            pair,
            pem,
        }
    }

    pub fn sign(&self, body: &[u8]) -> Vec<u8> {
        let signature = self.pair.sign(&SystemRandom::new(), body).unwrap();
        signature.as_ref().to_vec()
    }

    pub fn published(&self, is_current: bool) -> Value {
        json!({ "key_identifier": self.id, "key": self.pem, "is_current": is_current })
    }

    /// A signed delivery.
    pub fn delivery(&self, source: &str, body: &str) -> Request<Body> {
        signed(source, &self.id, &self.sign(body.as_bytes()), body)
    }
}

/// A delivery with these headers.
pub fn signed(source: &str, id: &str, signature: &[u8], body: &str) -> Request<Body> {
    Request::post(format!("/v1/leaks/{source}"))
        .header("Github-Public-Key-Identifier", id)
        .header("Github-Public-Key-Signature", STANDARD.encode(signature))
        .body(Body::from(body.to_owned()))
        .unwrap()
}

/// What the server does.
pub struct Directed {
    pub keys: Vec<Value>,
    pub status: StatusCode,
}

pub struct Publisher {
    pub current: Signer,
    pub url: String,
    pub directed: Arc<Mutex<Directed>>,
    pub slow: Arc<Slow>,
    asked: Arc<AtomicUsize>,
}

/// The slow address: says when it is asked, and answers when it is told to.
#[derive(Default)]
pub struct Slow {
    pub asked: Notify,
    pub going: Notify,
}

#[derive(Clone)]
struct Served {
    directed: Arc<Mutex<Directed>>,
    slow: Arc<Slow>,
    asked: Arc<AtomicUsize>,
}

impl Publisher {
    pub async fn start() -> Self {
        let current = Signer::new();
        let directed = Arc::new(Mutex::new(Directed {
            keys: vec![current.published(true)],
            status: StatusCode::OK,
        }));
        let asked = Arc::new(AtomicUsize::new(0));
        let slow_address = Arc::new(Slow::default());
        let served = Served {
            directed: Arc::clone(&directed),
            slow: Arc::clone(&slow_address),
            asked: Arc::clone(&asked),
        };
        let router = Router::new()
            .route("/keys", get(keys))
            .route("/slow", get(slow))
            .with_state(served);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            current,
            url,
            directed,
            slow: slow_address,
            asked,
        }
    }

    pub fn delivery(&self, source: &str, body: &str) -> Request<Body> {
        self.current.delivery(source, body)
    }

    /// How often the keys were asked for.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub fn direct(&self, change: impl FnOnce(&mut Directed)) {
        change(&mut self.directed.lock().unwrap());
    }
}

async fn keys(State(served): State<Served>) -> Response {
    served.asked.fetch_add(1, Ordering::SeqCst);
    let directed = served.directed.lock().unwrap();
    let keys = json!({ "public_keys": directed.keys });
    (directed.status, axum::Json(keys)).into_response()
}

async fn slow(State(served): State<Served>) -> Response {
    served.slow.asked.notify_one();
    served.slow.going.notified().await;
    keys(State(served)).await
}
