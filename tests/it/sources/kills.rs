//! kill -9 at any moment: nothing that was acknowledged is lost, and nothing is counted twice.

use std::{
    collections::BTreeSet,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use akgate_client::signer::SigningClient;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use rand::RngExt;
use serde_json::json;
use sqlx::PgPool;

use super::publisher::Publisher;
use crate::{
    database::TestDatabase,
    process::{AKGATE, Scratch, Served, akgate, secrets},
};

const DELIVERIES: usize = 1200;
const KILLS: usize = 60;

fn id(n: usize) -> String {
    format!("LTAI5tFakeOfKill{n:04}")
}

fn secret(n: usize) -> String {
    format!("FakeSecretOfKillForTests{n:04}xY")
}

fn config(scratch: &Scratch, database: &TestDatabase, keys_url: &str) -> std::path::PathBuf {
    let zero = "listen = \"127.0.0.1:0\"\n";
    let text = secrets(scratch, &database.url())
        + &format!(
            "[public]\n{zero}url = \"http://localhost:1\"\n[telemetry]\n{zero}\
             [[sources.signed]]\nname = \"github\"\npreset = \"github\"\nkeys_url = \"{keys_url}/keys\"\n"
        );
    let config = scratch.write("akgate.toml", &text);
    let mut csv = "account_id,user_name,access_key_id,access_key_secret,owner_email\n".to_owned();
    for n in 0..DELIVERIES {
        let account = 5_000_000_000_000_000 + n;
        csv += &format!(
            "{account},user,{},{},owner{n}@example.com\n",
            id(n),
            secret(n)
        );
    }
    let keys = scratch.write("keys.csv", &csv);
    let output = akgate(&["keys", "import", keys.to_str().unwrap()], &config);
    assert!(output.status.success(), "{output:?}");
    config
}

/// A pair in two elements, its secret elsewhere, and two ids that nobody has: four sightings, two of which are proven.
fn body(n: usize) -> String {
    let url = |what: &str| format!("https://h.example/{n}/{what}");
    json!([
        { "token": id(n), "type": "t", "url": url("a") },
        { "token": secret(n), "type": "t", "url": url("a") },
        { "token": secret(n), "type": "t", "url": url("b") },
        { "token": "LTAI5tFakeNobody00001", "type": "t", "url": url("a") },
        { "token": "LTAI5tFakeNobody00002", "type": "t", "url": url("a") },
    ])
    .to_string()
}

async fn deliver(publisher: &Publisher, caller: &SigningClient, address: &str, n: usize) -> bool {
    let body = body(n);
    let signature = publisher.current.sign(body.as_bytes());
    let request = Request::post(format!("http://{address}/v1/leaks/github"))
        .header("github-public-key-identifier", &publisher.current.id)
        .header("github-public-key-signature", STANDARD.encode(signature))
        .body(Full::from(Bytes::from(body)))
        .unwrap();
    let reply = caller.send(request).await;
    reply.is_ok_and(|reply| reply.status == 200)
}

async fn count(pool: &PgPool, what: &'static str) -> i64 {
    sqlx::query_scalar(what).fetch_one(pool).await.unwrap()
}

async fn recorded(pool: &PgPool) -> BTreeSet<usize> {
    let whole: Vec<String> = sqlx::query_scalar(
        "SELECT split_part(url, '/', 4) FROM leak_reports GROUP BY 1 HAVING count(*) = 4",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    whole.iter().map(|n| n.parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_node_loses_no_delivery_and_counts_none_twice() {
    let database = TestDatabase::new().await;
    database.leaves_letters("they are counted, and no node is a worker");
    let pool = database.pool();
    let publisher = Arc::new(Publisher::start().await);
    let scratch = Scratch::new();
    let config = config(&scratch, &database, &publisher.url);
    // The keys of the source are asked for once a minute at most, which a kill does not change: they are known first.
    let node = Served::start(&config, "public", &[]);
    let address = node.address("public").await;
    assert!(
        deliver(&publisher, &SigningClient::default(), &address, 0).await,
        "{}",
        node.log()
    );
    drop(node);
    let left = Arc::new(Mutex::new((0..DELIVERIES).collect::<Vec<usize>>()));
    let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
    let mut met = 0;
    for kill in 0..=KILLS {
        let is_last = kill == KILLS;
        let node = Served::start(&config, "public", &[]);
        let address = node.address("public").await;
        if is_last {
            // Every one again, acknowledged or not.
            *left.lock().unwrap() = (0..DELIVERIES).collect();
        }
        let clients: Vec<_> = (0..4)
            .map(|_| {
                let (publisher, address) = (Arc::clone(&publisher), address.clone());
                let (left, acknowledged) = (Arc::clone(&left), Arc::clone(&acknowledged));
                tokio::spawn(async move {
                    let caller = SigningClient::default();
                    loop {
                        let Some(n) = left.lock().unwrap().pop() else {
                            return false;
                        };
                        if deliver(&publisher, &caller, &address, n).await {
                            acknowledged.lock().unwrap().insert(n);
                        } else {
                            left.lock().unwrap().insert(0, n);
                            return true;
                        }
                    }
                })
            })
            .collect();
        if !is_last {
            // The moment of the kill is what is tried.
            let pause = rand::rng().random_range(0..40);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            drop(node);
        }
        let mut was_met = false;
        for client in clients {
            was_met |= client.await.unwrap();
        }
        met += usize::from(was_met);
        let acknowledged = acknowledged.lock().unwrap().clone();
        assert!(
            recorded(pool).await.is_superset(&acknowledged),
            "kill {kill}: something acknowledged is lost"
        );
        if is_last {
            assert_eq!(acknowledged.len(), DELIVERIES);
        }
    }
    println!("{met} of {KILLS} kills met a delivery in flight");
    assert!(met > KILLS / 2, "{met}");
    let deliveries = i64::try_from(DELIVERIES).unwrap();
    for (what, expected) in [
        ("SELECT count(*) FROM leak_reports", 4 * deliveries),
        ("SELECT count(*) FROM deliveries", deliveries),
        ("SELECT count(*) FROM restrictions", deliveries),
        (
            "SELECT count(DISTINCT access_key_id) FROM restrictions",
            deliveries,
        ),
        (
            "SELECT count(*) FROM letters WHERE kind = 'Imposed'",
            deliveries,
        ),
        (
            "SELECT count(*) FROM audit_records WHERE action = 'Impose'",
            deliveries,
        ),
        (
            "SELECT count(*) FROM audit_records WHERE action = 'ReportLeak'",
            2 * deliveries,
        ),
    ] {
        assert_eq!(count(pool, what).await, expected, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_import_resumes_where_it_stopped() {
    let database = TestDatabase::new().await;
    database.leaves_letters("they are counted, and no node is a worker");
    let pool = database.pool();
    let scratch = Scratch::new();
    let config = config(&scratch, &database, "http://127.0.0.1:1");
    let lines: usize = 24_000;
    let text: String = (0..lines)
        .map(|n| {
            let finding = match n % 80 {
                0 => json!({ "access_key_secret": secret(n / 80), "path": format!("p{n}") }),
                _ => json!({ "access_key_id": format!("LTAI5tFakeLine{n:06}"), "path": format!("p{n}") }),
            };
            format!("{finding}\n")
        })
        .collect();
    let file = scratch.write("findings.ndjson", &text);
    let import = |pause: Option<u64>| {
        let mut child = Command::new(AKGATE)
            .args(["reports", "import"])
            .arg(&file)
            .arg("--config")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        if let Some(pause) = pause {
            // The moment of the kill is what is tried.
            std::thread::sleep(Duration::from_millis(pause));
            child.kill().unwrap();
        }
        child.wait().unwrap()
    };
    let mut seen = BTreeSet::new();
    for _ in 0..KILLS {
        import(Some(rand::rng().random_range(0..900)));
        seen.insert(count(pool, "SELECT count(*) FROM leak_reports").await);
    }
    println!("{KILLS} kills, after which this many were recorded: {seen:?}");
    assert!(import(None).success());
    let keys = i64::try_from(lines / 80).unwrap();
    for (what, expected) in [
        (
            "SELECT count(*) FROM leak_reports",
            i64::try_from(lines).unwrap(),
        ),
        ("SELECT count(*) FROM restrictions", keys),
        ("SELECT count(*) FROM letters WHERE kind = 'Imposed'", keys),
        (
            "SELECT count(*) FROM audit_records WHERE action = 'Impose'",
            keys,
        ),
    ] {
        assert_eq!(count(pool, what).await, expected, "{what}");
    }
}
