//! How a process leaves, and how connections that are kept end on both sides of the gateway.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use akgate_client::signer::{ApiCall, SigningCredentials, sign_request};
use akgate_state::clock::{Clock, SystemClock};
use http_body_util::{BodyExt, Full};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    database::TestDatabase,
    process::{Served, operator},
    serve::World,
    wait::eventually,
};

/// A signed call as bytes, for a connection that the test watches.
async fn signed(name: &str, action: &str, user_name: &str) -> Vec<u8> {
    let key = SigningCredentials {
        access_key_id: format!("LTAI5tFake{name}"),
        access_key_secret: format!("FakeSecretOf{name}"),
        security_token: None,
    };
    let api = ApiCall {
        version: "2015-05-01",
        action,
        parameters: &[("UserName", user_name)],
    };
    let request = sign_request("http://gateway.test", &key, api, SystemClock.now()).unwrap();
    let (head, body) = request.map(Full::from).into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let mut text = format!(
        "{} {} HTTP/1.1\r\nhost: gateway.test\r\ncontent-length: {}\r\n",
        head.method,
        head.uri.path_and_query().unwrap(),
        body.len()
    );
    for (name, value) in &head.headers {
        if name != "host" && name != "content-length" {
            text.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
        }
    }
    text.push_str("\r\n");
    [text.as_bytes(), &body].concat()
}

/// A connection that is kept.
struct Kept(TcpStream);

impl Kept {
    async fn open(address: &str) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// One answer with a body of known length.
    async fn answer(&mut self) -> String {
        let mut answer = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&answer).to_ascii_lowercase();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.split("content-length: ").nth(1).unwrap();
                let length: usize = length.lines().next().unwrap().parse().unwrap();
                if body.len() >= length {
                    return text;
                }
            }
            let mut some = [0; 4096];
            let read = self.0.read(&mut some).await.unwrap();
            assert!(read > 0, "closed after {text}");
            answer.extend_from_slice(&some[..read]);
        }
    }

    /// How long it takes until the other side has closed it, within so long.
    async fn closed(&mut self, within: Duration) -> Option<Duration> {
        let began = Instant::now();
        let read = tokio::time::timeout(within, self.0.read_u8()).await;
        read.is_ok_and(|read| read.is_err())
            .then(|| began.elapsed())
    }
}

