//! The smallest program with the library's layer, run as a process.

use std::{
    path::Path,
    process::{Child, Command},
};

use akgate_client::signer::{ApiCall, SigningCredentials, sign_request};
use akgate_state::clock::{Clock, SystemClock};
use http_body_util::BodyExt;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::net::TcpStream;

use crate::{
    addresses,
    database_host::DatabaseHost,
    harness::{ACCOUNT, Behind, TestNode},
    process::AKGATE,
    road::RAM,
    wait::{eventually, eventually_some},
};

/// A process, ended with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A program of `tests/examples`, built by the same cargo into the same folder; with the whole workspace, whose features it
/// shares with the tests: otherwise every dependency would be built once more.
fn example(name: &str) -> Command {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--workspace", "--example", name])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .unwrap();
    assert!(built.success());
    let folder = Path::new(AKGATE).parent().unwrap();
    Command::new(folder.join("examples").join(name))
}

/// Starts the example on a database; returns its address.
async fn start(database_url: &str) -> (Running, String) {
    let address = addresses::unused().to_string();
    let key = |byte: u8| hex::encode([byte; 32]);
    let child = example("layer")
        .env("DATABASE_URL", database_url)
        .env("KEY_RING", format!("seal 1 {}\nindex {}", key(1), key(2)))
        .env("LISTEN", &address)
        .spawn()
        .unwrap();
    let running = Running(child);
    eventually("the example listens", async || {
        TcpStream::connect(&address).await.is_ok()
    })
    .await;
    (running, address)
}

async fn call(address: &str, key: &SigningCredentials, action: &str) -> (u16, String) {
    let api = ApiCall {
        version: RAM,
        action,
        parameters: &[("UserName", "x")],
    };
    let now = SystemClock.now();
    let request = sign_request(&format!("http://{address}"), key, api, now).unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let answer = client
        .request(request.map(axum::body::Body::new))
        .await
        .unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.into()).unwrap())
}

#[tokio::test]
async fn handler_behind_the_layer_gets_the_caller_and_a_leaked_key_is_refused() {
    let node = TestNode::new(Behind::Yes).await;
    let key = node.key("LTAI5tFakeAlice", Some("alice")).await;
    let (_running, address) = start(&node.database.url()).await;
    let alice = format!("acs:ram::{ACCOUNT}:user/alice");
    // A handler may answer in a form of its own, to a change as well.
    for action in ["ListUsers", "CreateUser"] {
        let answered = call(&address, &key, action).await;
        assert_eq!(answered, (200, format!("{alice} calls {action}")));
    }
    let restriction = node.report("LTAI5tFakeAlice").await;
    let (status, body) = call(&address, &key, "CreateUser").await;
    assert_eq!(status, 403, "{body}");
    assert!(body.contains("There is a risk of leakage of this AccessKey."));
    assert_eq!(call(&address, &key, "ListUsers").await.0, 200);
    let recorded: uuid::Uuid = eventually_some("the refusal is recorded", async || {
        sqlx::query_scalar("SELECT restriction_id FROM refusals")
            .fetch_optional(&node.pool)
            .await
            .unwrap()
    })
    .await;
    assert_eq!(recorded, restriction.restriction_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn gate_follows_the_host_that_takes_writes() {
    let node = TestNode::new(Behind::Yes).await;
    node.clock.set(SystemClock.now());
    let alice = node.key("LTAI5tFakeAlice", Some("alice")).await;
    let database = node.database.options();
    let (first, second) = (DatabaseHost::start(&database).await, addresses::unused());
    let url = format!(
        "postgresql://{}@{},{second}/{}?sslmode=disable",
        database.get_username(),
        first.address(),
        database.get_database().unwrap()
    );
    let (_running, address) = start(&url).await;
    let (status, text) = call(&address, &alice, "CreateUser").await;
    assert_eq!(status, 200, "{text}");
    first.close().await;
    eventually("mutations are refused", async || {
        call(&address, &alice, "CreateUser").await.0 == 503
    })
    .await;
    let _second = DatabaseHost::at(second, &database).await;
    eventually("mutations pass by the other host", async || {
        call(&address, &alice, "CreateUser").await.0 == 200
    })
    .await;
}
