//! Nobody stops the gateway: what strangers hold open, what hangs behind it and what one caller asks for too often hold up
//! nothing but themselves.

use std::net::{IpAddr, Ipv4Addr};

use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::{
    database::TestDatabase,
    process::{Served, operator},
    serve::World,
    wait::eventually,
};

/// Where attackers come from: another address of this machine than the good callers have.
const ATTACKER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 66, 6));

async fn connect(address: &str, from: IpAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    socket.connect(address.parse().unwrap()).await.unwrap()
}

/// Opens connections that send these bytes and nothing more.
async fn hold_open(address: &str, from: IpAddr, count: usize, bytes: &[u8]) -> Vec<TcpStream> {
    let mut held = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = connect(address, from).await;
        // Who was turned away cannot write.
        let _ = stream.write_all(bytes).await;
        held.push(stream);
    }
    held
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.unwrap().split_whitespace().nth(1);
    number.unwrap().parse().unwrap()
}

async fn metric(world: &World, served: &Served, name: &str) -> u64 {
    let telemetry = served.address("telemetry").await;
    let text = world.get(&telemetry, "/metrics").await.text;
    let lines = text.lines().filter(|line| line.starts_with(name));
    let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    values.sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_do_not_arrive_hold_up_no_other_call() {
    let database = TestDatabase::new().await;
    let limits = "[limits]\ncalls_judged = 4\n";
    let world = World::new(&database.url(), limits).await;
    world.import(&["alice"]);
    let served = Served::start(&world.config, "gateway", &[]);
    let gateway = served.address("gateway").await;
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\nAct";
    let held = hold_open(&gateway, ATTACKER, 200, head).await;
    for _ in 0..20 {
        let reply = world.call(&gateway, "alice", "ListUsers").await;
        assert_eq!(reply.status, 200, "{}", reply.text);
    }
    // None of them was answered or closed meanwhile: they were being waited for.
    let mut waiting = 0;
    for stream in &held {
        let empty = stream.try_read(&mut [0; 1]);
        waiting +=
            usize::from(empty.is_err_and(|fault| fault.kind() == std::io::ErrorKind::WouldBlock));
    }
    assert_eq!(waiting, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn upstream_that_hangs_holds_up_its_own_calls_alone_and_one_key_gets_its_part() {
    let database = TestDatabase::new().await;
    let other = crate::serve::upstream().await.0;
    let key = hex::encode([9; 32]);
    let extra = format!(
        "[limits]\ncalls_per_upstream = 16\n[upstreams.sts]\nurl = {other:?}\nidentity_key = {key:?}\n"
    );
    let world = World::new(&database.url(), &extra).await;
    world.import(&["alice", "bob"]);
    let served = Served::start(&world.config, "gateway", &[]);
    let gateway = served.address("gateway").await;
    let slow = [("UserName", "slow")];
    let codes = async |name: &'static str, count: usize| {
        let calls = (0..count).map(|_| world.call_with(&gateway, name, "GetUser", &slow));
        let replies = join_all(calls).await;
        let mut codes: Vec<_> = replies
            .iter()
            .map(|reply| reply.text(&["Code"]).unwrap_or("OK").to_owned())
            .collect();
        codes.sort();
        codes
    };
    let release = async {
        // Alice's twelve that are too many are answered while her eight hang, and Bob is let in beside them.
        eventually("alice is throttled", async || {
            metric(&world, &served, "akgate_turned_away_total").await >= 12
        })
        .await;
        let sts = world.call_sts(&gateway, "alice").await;
        assert_eq!(sts.status, 200, "another upstream: {}", sts.text);
        let quick = world.call(&gateway, "bob", "ListUsers").await;
        assert_eq!(quick.status, 200, "{}", quick.text);
        world.slow.notify_waiters();
    };
    let (alice, ()) = tokio::join!(codes("alice", 20), release);
    let throttled = alice.iter().filter(|code| *code == "Throttling.User");
    assert_eq!(throttled.count(), 12, "{alice:?}");
    assert_eq!(alice.iter().filter(|code| *code == "OK").count(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn full_listener_closes_strangers_who_wait_and_serves_good_callers() {
    let database = TestDatabase::new().await;
    database.leaves_letters("no node is a worker");
    let world = World::new(&database.url(), "[limits]\nconnections = 40\n").await;
    world.import(&["alice"]);
    let token = operator(&world.config, "tester");
    let served = Served::start(&world.config, "gateway,admin,public", &[]);
    let gateway = served.address("gateway").await;
    let (admin, public) = (
        served.address("admin").await,
        served.address("public").await,
    );
    let mut held = Vec::new();
    for address in [&gateway, &admin, &public] {
        held.push(hold_open(address, ATTACKER, 60, b"GET / HTTP/1.1\r\nHo").await);
        held.push(
            hold_open(
                address,
                ATTACKER,
                60,
                b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nA",
            )
            .await,
        );
    }
    for _ in 0..10 {
        let reply = world.call(&gateway, "alice", "ListUsers").await;
        assert_eq!(reply.status, 200, "{}", reply.text);
    }
    world.report(&admin, &token, "alice").await;
    assert_eq!(world.get(&public, "/leaked-access-key").await.status, 200);
    assert_eq!(metric(&world, &served, "akgate_turned_away_total").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_strangers_use_no_more_memory_than_is_configured() {
    let database = TestDatabase::new().await;
    let limits = "[limits]\nrequest_memory_bytes = 33554432\n";
    let world = World::new(&database.url(), limits).await;
    world.import(&["alice"]);
    let served = Served::start(&world.config, "gateway", &[]);
    let gateway = served.address("gateway").await;
    assert_eq!(world.call(&gateway, "alice", "ListUsers").await.status, 200);
    let before = resident_kib(served.pid());
    let mut body = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n".to_vec();
    body.resize(900_000, b'a');
    let line = format!("X-Long: {}\r\n", "a".repeat(30_000));
    let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{}", line.repeat(6)).into_bytes();
    let held = (
        hold_open(&gateway, ATTACKER, 200, &body).await,
        hold_open(&gateway, ATTACKER, 400, &head).await,
    );
    let reply = world.call(&gateway, "alice", "ListUsers").await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let grown = resident_kib(served.pid()).saturating_sub(before);
    // 180 MB of bodies and 72 MB of heads were sent; the allocator keeps some of what is free.
    assert!(grown < 72 << 10, "{grown} KiB");
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_body_is_given_up_at_every_listener() {
    let database = TestDatabase::new().await;
    let world = World::new(&database.url(), "").await;
    let served = Served::start(&world.config, "gateway,admin,public", &[]);
    let head = "POST /confirm/x HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 900\r\n\r\nAct";
    let answers = ["gateway", "admin", "public"].map(async |section| {
        let mut stream = connect(&served.address(section).await, ATTACKER).await;
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer.lines().next().unwrap_or_default().to_owned()
    });
    let statuses = join_all(answers).await;
    assert_eq!(
        statuses,
        [
            "HTTP/1.1 400 Bad Request",
            "HTTP/1.1 408 Request Timeout",
            "HTTP/1.1 408 Request Timeout"
        ]
    );
}