const READ: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn node_that_leaves_is_not_ready_and_serves_until_it_is_told_again() {
    let database = TestDatabase::new().await;
    let world = World::new(&database.url(), "").await;
    world.import(&["alice"]);
    let env = [("AKGATE_SHUTDOWN_DELAY_SECONDS", "600")];
    let mut node = Served::start(&world.config, "gateway,public,admin,worker", &env);
    let gateway = node.address("gateway").await;
    let telemetry = node.address("telemetry").await;
    eventually("the node is ready", async || {
        world.get(&telemetry, "/readyz").await.status == 200
    })
    .await;
    let (mut idle, mut busy) = (Kept::open(&gateway).await, Kept::open(&gateway).await);
    idle.send(READ).await;
    idle.answer().await;

    node.signal("TERM");
    eventually("the node is not ready", async || {
        let ready = world.get(&telemetry, "/readyz").await;
        ready.status == 503
            && ready
                .text
                .contains("[-] shutdown failed: this process is stopping")
    })
    .await;
    assert_eq!(world.get(&telemetry, "/livez").await.status, 200);
    let reply = world.call(&gateway, "alice", "CreateUser").await;
    assert_eq!(reply.status, 200, "new calls: {}", reply.text);
    Kept::open(&gateway).await.send(READ).await;
    idle.send(READ).await;
    assert!(!idle.answer().await.contains("connection: close"));
    busy.send(&signed("alice", "CreateUser", "slow").await)
        .await;
    let seen = "SELECT count(*) = 2 FROM intents";
    eventually("the call has its intent", async || {
        let seen = sqlx::query_scalar(seen).fetch_one(database.pool());
        seen.await.unwrap()
    })
    .await;

    node.signal("TERM");
    node.logs("stopping: waiting for requests in progress")
        .await;
    assert!(idle.closed(Duration::from_secs(20)).await.is_some());
    eventually("no new connection is taken", async || {
        TcpStream::connect(&gateway).await.is_err()
    })
    .await;
    world.slow.notify_one();
    let answer = busy.answer().await;
    assert!(answer.starts_with("http/1.1 200"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    assert_eq!(node.ended().await, Some(0), "{}", node.log());
    assert!(!node.log().contains("could not be written"));
    let settled = "SELECT count(*) FROM intents WHERE outcome = 'Succeeded'";
    let settled: i64 = sqlx::query_scalar(settled)
        .fetch_one(database.pool())
        .await
        .unwrap();
    assert_eq!(settled, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_server_that_hangs_neither_holds_up_the_end_nor_raises_an_alarm() {
    let database = TestDatabase::new().await;
    database.leaves_letters("their mail server hangs");
    let world = World::new(&database.url(), "").await;
    let token = operator(&world.config, "tester");
    world.import(&["alice"]);
    let mail = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = mail.local_addr().unwrap().port().to_string();
    let env = [
        ("AKGATE_MAIL_TRANSPORT", "smtp"),
        ("AKGATE_MAIL_HOST", "127.0.0.1"),
        ("AKGATE_MAIL_PORT", &port),
        ("AKGATE_MAIL_ENCRYPTION", "none"),
    ];
    let mut node = Served::start(&world.config, "gateway,admin,worker", &env);
    let admin = node.address("admin").await;
    world.report(&admin, &token, "alice").await;
    // It is let in, and never greeted.
    let _connection = mail.accept().await.unwrap();
    let began = Instant::now();
    node.signal("TERM");
    assert_eq!(node.ended().await, Some(0), "{}", node.log());
    println!("ended {:?} after SIGTERM", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(15));
    assert!(!node.log().contains("records"), "{}", node.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_are_lost_at_the_end_are_told_of() {
    let database = TestDatabase::new().await;
    let world = World::new(&database.url(), "").await;
    world.import(&["alice"]);
    let mut node = Served::start(&world.config, "gateway", &[]);
    let gateway = node.address("gateway").await;
    sqlx::query("ALTER TABLE call_counts RENAME TO hidden")
        .execute(database.pool())
        .await
        .unwrap();
    assert_eq!(world.call(&gateway, "alice", "ListUsers").await.status, 200);
    node.signal("TERM");
    assert_eq!(node.ended().await, Some(0));
    node.logs("some records could not be written before exit")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connection_outlives_the_timeout_of_a_head() {
    let database = TestDatabase::new().await;
    let world = World::new(&database.url(), "").await;
    let env = [("AKGATE_GATEWAY_HEAD_TIMEOUT_SECONDS", "1")];
    let node = Served::start(&world.config, "gateway", &env);
    let gateway = node.address("gateway").await;
    let mut kept = Kept::open(&gateway).await;
    kept.send(READ).await;
    kept.answer().await;
    assert_eq!(kept.closed(Duration::from_secs(3)).await, None, "idle");
    // The head of a later request has no more time than that of the first.
    kept.send(READ).await;
    kept.answer().await;
    kept.send(b"GET / HTTP/1.1\r\nHo").await;
    assert!(kept.closed(Duration::from_secs(20)).await.is_some());

    let env = [("AKGATE_GATEWAY_IDLE_TIMEOUT_SECONDS", "1")];
    let node = Served::start(&world.config, "gateway", &env);
    let mut kept = Kept::open(&node.address("gateway").await).await;
    kept.send(READ).await;
    kept.answer().await;
    assert!(kept.closed(Duration::from_secs(20)).await.is_some());
}

/// An upstream that answers the first request of each connection and closes in place of the next answer; keeps what it
/// received.
async fn forgetful_upstream() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let received = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&received);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let kept = Arc::clone(&kept);
            tokio::spawn(async move {
                for turn in 0..2 {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        match stream.read_u8().await {
                            Ok(byte) => head.push(byte),
                            Err(_) => return,
                        }
                    }
                    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
                    let length = head.split("content-length: ").nth(1);
                    let length = length.map_or(0, |rest| {
                        rest.lines().next().unwrap().parse::<usize>().unwrap()
                    });
                    let mut body = vec![0; length];
                    stream.read_exact(&mut body).await.unwrap();
                    let body = String::from_utf8(body).unwrap();
                    kept.lock().unwrap().push(head + &body);
                    if turn == 0 {
                        let answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
                        stream.write_all(answer).await.unwrap();
                    }
                }
            });
        }
    });
    (address, received)
}

#[tokio::test(flavor = "multi_thread")]
async fn read_is_sent_once_more_to_an_upstream_that_has_closed_and_a_mutation_is_not() {
    let database = TestDatabase::new().await;
    let world = World::new(&database.url(), "").await;
    world.import(&["alice"]);
    let (upstream, received) = forgetful_upstream().await;
    let url = format!("http://{upstream}");
    let env = [
        ("AKGATE_UPSTREAMS_RAM_URL", url.as_str()),
        // One core has one set of connections.
        ("AKGATE_GATEWAY_THREADS", "1"),
        ("AKGATE_UPSTREAMS_IDLE_TIMEOUT_SECONDS", "600"),
    ];
    let node = Served::start(&world.config, "gateway", &env);
    let gateway = node.address("gateway").await;
    let resent = || {
        let received = received.lock().unwrap();
        let told = |one: &&String| one.contains("x-akgate-resent: 1\r\n");
        (received.len(), received.iter().filter(told).count())
    };
    for _ in 0..2 {
        assert_eq!(world.call(&gateway, "alice", "ListUsers").await.status, 200);
    }
    assert_eq!(resent(), (3, 1));
    let reply = world.call(&gateway, "alice", "CreateUser").await;
    assert_eq!(reply.status, 503, "on a kept connection: {}", reply.text);
    assert_eq!(resent(), (4, 1));
    let reply = world.call(&gateway, "alice", "CreateUser").await;
    assert_eq!(reply.status, 200, "on a new one: {}", reply.text);
    assert_eq!(resent(), (5, 1));
}
