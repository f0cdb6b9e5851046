//! Watching before enforcing: at a mirror and in shadow mode, the same report.

use std::{process::Command, sync::Arc};

use akgate_api::observations::ObservationPoint;
use akgate_client::signer::{ApiCall, SigningClient, SigningCredentials, sign_request};
use akgate_gateway::GateSettings;
use akgate_rules::verdict::{Mode, Policy};
use akgate_state::{
    calls::observed::{Observation, ObservedKey, ObservedOutcome, read_observation_report},
    clock::{Clock, SystemClock},
};
use axum::{Router, body::Body};
use http::Method;
use serde_json::{Value, json};
use time::Duration as Span;

use crate::{
    addresses,
    database::TestDatabase,
    harness::{Behind, TestNode, in_origin_form},
    process::{Scratch, Served, akgate, operator, secrets},
    wait::eventually_some,
};

const RAM: &str = "2015-05-01";
const STS: &str = "2015-04-01";

fn shadow() -> GateSettings {
    GateSettings {
        policy: Policy {
            mode: Mode::Shadow,
            ..Policy::default()
        },
        ..GateSettings::default()
    }
}

/// A clean key and a leaked one, on a node that watches.
async fn watching(behind: Behind) -> (TestNode, SigningCredentials, SigningCredentials) {
    let first = TestNode::new(Behind::Yes).await;
    let clean = first.key("LTAI5tFakeClean", Some("carol")).await;
    let leaked = first.key("LTAI5tFakeAlice", Some("alice")).await;
    first.report("LTAI5tFakeAlice").await;
    let (database, clock) = (Arc::clone(&first.database), Arc::clone(&first.clock));
    let node = TestNode::on(database, clock, behind, shadow()).await;
    (node, clean, leaked)
}

async fn told(node: &TestNode) -> Value {
    node.node.recorder().flush().await.unwrap();
    let until = node.clock.now() + Span::MINUTE;
    let report = read_observation_report(&node.pool, None, until - Span::HOUR, until, 100)
        .await
        .unwrap();
    serde_json::to_value(report).unwrap()
}

