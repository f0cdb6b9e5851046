//! `akgate serve` as a process: two nodes on one database, the database away, TLS, secrets from files, the end.

use std::{
    collections::BTreeMap,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use akgate::postgres::{Durability, PostgresOptions, PrivatePostgres};
use akgate_client::signer::{ApiCall, ApiReply, SigningClient, SigningCredentials};
use akgate_state::clock::{Clock, SystemClock};
use axum::{Router, extract::Request};
use http::Method;
use serde_json::json;
use tokio::{net::TcpListener, sync::Notify};

use crate::{
    addresses,
    database::TestDatabase,
    process::{Scratch, Served, akgate, kill, operator, operator_as, secrets},
    wait::{eventually, eventually_some},
};

const RAM: &str = "2015-05-01";

/// An upstream that needs no database: it says yes, and to a call that asks for `slow` not before it is notified.
pub async fn upstream() -> (String, Arc<Notify>) {
    let slow = Arc::new(Notify::new());
    let going = Arc::clone(&slow);
    let app = Router::new().fallback(move |request: Request| {
        let going = Arc::clone(&going);
        async move {
            assert!(request.headers().contains_key("x-akgate-identity"));
            let query = request.uri().query();
            if query.is_some_and(|query| query.contains("slow")) {
                going.notified().await;
            }
            axum::Json(json!({ "RequestId": "x", "Users": { "User": [] } }))
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (format!("http://{address}"), slow)
}

/// A configuration of every section, an upstream behind it, and a caller.
pub struct World {
    pub scratch: Scratch,
    pub config: std::path::PathBuf,
    pub caller: SigningClient,
    /// Lets the upstream answer a slow call.
    pub slow: Arc<Notify>,
}

impl World {
    pub async fn new(database_url: &str, extra: &str) -> Self {
        let scratch = Scratch::new();
        let key = hex::encode([9; 32]);
        let key = scratch.write("identity-key", &key);
        let (url, slow) = upstream().await;
        let letters = scratch.path().join("letters");
        let mut text = secrets(&scratch, database_url);
        for section in ["gateway", "public", "admin", "telemetry"] {
            text.push_str(&format!("[{section}]\nlisten = \"127.0.0.1:0\"\n"));
            if section == "public" {
                text.push_str("url = \"http://localhost:1\"\n");
            }
        }
        text.push_str(&format!(
            "[upstreams.ram]\nurl = {url:?}\nidentity_key_file = {key:?}\n\
             [mail]\ntransport = \"folder\"\nfolder = {letters:?}\nfrom = \"akgate <akgate@example.com>\"\n{extra}"
        ));
        let config = scratch.write("akgate.toml", &text);
        Self {
            scratch,
            config,
            caller: SigningClient::default(),
            slow,
        }
    }

    /// Imports keys by the command, and checks that doing it twice changes nothing.
    pub fn import(&self, names: &[&str]) {
        let lines: String = names
            .iter()
            .map(|name| {
                format!("5123456789012345,{name},LTAI5tFake{name},FakeSecretOf{name},owner@example.com\n")
            })
            .collect();
        let header = "account_id,user_name,access_key_id,access_key_secret,owner_email\n";
        let file = self.scratch.write("keys.csv", &format!("{header}{lines}"));
        for wanted in [
            format!("{} new, 0 changed, 0 unchanged, 0 rejected", names.len()),
            format!("0 new, 0 changed, {} unchanged, 0 rejected", names.len()),
        ] {
            let done = akgate(&["keys", "import", file.to_str().unwrap()], &self.config);
            assert!(done.status.success(), "{done:?}");
            assert_eq!(String::from_utf8(done.stdout).unwrap().trim(), wanted);
        }
    }

    pub async fn call(&self, gateway: &str, name: &str, action: &str) -> ApiReply {
        self.call_with(gateway, name, action, &[("UserName", "x")])
            .await
    }

    pub async fn call_with(
        &self,
        gateway: &str,
        name: &str,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> ApiReply {
        let key = SigningCredentials {
            access_key_id: format!("LTAI5tFake{name}"),
            access_key_secret: format!("FakeSecretOf{name}"),
            security_token: None,
        };
        let api = ApiCall {
            version: RAM,
            action,
            parameters,
        };
        let gateway = format!("http://{gateway}");
        let now = SystemClock.now();
        self.caller.call(&gateway, &key, api, now).await.unwrap()
    }

    /// Asks STS who calls.
    pub async fn call_sts(&self, gateway: &str, name: &str) -> ApiReply {
        let key = SigningCredentials {
            access_key_id: format!("LTAI5tFake{name}"),
            access_key_secret: format!("FakeSecretOf{name}"),
            security_token: None,
        };
        let api = ApiCall {
            version: "2015-04-01",
            action: "GetCallerIdentity",
            parameters: &[],
        };
        let now = SystemClock.now();
        let url = format!("http://{gateway}");
        self.caller.call(&url, &key, api, now).await.unwrap()
    }

    async fn post(
        &self,
        admin: &str,
        token: &str,
        path: &str,
        body: serde_json::Value,
    ) -> ApiReply {
        let url = format!("http://{admin}/admin/v1/{path}");
        self.caller
            .plain(Method::POST, &url, Some(token), Some(&body))
            .await
            .unwrap()
    }

    pub async fn report(&self, admin: &str, token: &str, name: &str) -> String {
        let body = json!({
            "access_key_id": format!("LTAI5tFake{name}"),
            "source": "test",
            "reference": uuid::Uuid::new_v4().to_string(),
        });
        let reply = self.post(admin, token, "leak-reports", body).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        reply.text(&["restriction_id"]).unwrap().to_owned()
    }

    pub async fn get(&self, address: &str, path: &str) -> ApiReply {
        let url = format!("http://{address}{path}");
        self.caller
            .plain(Method::GET, &url, None, None)
            .await
            .unwrap()
    }

    /// Asks until the answer is another one; gives how long that took.
    pub async fn until(&self, gateway: &str, name: &str, action: &str, wanted: &str) -> Duration {
        let began = Instant::now();
        let what = format!("{name} {action} is answered with {wanted}");
        eventually(&what, async || {
            let reply = self.call(gateway, name, action).await;
            let code = reply.text(&["Code"]).unwrap_or_default();
            format!("{} {code}", reply.status).trim() == wanted
        })
        .await;
        began.elapsed()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_enforce_each_others_changes_within_a_second_without_notifications() {
    let database = TestDatabase::new().await;
    database.leaves_letters("no node is a worker");
    let world = World::new(&database.url(), "[registry]\nnotify = false\n").await;
    let token = operator(&world.config, "tester");
    world.import(&["alice", "bob", "root"]);
    let (one, other) = (
        Served::start(&world.config, "gateway,admin", &[]),
        Served::start(&world.config, "gateway,admin", &[]),
    );
    let (here, there) = (one.address("gateway").await, other.address("gateway").await);
    let (admin, _) = (one.address("admin").await, other.address("admin").await);
    for gateway in [&here, &there] {
        for name in ["alice", "bob", "root"] {
            assert_eq!(world.call(gateway, name, "ListUsers").await.status, 200);
        }
    }
    let mut took = BTreeMap::new();

    let restriction = world.report(&admin, &token, "alice").await;
    let refused = world.call(&here, "alice", "CreateUser").await;
    assert_eq!(refused.status, 403, "before the answer on this node");
    let refused = world.call(&there, "alice", "CreateUser").await;
    assert_eq!(refused.status, 403, "a mutation there asks the database");

    let path = format!("restrictions/{restriction}:confirm");
    let reply = world
        .post(&admin, &token, &path, json!({ "ticket": "T-1" }))
        .await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let path = format!("restrictions/{restriction}:lift");
    let body = json!({ "resolution": "Rotated", "reason": "test", "accept_active_key": true });
    let reply = world.post(&admin, &token, &path, body).await;
    assert_eq!(reply.status, 202, "{}", reply.text);
    let approver = operator_as(&world.config, "second", "approver");
    let path = format!(
        "approvals/{}:approve",
        reply.text(&["approval_id"]).unwrap()
    );
    let reply = world.post(&admin, &approver, &path, json!({})).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    took.insert(
        "lift",
        world.until(&there, "alice", "CreateUser", "200").await,
    );

    let off = [
        ("UserName", "bob"),
        ("UserAccessKeyId", "LTAI5tFakebob"),
        ("Status", "Inactive"),
    ];
    let reply = world
        .call_with(&here, "root", "UpdateAccessKey", &off)
        .await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let inactive = "400 InvalidAccessKeyId.Inactive";
    took.insert(
        "disable",
        world.until(&there, "bob", "ListUsers", inactive).await,
    );

    // A read shows when the news of a restriction itself arrives: the strict profile refuses it.
    let url = format!("http://{admin}/admin/v1/accounts/5123456789012345/profile");
    let strict = json!({ "profile": "strict" });
    let reply = world
        .caller
        .plain(Method::PUT, &url, Some(&token), Some(&strict))
        .await
        .unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text);
    world.report(&admin, &token, "root").await;
    took.insert(
        "restrict",
        world
            .until(&there, "root", "ListUsers", "403 Forbidden")
            .await,
    );

    println!("enforced at the other node after: {took:?}");
    for (change, after) in took {
        assert!(after <= Duration::from_secs(1), "{change}: {after:?}");
    }
}

/// The processes of a server: the first and its children.
fn processes(postmaster: u32) -> Vec<u32> {
    let children = Command::new("pgrep")
        .args(["-P", &postmaster.to_string()])
        .output()
        .unwrap();
    let children = String::from_utf8(children.stdout).unwrap();
    std::iter::once(postmaster)
        .chain(children.lines().filter_map(|line| line.parse().ok()))
        .collect()
}

fn is_running(pid: u32) -> bool {
    // The state follows the name, which stands in brackets.
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap().starts_with(" Z"))
}

#[tokio::test(flavor = "multi_thread")]
async fn database_outage_leaves_only_reads_by_cached_keys() {
    let mut postgres = tokio::task::spawn_blocking(|| {
        PrivatePostgres::start(&PostgresOptions {
            data: None,
            tuning: Durability::Throwaway,
        })
        .unwrap()
    })
    .await
    .unwrap();
    let world = World::new(&postgres.url("postgres"), "").await;
    let token = operator(&world.config, "tester");
    world.import(&["clean", "leaked", "uncached"]);
    let node = Served::start(&world.config, "gateway,admin", &[]);
    let gateway = node.address("gateway").await;
    let (admin, telemetry) = (node.address("admin").await, node.address("telemetry").await);
    for name in ["clean", "leaked"] {
        assert_eq!(world.call(&gateway, name, "ListUsers").await.status, 200);
    }
    world.report(&admin, &token, "leaked").await;
    assert_eq!(world.get(&telemetry, "/readyz").await.status, 200);

    for how in ["STOP", "KILL"] {
        let server = processes(postgres.postmaster_pid());
        match how {
            "STOP" => server.iter().for_each(|pid| kill("STOP", *pid)),
            _ => {
                kill("KILL", postgres.postmaster_pid());
                // Its children notice a moment later, and still serve until then.
                eventually("PostgreSQL's processes end", async || {
                    !server.iter().any(|pid| is_running(*pid))
                })
                .await;
            }
        }
        for (name, action, status, code) in [
            ("leaked", "CreateUser", 403, "Forbidden"),
            ("leaked", "ListTagResources", 200, ""),
            ("clean", "ListUsers", 200, ""),
            ("clean", "CreateUser", 503, "ServiceUnavailable"),
            ("clean", "GetAppSecret", 503, "ServiceUnavailable"),
            ("clean", "NoSuchAction", 503, "ServiceUnavailable"),
            ("uncached", "ListUsers", 503, "ServiceUnavailable"),
            ("unknown", "ListUsers", 503, "ServiceUnavailable"),
        ] {
            let began = Instant::now();
            let reply = world.call(&gateway, name, action).await;
            let got = (reply.status, reply.text(&["Code"]).unwrap_or_default());
            assert_eq!(got, (status, code), "{how}: {name} {action}");
            println!(
                "{how}: {name} {action} {status} after {:?}",
                began.elapsed()
            );
        }
        // A sensitive read of a restricted key needs the lease, which has ended 2 seconds later.
        let unleased = "503 ServiceUnavailable";
        world.until(&gateway, "leaked", "ListUsers", unleased).await;
        let report = world.post(&admin, &token, "leak-reports", json!({})).await;
        assert_eq!(report.status, 503, "{}", report.text);
        assert_eq!(world.get(&telemetry, "/livez").await.status, 200);
        let ready = world.get(&telemetry, "/readyz?verbose").await;
        assert_eq!(ready.status, 503);
        assert!(ready.text.contains("[-] database failed"), "{}", ready.text);

        match how {
            "STOP" => server.iter().for_each(|pid| kill("CONT", *pid)),
            _ => {
                postgres = tokio::task::spawn_blocking(move || {
                    postgres.restart().unwrap();
                    postgres
                })
                .await
                .unwrap();
            }
        }
        let back = world.until(&gateway, "clean", "CreateUser", "200").await;
        println!("{how}: mutations again {back:?} after the database is back");
        let refused = world.call(&gateway, "leaked", "CreateUser").await;
        assert_eq!(refused.status, 403);
    }
    // With its lease, which it takes within half a second.
    let began = Instant::now();
    eventually("the node is ready", async || {
        world.get(&telemetry, "/readyz").await.status == 200
    })
    .await;
    assert!(began.elapsed() < Duration::from_secs(2), "{}", node.log());
    tokio::task::spawn_blocking(move || postgres.stop())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn request_in_flight_is_answered_and_recorded_on_sigterm() {
    let database = TestDatabase::new().await;
    let world = Arc::new(World::new(&database.url(), "").await);
    world.import(&["alice"]);
    let mut node = Served::start(&world.config, "gateway,public,admin,worker", &[]);
    let gateway = node.address("gateway").await;
    let slow = {
        let (world, gateway) = (Arc::clone(&world), gateway.clone());
        tokio::spawn(async move {
            world
                .call_with(&gateway, "alice", "CreateUser", &[("UserName", "slow")])
                .await
        })
    };
    let seen = "SELECT EXISTS (SELECT 1 FROM intents)";
    eventually("the call has its intent", async || {
        let seen = sqlx::query_scalar(seen).fetch_one(database.pool());
        seen.await.unwrap()
    })
    .await;
    node.signal("TERM");
    node.logs("stopping: waiting for requests in progress")
        .await;
    world.slow.notify_one();
    let reply = slow.await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(node.ended().await, Some(0), "{}", node.log());
    let outcome: String = sqlx::query_scalar("SELECT outcome FROM intents")
        .fetch_one(database.pool())
        .await
        .unwrap();
    assert_eq!(outcome, "Succeeded");
}

/// Sends bytes and reads the answer to its end, or until the server has been silent for 3 seconds.
async fn raw(address: &str, bytes: &[u8]) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let mut some = [0; 4096];
    while let Ok(Ok(read)) =
        tokio::time::timeout(Duration::from_secs(3), stream.read(&mut some)).await
    {
        if read == 0 {
            answer.extend_from_slice(b"[closed]");
            break;
        }
        answer.extend_from_slice(&some[..read]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_gets_a_clear_error_and_upstream_answers_pass_unchanged() {
    let database = TestDatabase::new().await;
    let key = hex::encode([9; 32]);
    let closed = addresses::refusing();
    let teapot = Router::new().fallback(|| async {
        (
            http::StatusCode::IM_A_TEAPOT,
            [("x-own", "kept"), ("content-type", "text/odd")],
            &b"\xff\x00 as it is"[..],
        )
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let teapot_url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, teapot).await });
    let extra = format!(
        "[upstreams.ims]\nurl = \"http://{closed}\"\nidentity_key = \"{key}\"\n\
         [upstreams.sts]\nurl = \"{teapot_url}\"\ncredentials = \"keep\"\n"
    );
    let world = World::new(&database.url(), &extra).await;
    world.import(&["alice"]);
    let env = [
        ("AKGATE_GATEWAY_HEAD_TIMEOUT_SECONDS", "1"),
        ("AKGATE_GATEWAY_IDLE_TIMEOUT_SECONDS", "1"),
        ("AKGATE_GATEWAY_BODY_TIMEOUT_SECONDS", "1"),
    ];
    let node = Served::start(&world.config, "gateway", &env);
    let gateway = node.address("gateway").await;

    let many: String = (0..10_000).map(|n| format!("&p{n}=1")).collect();
    let long = "x".repeat(64_900);
    let broken = "{\"Action\":";
    for (request, said) in [
        ("SPEAK FRIEND\r\n\r\n".to_owned(), "HTTP/1.1 400"),
        (
            format!(
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\nAction=A{many}",
                many.len() + 8
            ),
            "it has more than 2000 parameters",
        ),
        (
            format!("GET /?Action={long} HTTP/1.1\r\nHost: a\r\n\r\n"),
            "MissingVersion",
        ),
        (
            "GET /?Action=%ff HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            "InvalidParameter",
        ),
        (
            "GET /?Action=%2 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            "InvalidParameter",
        ),
        (
            format!(
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{broken}",
                broken.len()
            ),
            "InvalidParameter",
        ),
        (
            "BREW / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            "UnsupportedHTTPMethod",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            "MissingAction",
        ),
    ] {
        let answer = raw(&gateway, request.as_bytes()).await;
        let shown: String = request.chars().take(40).collect();
        assert!(answer.contains(said), "{shown}: {answer}");
        if said != "HTTP/1.1 400" {
            assert!(answer.contains("\"RequestId\":\""), "{shown}: {answer}");
        }
    }
    // Who says nothing, or stops in the middle of a head, is not waited for.
    assert_eq!(raw(&gateway, b"").await, "[closed]");
    assert!(
        raw(&gateway, b"GET / HTTP/1.1\r\nHo")
            .await
            .ends_with("[closed]")
    );

    let slow = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nAct";
    let answer = raw(&gateway, slow).await;
    assert!(
        answer.contains("its body did not arrive in time") && answer.ends_with("[closed]"),
        "{answer}"
    );

    let credentials = SigningCredentials {
        access_key_id: "LTAI5tFakealice".into(),
        access_key_secret: "FakeSecretOfalice".into(),
        security_token: None,
    };
    let url = format!("http://{gateway}");
    let call = async |version, action| {
        let api = ApiCall {
            version,
            action,
            parameters: &[],
        };
        let now = SystemClock.now();
        world
            .caller
            .call(&url, &credentials, api, now)
            .await
            .unwrap()
    };
    let down = call("2019-08-15", "ListUsers").await;
    assert_eq!(
        down.summary().split(':').next(),
        Some("503 ServiceUnavailable")
    );
    let unserved = call("2020-03-31", "ListAccounts").await;
    assert_eq!(unserved.text(&["Code"]), Some("InvalidVersion"));
    let odd = call("2015-04-01", "GetCallerIdentity").await;
    assert_eq!(odd.status, 418);
    assert_eq!(odd.text, String::from_utf8_lossy(b"\xff\x00 as it is"));
}

#[tokio::test(flavor = "multi_thread")]
async fn upstream_that_keeps_the_credentials_verifies_the_signature_itself() {
    let database = TestDatabase::new().await;
    let inner = World::new(&database.url(), "").await;
    inner.import(&["alice"]);
    let behind = Served::start(&inner.config, "gateway", &[]);
    let url = format!("http://{}", behind.address("gateway").await);
    // A gateway behind a gateway: what the outer one prints must hold for the inner one's verification.
    let env = [
        ("AKGATE_UPSTREAMS_RAM_URL", url.as_str()),
        ("AKGATE_UPSTREAMS_RAM_CREDENTIALS", "keep"),
    ];
    let front = Served::start(&inner.config, "gateway", &env);
    let gateway = front.address("gateway").await;
    let reply = inner
        .call_with(&gateway, "alice", "ListUsers", &[("Marker", "a b+c/张")])
        .await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    behind.logs("\"action\":\"ListUsers\"").await;
}

#[test]
fn wrong_configuration_is_reported_with_line_and_caret() {
    let scratch = Scratch::new();
    let check = |text: &str| {
        let file = scratch.write("akgate.toml", text);
        let output = akgate(&["config", "check", "--roles", "admin"], &file);
        assert_eq!(output.status.code(), Some(2), "{text}");
        String::from_utf8(output.stderr)
            .unwrap()
            .replace(scratch.path().to_str().unwrap(), "")
    };
    let good = secrets(&scratch, "postgresql://localhost/akgate");
    let told = [
        check(&format!("{good}[admin]\nlisen = \"127.0.0.1:1\"\n")),
        check(&format!("{good}[admin]\nlisten = \"localhost\"\n")),
        check(&format!("{good}[policy]\nmode = \"loud\"\n")),
        check(&format!("{good}[registry]\npoll_milliseconds = 5000\n")),
        check(&format!("{good}[admin]\ntls_cert = \"cert.pem\"\n")),
        check("[directory]\nkey_ring_file = \"/does/not/exist\"\n"),
        check("[database]\nurl_file = \"/does/not/exist\"\n"),
        check(&good.replace("key-ring", "database-url")),
    ];
    insta::assert_snapshot!(told.join("---\n"));
}

#[test]
fn operator_sign_in_settings_that_cannot_work_are_refused() {
    let scratch = Scratch::new();
    let good = secrets(&scratch, "postgresql://localhost/akgate");
    let oidc = |more: &str| {
        format!("[admin.oidc]\nissuer = \"https://login.example\"\nclient_id = \"akgate\"\n{more}")
    };
    for (text, said) in [
        (
            "[admin]\nclient_ca = \"ca.pem\"\n".to_owned(),
            "client certificates need TLS: set admin.tls_cert",
        ),
        (
            "[admin]\nclient_crl = \"crl.pem\"\n".to_owned(),
            "also set admin.client_ca",
        ),
        (
            "[admin.oidc]\nissuer = \"http://login.example\"\nclient_id = \"akgate\"\n".to_owned(),
            "this server decides who an operator is",
        ),
        (
            "[admin.oidc]\nissuer = \"https://login.example\"\n".to_owned(),
            "`admin.oidc.client_id` is missing",
        ),
        (
            "[admin.oidc]\nclient_id = \"akgate\"\n".to_owned(),
            "`admin.oidc.issuer` is missing",
        ),
        (oidc("scopes = [\"email\"]\n"), "must include \"openid\""),
        (oidc("token_hours = 25\n"), "must be 1 to 24"),
        (
            oidc("client_secret_file = \"/does/not/exist\"\n"),
            "No such file",
        ),
        (oidc(""), ""),
    ] {
        let file = scratch.write("akgate.toml", &format!("{good}{text}"));
        let output = akgate(&["config", "check", "--roles", "admin"], &file);
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(err.contains(said), "{text}: {err}");
        assert_eq!(output.status.success(), said.is_empty(), "{text}: {err}");
    }
}

#[test]
fn source_without_its_contract_is_refused() {
    let scratch = Scratch::new();
    let good = secrets(&scratch, "postgresql://localhost/akgate")
        + "[public]\nurl = \"https://akgate.example\"\n";
    for (text, said) in [
        (
            "[[sources.signed]]\nname = \"github\"\npreset = \"github\"\n",
            "",
        ),
        (
            "[[sources.signed]]\nname = \"gitlab\"\npreset = \"gitlab\"\n",
            "\"gitlab\": `keys_url` must be \"https://…\"",
        ),
        (
            "[[sources.signed]]\nname = \"x\"\nkeys_url = \"https://x.example\"\n",
            "\"x\": `id_header` must be the name of a header; or set `preset`",
        ),
        (
            "[[sources.signed]]\nname = \"x\"\npreset = \"github\"\nkeys_url = \"http://x.example\"\n",
            "its keys sign leak reports",
        ),
        (
            "[[sources.signed]]\nname = \"a/b\"\npreset = \"github\"\n",
            "the name \"a/b\" must be 1 to 64 letters",
        ),
        (
            "[[sources.signed]]\nname = \"x\"\npreset = \"github\"\n[[sources.revocation]]\nname = \"x\"\n",
            "the name \"x\" is used twice",
        ),
        (
            "[[sources.revocation]]\nname = \"x\"\n",
            "\"x\": set `token`, or `token_file`",
        ),
        (
            "[[sources.revocation]]\nname = \"x\"\ntoken = \"short\"\n",
            "at least 20 characters",
        ),
        (
            "[[sources.signed]]\nname = \"public\"\npreset = \"github\"\n",
            "reserved for reports at POST /report",
        ),
        (
            "[sources]\nbody_budget_bytes = 1\n",
            "must be at least sources.body_limit_bytes",
        ),
    ] {
        let file = scratch.write("akgate.toml", &format!("{good}{text}"));
        let output = akgate(&["config", "check", "--roles", "public"], &file);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.success(), said.is_empty(), "{text}{told}");
        assert!(told.contains(said), "{text}{told}");
    }
}

#[test]
fn hook_without_its_settings_is_refused() {
    let scratch = Scratch::new();
    let good = secrets(&scratch, "postgresql://localhost/akgate")
        + "[public]\nurl = \"https://akgate.example\"\n\
           [mail]\nhost = \"mail.example\"\nfrom = \"akgate@example.com\"\n";
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let two = scratch.write("two", &format!("{secret}\n{secret}\n"));
    for (text, said) in [
        (
            format!("name = \"a\"\nurl = \"https://x.example\"\nsecrets = [\"{secret}\"]"),
            "",
        ),
        (
            format!("name = \"a\"\nurl = \"https://x.example\"\nsecrets_file = {two:?}"),
            "",
        ),
        (
            "name = \"a\"\nurl = \"https://x.example\"\nformat = \"slack\"".into(),
            "",
        ),
        (
            "name = \"a\"\nurl = \"https://x.example\"".into(),
            "`secrets` must hold one secret",
        ),
        (
            format!("name = \"a\"\nurl = \"http://x.example\"\nsecrets = [\"{secret}\"]"),
            "`url` must be \"https://",
        ),
        (
            "name = \"a\"\nurl = \"https://x.example\"\nsecrets = [\"guess\"]".into(),
            "whsec_ and 24 to 64",
        ),
        (
            "name = \"a\"\nurl = \"https://x.example\"\nformat = \"slack\"\nsecrets = [\"x\"]"
                .into(),
            "omit `secrets`",
        ),
        (
            "name = \"a\"\nformat = \"slack\"".into(),
            "events.hooks.url",
        ),
        (
            "name = \"a b\"\nurl = \"https://x.example\"\nformat = \"slack\"".into(),
            "the name \"a b\"",
        ),
        (
            "name = \"a\"\nurl = \"https://x.example\"\nformat = \"slack\"\nkinds = []".into(),
            "`kinds` is empty",
        ),
        (
            "name = \"a\"\nurl = \"https://x.example\"\nformat = \"slack\"\nkinds = [\"leaked\"]"
                .into(),
            "leaked",
        ),
    ] {
        let file = scratch.write("akgate.toml", &format!("{good}[[events.hooks]]\n{text}\n"));
        let output = akgate(&["config", "check", "--roles", "worker"], &file);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.success(), said.is_empty(), "{text}{told}");
        assert!(told.contains(said), "{text}: {told}");
        assert!(!told.contains("guess"), "{told}");
    }
}

#[test]
fn configuration_template_matches_the_committed_file() {
    let template = akgate::config::render_template();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/config/akgate.toml");
    assert_eq!(
        std::fs::read_to_string(file).unwrap(),
        template,
        "run: akgate config template > config/akgate.toml"
    );
}

/// A certificate for 127.0.0.1 with a serial number of its own, and its key, as PEM.
fn certificate(serial: u64) -> (String, String) {
    let mut params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.serial_number = Some(rcgen::SerialNumber::from(serial));
    let key = rcgen::KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// Connects with TLS, trusting exactly this certificate, and asks for the health of the caller's patience.
async fn https(address: &str, pem: &str) -> Result<u16, String> {
    use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = tokio::net::TcpStream::connect(address)
        .await
        .map_err(|fault| fault.to_string())?;
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let stream = connector
        .connect(name, stream)
        .await
        .map_err(|fault| fault.to_string())?;
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io)
        .await
        .map_err(|fault| fault.to_string())?;
    tokio::spawn(connection);
    let request = http::Request::get("/")
        .header("host", "127.0.0.1")
        .body(http_body_util::Empty::<bytes::Bytes>::new())
        .unwrap();
    let answer = sender
        .send_request(request)
        .await
        .map_err(|fault| fault.to_string())?;
    Ok(answer.status().as_u16())
}

#[tokio::test(flavor = "multi_thread")]
async fn certificate_is_swapped_under_load_and_a_broken_one_is_ignored() {
    let database = TestDatabase::new().await;
    let (first, first_key) = certificate(1);
    let (second, second_key) = certificate(2);
    let world = World::new(&database.url(), "").await;
    let (cert, key) = (
        world.scratch.write("cert.pem", &first),
        world.scratch.write("key.pem", &first_key),
    );
    let env = [
        ("AKGATE_GATEWAY_TLS_CERT", cert.to_str().unwrap()),
        ("AKGATE_GATEWAY_TLS_KEY", key.to_str().unwrap()),
    ];
    let node = Served::start(&world.config, "gateway", &env);
    let gateway = node.address("gateway").await;
    // Not signed: the envelope of a request without an Action.
    assert_eq!(https(&gateway, &first).await, Ok(400));
    assert!(https(&gateway, &second).await.is_err());

    let (stop, stopped) = tokio::sync::watch::channel(false);
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (gateway, stopped) = (gateway.clone(), stopped.clone());
            let (first, second) = (first.clone(), second.clone());
            tokio::spawn(async move {
                let mut answered = 0;
                while !*stopped.borrow() {
                    let one = https(&gateway, &first).await;
                    let other = https(&gateway, &second).await;
                    // One of the two is always good, whichever is served.
                    assert!(one.is_ok() || other.is_ok(), "{one:?} {other:?}");
                    answered += 1;
                }
                answered
            })
        })
        .collect();
    world.scratch.write("key.pem", &second_key);
    world.scratch.write("cert.pem", &second);
    eventually("the new certificate is served", async || {
        https(&gateway, &second).await.is_ok()
    })
    .await;
    world.scratch.write("cert.pem", "no certificate");
    node.logs("cannot use a new certificate").await;
    assert_eq!(https(&gateway, &second).await, Ok(400));
    stop.send(true).unwrap();
    let mut answered = 0;
    for one in load {
        answered += one.await.unwrap();
    }
    println!("answered while the certificate was swapped: {answered}");
    assert!(answered > 0);
}

/// A real mail server that demands STARTTLS and a login. Needs the Python of `./dev test`
/// (`AKGATE_INTEROP_PYTHON`); a plain `cargo test` has none.
#[tokio::test(flavor = "multi_thread")]
async fn letter_is_sent_over_starttls_with_a_login_from_a_file() {
    use std::io::{BufRead, BufReader};
    let Ok(python) = std::env::var("AKGATE_INTEROP_PYTHON") else {
        println!("left out: run it by ./dev test, which installs a mail server");
        return;
    };
    let database = TestDatabase::new().await;
    let scratch = Scratch::new();
    let ca = scratch.path().join("ca.pem");
    let server = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/smtp_server.py");
    let mut mail = Command::new(python)
        .arg(server)
        .arg(&ca)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(mail.stdout.take().unwrap()).lines();
    let port = tokio::task::block_in_place(|| lines.next().unwrap().unwrap());
    let world = World::new(&database.url(), "").await;
    let password = scratch.write("password", "FakeMailPassword\n");
    world.import(&["alice"]);
    let token = operator(&world.config, "tester");
    let env = [
        ("AKGATE_MAIL_TRANSPORT", "smtp"),
        ("AKGATE_MAIL_HOST", "localhost"),
        ("AKGATE_MAIL_PORT", port.as_str()),
        ("AKGATE_MAIL_USERNAME", "akgate"),
        ("AKGATE_MAIL_PASSWORD_FILE", password.to_str().unwrap()),
        ("AKGATE_MAIL_CA", ca.to_str().unwrap()),
    ];
    let node = Served::start(&world.config, "admin,worker", &env);
    let admin = node.address("admin").await;
    world.report(&admin, &token, "alice").await;
    let told = tokio::task::block_in_place(|| lines.next().unwrap().unwrap());
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["tls"], true);
    assert_eq!(told["login"], "akgate");
    assert_eq!(told["to"], json!(["owner@example.com"]));
    let content = told["content"].as_str().unwrap();
    assert!(content.contains("Auto-Submitted: auto-generated"));
    assert!(!content.contains("FakeSecretOfalice"));
    let sent = "SELECT EXISTS (SELECT 1 FROM letters WHERE state = 'Sent')";
    eventually("the letter is sent", async || {
        let sent = sqlx::query_scalar(sent).fetch_one(database.pool());
        sent.await.unwrap()
    })
    .await;
    // Not before: a server that goes between the letter and its 250 gets the letter again.
    mail.kill().unwrap();
    mail.wait().unwrap();
}

/// A report that is careless with the secret that it is about, in its URL, its reference and its source: nothing of it is
/// in any letter, page, answer or line of the log.
#[tokio::test(flavor = "multi_thread")]
async fn leaked_secret_appears_in_no_letter_page_answer_or_log() {
    const SECRET: &str = "FakeSecretOfalice";
    let database = TestDatabase::new().await;
    database.leaves_letters("the second report is told of an hour later");
    let world = World::new(&database.url(), "").await;
    world.import(&["alice"]);
    let token = operator(&world.config, "tester");
    let node = Served::start(&world.config, "gateway,public,admin,worker", &[]);
    let mut addresses = Vec::new();
    for section in ["gateway", "public", "admin"] {
        addresses.push(node.address(section).await);
    }
    let [gateway, public, admin] = addresses.as_slice() else {
        unreachable!()
    };
    let mut said = Vec::new();
    for (n, with_secret) in [true, false].into_iter().enumerate() {
        let body = json!({
            "access_key_id": "LTAI5tFakealice",
            "access_key_secret": with_secret.then_some(SECRET),
            "source": "scan of SecretOfalice",
            "reference": format!("{n} FakeSecretOf"),
            "url": format!("https://h.example/{SECRET}/a/eSecretOfal?q={SECRET}#{SECRET}"),
        });
        let reply = world.post(admin, &token, "leak-reports", body).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        said.push(reply.text);
    }
    let marker = [("UserName", SECRET), ("Marker", SECRET)];
    let refused = world
        .call_with(gateway, "alice", "CreateUser", &marker)
        .await;
    assert_eq!(refused.status, 403);
    said.push(refused.text);
    let read = world
        .call_with(gateway, "alice", "ListUsers", &marker)
        .await;
    assert_eq!(read.status, 200);

    let letters = world.scratch.path().join("letters");
    let letter = eventually_some("a letter is in the folder", async || {
        std::fs::read_dir(&letters)
            .ok()?
            .map(|entry| entry.unwrap().path())
            .find(|path| path.extension().is_some_and(|ending| ending == "eml"))
    });
    let letter = std::fs::read(letter.await).unwrap();
    let letter = mail_parser::MessageParser::default()
        .parse(&letter)
        .unwrap();
    let text = letter.body_text(0).unwrap().into_owned();
    let link = text
        .split_whitespace()
        .find(|word| word.contains("/confirm/"));
    let path = link
        .unwrap()
        .strip_prefix("http://localhost:1")
        .unwrap()
        .to_owned();
    said.push(letter.body_html(0).unwrap().into_owned());
    said.push(letter.subject().unwrap().to_owned());
    said.push(text);
    let page = world.get(public, &path).await;
    assert_eq!(page.status, 200);
    assert!(
        page.text.contains("h[.]example") && page.text.contains("******"),
        "{}",
        page.text
    );
    said.push(page.text);
    for path in [
        "restrictions",
        "letters",
        "tasks?open=false",
        "policy/observed",
    ] {
        let url = format!("http://{admin}/admin/v1/{path}");
        let reply = world
            .caller
            .plain(Method::GET, &url, Some(&token), None)
            .await
            .unwrap();
        assert_eq!(reply.status, 200, "{path}: {}", reply.text);
        said.push(reply.text);
    }
    let confirmed = world
        .caller
        .submit_form(&format!("http://{public}{path}"), "done=Rotated")
        .await
        .unwrap();
    assert_eq!(confirmed.status, 200);
    said.push(confirmed.text);
    said.push(node.log());
    for text in &said {
        for window in SECRET.as_bytes().windows(8) {
            let window = std::str::from_utf8(window).unwrap();
            assert!(!text.contains(window), "{window}: {text}");
        }
    }
}
