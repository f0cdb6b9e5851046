//! The log of `akgate serve` where nobody takes it: no call waits for it, and none fails.

use std::{
    fs::File,
    io::{BufRead, BufReader, PipeReader, pipe},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use http::Method;

use crate::{
    addresses,
    database::TestDatabase,
    process::{AKGATE, Served, kill},
    serve::World,
    wait::eventually,
};

/// More calls than any bound on lines lets wait.
const MOST_CALLS: usize = 100_000;

/// A gateway whose log goes where the test says; killed at its end.
struct Gateway {
    child: Child,
    address: String,
    telemetry: String,
}

impl Gateway {
    /// Starts it and waits until it is ready. It cannot tell its addresses: the test gives them.
    async fn start(world: &World, log: impl Into<Stdio>) -> Self {
        let address = addresses::unused().to_string();
        let telemetry = addresses::unused().to_string();
        let child = Command::new(AKGATE)
            .args(["serve", "--roles", "gateway", "--config"])
            .arg(&world.config)
            .env("AKGATE_GATEWAY_LISTEN", &address)
            .env("AKGATE_TELEMETRY_LISTEN", &telemetry)
            .env("AKGATE_SHUTDOWN_DELAY_SECONDS", "0")
            .stderr(log)
            .spawn()
            .unwrap();
        let mut gateway = Self {
            child,
            address,
            telemetry,
        };
        eventually("the gateway is ready", async || {
            assert_eq!(gateway.child.try_wait().unwrap(), None, "it has ended");
            gateway.is_ready(world).await
        })
        .await;
        gateway
    }

    async fn is_ready(&self, world: &World) -> bool {
        let url = format!("http://{}/readyz", self.telemetry);
        let ready = world.caller.plain(Method::GET, &url, None, None).await;
        ready.is_ok_and(|reply| reply.status == 200)
    }

    /// One call, which leaves a line in the log.
    async fn call(&self, world: &World) {
        let answered = tokio::time::timeout(Duration::from_secs(10), world.get(&self.address, "/"));
        assert_eq!(answered.await.expect("a call hangs").status, 400);
    }

    async fn dropped(&self, world: &World) -> u64 {
        let metrics = world.get(&self.telemetry, "/metrics").await.text;
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix("akgate_log_lines_dropped_total "));
        line.unwrap().parse().unwrap()
    }

    async fn end(mut self) {
        let began = Instant::now();
        kill("TERM", self.child.id());
        let child = &mut self.child;
        eventually("the gateway ends", async || {
            child.try_wait().unwrap().is_some()
        })
        .await;
        assert_eq!(child.wait().unwrap().code(), Some(0));
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What a thread reads from a pipe.
fn read_lines(reader: PipeReader) -> Arc<Mutex<Vec<String>>> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&lines);
    std::thread::spawn(move || {
        for line in BufReader::new(reader).lines().map_while(Result::ok) {
            kept.lock().unwrap().push(line);
        }
    });
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_answered_while_nobody_reads_the_log() {
    let database = TestDatabase::new().await;
    let world = World::new(&database.url(), "").await;
    let (reader, writer) = pipe().unwrap();
    let gateway = Gateway::start(&world, writer).await;
    let began = Instant::now();
    let mut calls = 0;
    while gateway.dropped(&world).await == 0 {
        assert!(calls < MOST_CALLS, "{calls} calls and no line dropped");
        let some = (0..1_000).map(|_| gateway.call(&world));
        futures_util::future::join_all(some).await;
        calls += 1_000;
    }
    println!("{calls} calls in {:?}, log unread", began.elapsed());
    assert!(gateway.is_ready(&world).await);

    // As soon as somebody reads, the log says what is missing and goes on.
    let lines = read_lines(reader);
    eventually("the log says that lines were dropped", async || {
        let lines = lines.lock().unwrap();
        lines
            .iter()
            .any(|line| line.contains("log lines were dropped"))
    })
    .await;
    let seen = lines.lock().unwrap().len();
    gateway.call(&world).await;
    eventually("the log goes on", async || {
        lines.lock().unwrap().len() > seen
    })
    .await;
    gateway.end().await;
    let lines = lines.lock().unwrap();
    let whole = |line: &String| serde_json::from_str::<serde_json::Value>(line).is_ok();
    assert!(lines.iter().all(whole), "a line is torn");
}

#[tokio::test(flavor = "multi_thread")]
async fn process_ends_in_time_though_nobody_reads_its_log() {
    let database = TestDatabase::new().await;
    let world = World::new(&database.url(), "").await;
    let (_reader, writer) = pipe().unwrap();
    let gateway = Gateway::start(&world, writer).await;
    // More than a pipe holds.
    for _ in 0..1_000 {
        gateway.call(&world).await;
    }
    gateway.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn full_or_closed_standard_error_ends_neither_start_nor_calls() {
    let database = TestDatabase::new().await;
    let world = World::new(&database.url(), "").await;
    let (reader, closed) = pipe().unwrap();
    drop(reader);
    let full = File::options().write(true).open("/dev/full").unwrap();
    for log in [Stdio::from(closed), Stdio::from(full)] {
        let gateway = Gateway::start(&world, log).await;
        for _ in 0..100 {
            gateway.call(&world).await;
        }
        eventually("dropped lines are counted", async || {
            gateway.dropped(&world).await >= 100
        })
        .await;
        gateway.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn warnings_of_a_failing_database_are_summed_up() {
    let database = TestDatabase::new().await;
    let world = World::new(&database.url(), "").await;
    world.import(&["alice"]);
    let mut node = Served::start(&world.config, "gateway", &[]);
    let gateway = node.address("gateway").await;
    assert_eq!(world.call(&gateway, "alice", "ListUsers").await.status, 200);
    sqlx::query("ALTER TABLE intents RENAME TO hidden")
        .execute(database.pool())
        .await
        .unwrap();
    for _ in 0..100 {
        let reply = world.call(&gateway, "alice", "CreateUser").await;
        assert_eq!(reply.status, 503);
    }
    node.signal("TERM");
    assert_eq!(node.ended().await, Some(0));
    node.logs("an intent cannot be written: repeated").await;
    let log = node.log();
    let single = log.matches("\"message\":\"an intent cannot be written\"");
    let sums: usize = log
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|event| event["repeated"].as_u64())
        .sum::<u64>()
        .try_into()
        .unwrap();
    let single = single.count();
    assert!(single < 50, "{single} lines");
    assert_eq!(single + sums, 100, "{log}");
}