async fn count(node: &TestNode, table: &str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
        .fetch_one(&node.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn mirror_forwards_nothing_and_reports_what_would_be_refused() {
    let (node, clean, leaked) = watching(Behind::Mirror).await;
    let wrong = SigningCredentials {
        access_key_secret: "FakeSecretOfNobody".into(),
        ..clean.clone()
    };
    let unknown = SigningCredentials {
        access_key_id: "LTAI5tFakeMadeSinceTheImport".into(),
        ..clean.clone()
    };
    let session = SigningCredentials {
        access_key_id: "STS.NTFakeSession0000000000000".into(),
        access_key_secret: "FakeSecret".into(),
        security_token: Some("FakeToken".into()),
    };
    let user = [
        ("UserName", "mallory"),
        ("Comments", "FakeCommentOfACaller"),
    ];
    let mut answers = vec![
        node.call(&clean, RAM, "CreateUser", &user).await,
        node.call(&leaked, RAM, "ListUsers", &[]).await,
        node.call(&leaked, RAM, "CreateUser", &user).await,
        node.call(&leaked, RAM, "CreateUser", &user).await,
        node.call(&wrong, RAM, "CreateUser", &user).await,
        node.call(&wrong, RAM, "NoSuchActionButTheCallersText", &[])
            .await,
        node.call(&unknown, RAM, "ListUsers", &[]).await,
        node.call(&session, STS, "GetCallerIdentity", &[]).await,
    ];
    let api = ApiCall {
        version: RAM,
        action: "GetUser",
        parameters: &[("UserName", "x")],
    };
    let once = sign_request("http://gateway.test", &clean, api, node.clock.now()).unwrap();
    for _ in 0..2 {
        let copy = in_origin_form(once.clone().map(Body::new));
        answers.push(node.send(copy).await);
    }
    let nonsense = http::Request::get("/?Action=ListUsers").body(Body::empty());
    answers.push(node.send(nonsense.unwrap()).await);
    for answer in answers {
        assert_eq!(answer.status.as_u16(), 204, "{}", answer.text);
        assert_eq!(answer.text, "");
        assert!(answer.headers.is_empty(), "{:?}", answer.headers);
    }

    let report = told(&node).await;
    assert_eq!(
        report["calls"],
        json!({
            "passed": 3,
            "would_be_refused": 2,
            "failed": 4,
            "not_in_directory": 2,
            "not_judged": 0
        }),
        "{report:#}"
    );
    let refused = &report["would_be_refused"][0];
    assert_eq!(refused["access_key_id"], "LTAI5tFakeAlice");
    assert_eq!(refused["action"], "CreateUser");
    assert_eq!(refused["calls"], 2);
    assert!(
        refused["principal"]
            .as_str()
            .unwrap()
            .ends_with("user/alice")
    );
    assert!(refused["restriction_id"].is_string());
    let mut failed: Vec<(&str, &str, &str)> = report["failed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["code"].as_str().unwrap(),
                row["action"].as_str().unwrap(),
                row["access_key_id"].as_str().unwrap(),
            )
        })
        .collect();
    failed.sort_unstable();
    assert_eq!(
        failed,
        [
            ("MissingVersion", "", ""),
            ("SignatureDoesNotMatch", "", "LTAI5tFakeClean"),
            ("SignatureDoesNotMatch", "CreateUser", "LTAI5tFakeClean"),
            ("SignatureNonceUsed", "GetUser", "LTAI5tFakeClean"),
        ]
    );
    let kinds: Vec<&str> = report["not_in_directory"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["kind"].as_str().unwrap())
        .collect();
    assert!(kinds.contains(&"access_key") && kinds.contains(&"session"));
    assert!(
        !report.to_string().contains("FakeCommentOfACaller"),
        "what was to be signed stays with the caller"
    );
    for table in ["intents", "refusals", "call_counts"] {
        assert_eq!(count(&node, table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn shadow_mode_gives_the_same_report_and_forwards_every_call() {
    let (node, clean, leaked) = watching(Behind::Yes).await;
    let user = [("UserName", "x")];
    assert_eq!(
        node.call(&clean, RAM, "CreateUser", &user).await.status,
        200
    );
    assert_eq!(
        node.call(&leaked, RAM, "CreateUser", &user).await.status,
        200
    );
    let wrong = SigningCredentials {
        access_key_secret: "FakeSecretOfNobody".into(),
        ..clean
    };
    let refused = node.call(&wrong, RAM, "CreateUser", &user).await;
    assert_eq!(refused.code(), "SignatureDoesNotMatch");
    let report = told(&node).await;
    assert_eq!(report["calls"]["passed"], 1);
    assert_eq!(report["calls"]["would_be_refused"], 1);
    assert_eq!(report["calls"]["failed"], 1);
}

#[tokio::test]
async fn enforcing_node_records_no_observations() {
    let node = TestNode::new(Behind::Yes).await;
    let key = node.key("LTAI5tFakeAlice", Some("alice")).await;
    node.call(&key, RAM, "ListUsers", &[]).await;
    node.node.recorder().flush().await.unwrap();
    assert_eq!(count(&node, "observations").await, 0);
}

#[tokio::test]
async fn flood_of_invented_keys_is_counted_in_full_and_listed_up_to_a_bound() {
    let node = TestNode::new(Behind::Yes).await;
    let now = node.clock.now();
    for n in 0..10_500 {
        let key = ObservedKey {
            hour: now.truncate_to_hour(),
            observation_point: ObservationPoint::Mirror,
            sighted: ObservedOutcome::NotInDirectory,
            access_key_id: format!("LTAI5tFakeInvented{n}"),
            product: "RAM".into(),
            action: "ListUsers".into(),
            code: "InvalidAccessKeyId.NotFound".into(),
        };
        let seen = Observation {
            calls: 1,
            reason: String::new(),
            account_id: String::new(),
            principal: String::new(),
            restriction_id: None,
            request_id: uuid::Uuid::new_v4(),
            source_ip: "192.0.2.1".into(),
            at: now,
        };
        node.node.recorder().observed(key, seen);
    }
    let report = told(&node).await;
    assert_eq!(report["calls"]["not_in_directory"], 10_500);
    assert_eq!(count(&node, "observations").await, 10_001);
    assert_eq!(report["not_in_directory"][0]["access_key_id"], "");
    assert_eq!(report["not_in_directory"][0]["calls"], 500);
    assert_eq!(report["is_truncated"], true);
}

/// A real nginx in front of a handler, with a mirror.
struct Nginx {
    child: std::process::Child,
    address: String,
}

impl Nginx {
    fn start(scratch: &Scratch, handler: &str, mirror: &str) -> Self {
        let address = addresses::unused().to_string();
        let folder = scratch.path().display();
        let config = include_str!("../../docs/watching-nginx.conf")
            .replace("listen 80;", &format!("listen {address};"))
            .replace("http://ram.internal", &format!("http://{handler}"))
            .replace("http://akgate.internal:8080", &format!("http://{mirror}"));
        let whole = format!(
            "daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log {folder}/nginx.log;\n\
             events {{}}\nhttp {{\naccess_log off;\nclient_body_temp_path {folder}/body;\n\
             proxy_temp_path {folder}/proxy;\nfastcgi_temp_path {folder}/fastcgi;\n\
             uwsgi_temp_path {folder}/uwsgi;\nscgi_temp_path {folder}/scgi;\n{config}\n}}\n"
        );
        let file = scratch.write("nginx.conf", &whole);
        let child = Command::new("nginx")
            .arg("-c")
            .arg(file)
            .arg("-e")
            .arg(scratch.path().join("nginx.log"))
            .spawn()
            .expect("nginx is missing: ./dev test installs it");
        Self { child, address }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_mirrors_calls_to_a_node_beside_the_path() {
    let database = TestDatabase::new().await;
    database.leaves_letters("an observing node sends none");
    let scratch = Scratch::new();
    let mut text = secrets(&scratch, &database.url());
    for section in ["gateway", "admin", "telemetry"] {
        text.push_str(&format!("[{section}]\nlisten = \"127.0.0.1:0\"\n"));
    }
    let config = scratch.write("akgate.toml", &text);
    let token = operator(&config, "tester");
    let keys = scratch.write(
        "keys.csv",
        "account_id,user_name,access_key_id,access_key_secret,owner_email\n\
         5123456789012345,alice,LTAI5tFakeAlice,FakeSecretOfAlice,owner@example.com\n",
    );
    let done = akgate(&["keys", "import", keys.to_str().unwrap()], &config);
    assert!(done.status.success(), "{done:?}");
    let mut served = Served::watching(&config);
    let (mirror, admin) = (
        served.address("gateway").await,
        served.address("admin").await,
    );
    let handler = Router::new().fallback(async || axum::Json(json!({ "RequestId": "handler" })));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, handler).await });
    let nginx = Nginx::start(&scratch, &upstream, &mirror);

    let caller = SigningClient::default();
    let url = format!("http://{admin}/admin/v1");
    let leak = json!({ "access_key_id": "LTAI5tFakeAlice", "source": "test", "reference": "1" });
    let reported = caller
        .plain(
            Method::POST,
            &format!("{url}/leak-reports"),
            Some(&token),
            Some(&leak),
        )
        .await
        .unwrap();
    assert_eq!(reported.status, 201, "{}", reported.text);
    let alice = SigningCredentials {
        access_key_id: "LTAI5tFakeAlice".into(),
        access_key_secret: "FakeSecretOfAlice".into(),
        security_token: None,
    };
    let gateway = format!("http://{}", nginx.address);
    for action in ["ListUsers", "CreateUser"] {
        let api = ApiCall {
            version: RAM,
            action,
            parameters: &[("UserName", "a b/ü")],
        };
        let reply = eventually_some("nginx is up", async || {
            let called = caller.call(&gateway, &alice, api, SystemClock.now());
            called.await.ok()
        })
        .await;
        assert_eq!(
            reply.text(&["RequestId"]),
            Some("handler"),
            "{}",
            reply.text
        );
    }
    let path = format!("{url}/policy/observed?observation_point=mirror");
    let report = eventually_some("both calls are observed", async || {
        let asked = caller.plain(Method::GET, &path, Some(&token), None);
        let reply = asked.await.unwrap();
        let calls = &reply.body["calls"];
        (calls["passed"] == 1 && calls["would_be_refused"] == 1).then_some(reply.body)
    })
    .await;
    assert_eq!(report["calls"]["failed"], 0, "{report:#}");
    let printed = akgate(&["policy", "observed", "--hours", "1"], &config);
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(
        printed.contains("1 calls passed, 1 would have been refused"),
        "{printed}"
    );
    assert!(printed.contains("RAM CreateUser"), "{printed}");

    // The handler is answered for as before when the watcher is gone.
    served.signal("TERM");
    assert_eq!(served.ended().await, Some(0));
    let api = ApiCall {
        version: RAM,
        action: "ListUsers",
        parameters: &[],
    };
    let reply = caller
        .call(&gateway, &alice, api, SystemClock.now())
        .await
        .unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text);
}

#[test]
fn observing_node_refuses_every_other_role() {
    let scratch = Scratch::new();
    let config = scratch.write("akgate.toml", "");
    for roles in ["gateway", "worker", "admin,public"] {
        let done = akgate(&["serve", "--observe", "--roles", roles], &config);
        assert_eq!(done.status.code(), Some(2), "{roles}: {done:?}");
    }
}
