//! Events to other programs: one for each deed, committed with it, signed, sent at least once, and given up at last.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
};

use akgate_hooks::{
    ChatTemplates, DingTalk, Hook, HookFormat, Slack, StandardWebhook, WebhookSecret,
    worker::HookWorker,
};
use akgate_state::{
    audit::Actor,
    directory::contacts::Language,
    leaks::record::{Delivery, LeakReport, ReportGrounds, SuspicionPolicy, record_reports},
    outbox::events::EventKind,
};
use axum::{Router, body::Bytes, extract::State, http::Uri};
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;
use time::Duration;
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use crate::{
    desk::Desk,
    harness::{id, ring},
};

const KEY: &str = "LTAI5tFakeAlice";

/// Two secrets: one takes the other's place.
const SECRETS: [[u8; 32]; 2] = [[7; 32], [8; 32]];

/// What a hook was sent.
#[derive(Clone)]
struct Got {
    uri: Uri,
    headers: HeaderMap,
    body: Value,
    bytes: Bytes,
}

/// A program that is told of events, and answers as it is set.
#[derive(Clone)]
struct Receiver {
    url: String,
    got: Arc<Mutex<Vec<Got>>>,
    status: Arc<AtomicU16>,
    answer: Arc<Mutex<String>>,
}

impl Receiver {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            url: format!("http://{}/hook?key=fake", listener.local_addr().unwrap()),
            got: Arc::default(),
            status: Arc::new(AtomicU16::new(200)),
            answer: Arc::new(Mutex::new("ok".to_owned())),
        };
        let router = Router::new()
            .fallback(
                async |State(receiver): State<Self>, uri: Uri, headers: HeaderMap, bytes: Bytes| {
                    receiver.got.lock().unwrap().push(Got {
                        uri,
                        headers,
                        body: serde_json::from_slice(&bytes).unwrap(),
                        bytes,
                    });
                    let status = receiver.status.load(Ordering::SeqCst);
                    let answer = receiver.answer.lock().unwrap().clone();
                    (StatusCode::from_u16(status).unwrap(), answer)
                },
            )
            .with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    fn got(&self) -> Vec<Got> {
        std::mem::take(&mut *self.got.lock().unwrap())
    }

    fn hook(&self, name: &str, kinds: &[EventKind], manner: HookFormat) -> Arc<Hook> {
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(
            rustls::crypto::aws_lc_rs::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
        let url = self.url.parse().unwrap();
        Arc::new(Hook::new(name.into(), kinds.to_vec(), manner, url, tls))
    }
}

fn webhook() -> HookFormat {
    let secret = |bytes: [u8; 32]| {
        let text = format!("whsec_{}", BASE64_STANDARD.encode(bytes));
        WebhookSecret::parse(&text).unwrap()
    };
    HookFormat::Webhook(StandardWebhook {
        secrets: SECRETS.map(secret).into(),
        source: "https://akgate.example".into(),
    })
}

/// The signature that a receiver reckons by itself.
fn signature(secret: [u8; 32], got: &Got) -> String {
    let header = |name: &str| got.headers[name].to_str().unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
    let signed = format!("{}.{}.", header("webhook-id"), header("webhook-timestamp"));
    mac.update(signed.as_bytes());
    mac.update(&got.bytes);
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

fn worker(desk: &Desk, hooks: Vec<Arc<Hook>>) -> Arc<HookWorker> {
    Arc::new(desk.node.node.hooks(hooks))
}

/// Sends until nothing is due.
async fn send(worker: &Arc<HookWorker>) {
    while worker.round().await.unwrap() > 0 {}
}

fn types(got: &[Got]) -> Vec<String> {
    let types = got.iter().map(|one| one.body["type"].as_str().unwrap());
    let mut types: Vec<String> = types.map(str::to_owned).collect();
    types.sort();
    types
}

#[tokio::test]
async fn event_is_delivered_once_and_signed_with_both_secrets() {
    let desk = Desk::new().await;
    desk.node.key(KEY, Some("alice")).await;
    // What was done before anybody listened is nobody's event.
    desk.node.key("LTAI5tFakeEarly", Some("early")).await;
    desk.report("LTAI5tFakeEarly", "early").await;
    let receiver = Receiver::new().await;
    let worker = worker(
        &desk,
        vec![receiver.hook("siem", &EventKind::ALL, webhook())],
    );
    worker.register().await.unwrap();

    let (_, restriction) = desk.report(KEY, "r-1").await;
    // Seen again: nothing happens to the restriction.
    desk.report(KEY, "r-2").await;
    let confirm = format!("restrictions/{restriction}:confirm");
    desk.post(&confirm, json!({ "ticket": "T-1" })).await;
    // A lift that is refused is none.
    let lift = format!("restrictions/{restriction}:lift");
    let how = json!({ "resolution": "Rotated", "reason": "rotated" });
    assert_eq!(desk.post(&lift, how.clone()).await.0, 409);
    sqlx::query("UPDATE access_keys SET status = 'Inactive' WHERE access_key_id = $1")
        .bind(KEY)
        .execute(&desk.node.pool)
        .await
        .unwrap();
    let (status, _, lifted) = desk
        .ask(&desk.approver, Method::POST, &lift, Some(how))
        .await;
    assert_eq!(status, 200, "{lifted}");
    // An id alone: of a key that is known, and of one that nobody knows.
    desk.node.key("LTAI5tFakeBob", Some("bob")).await;
    for key in ["LTAI5tFakeBob", "LTAI5tFakeNobody"] {
        let report = LeakReport {
            access_key_id: Some(id(key)),
            reference: Some(key.to_owned()),
            ..LeakReport::default()
        };
        let actor = Actor::Source("scan".into());
        let delivery = Delivery {
            source: "scan",
            actor: &actor,
            grounds: ReportGrounds::Proof,
            suspicions: SuspicionPolicy::default(),
            descendants: akgate_rules::lineage::DescendantPolicy::default(),
            ledger: None,
        };
        record_reports(
            &desk.node.pool,
            &ring(),
            &delivery,
            &[report],
            crate::harness::NOW,
        )
        .await
        .unwrap();
    }

    send(&worker).await;
    let got = receiver.got();
    assert_eq!(
        types(&got),
        [
            "akgate.key.suspected",
            "akgate.restriction.confirmed",
            "akgate.restriction.imposed",
            "akgate.restriction.lifted",
        ]
    );
    let ids: HashSet<&str> = got
        .iter()
        .map(|one| one.body["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), got.len());
    for one in &got {
        assert_eq!(one.headers["content-type"], "application/cloudevents+json");
        assert_eq!(one.headers["webhook-id"].to_str().unwrap(), one.body["id"]);
        let signatures = one.headers["webhook-signature"].to_str().unwrap();
        let expected = SECRETS.map(|secret| signature(secret, one)).join(" ");
        assert_eq!(signatures, expected);
        assert_eq!(one.body["specversion"], "1.0");
        assert_eq!(one.body["source"], "https://akgate.example");
        assert_eq!(one.body["time"], "2026-11-26T12:00:00Z");
        let text = one.body.to_string();
        assert!(
            !text.contains("FakeLeakedSecret") && !text.contains("FakeSecret"),
            "{text}"
        );
    }
    let of = |kind: &str| got.iter().find(|one| one.body["type"] == kind).unwrap();
    let lifted = &of("akgate.restriction.lifted").body;
    assert_eq!(lifted["subject"], format!("restrictions/{restriction}"));
    assert_eq!(lifted["data"]["access_key_id"], KEY);
    assert_eq!(lifted["data"]["user_name"], "alice");
    assert_eq!(lifted["data"]["actor"], "operator:anna");
    assert_eq!(lifted["data"]["detail"]["resolution"], "Rotated");
    assert_eq!(
        of("akgate.key.suspected").body["subject"],
        "keys/LTAI5tFakeBob"
    );

    // Nobody listens any more.
    self::worker(&desk, Vec::new()).register().await.unwrap();
    desk.report("LTAI5tFakeBob", "r-3").await;
    let events = desk.get("events").await;
    assert_eq!(events["events"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn unreachable_hook_is_retried_blocks_no_other_and_fails_at_last() {
    let desk = Desk::new().await;
    desk.node.key(KEY, Some("alice")).await;
    let (siem, room) = (Receiver::new().await, Receiver::new().await);
    let worker = worker(
        &desk,
        vec![
            siem.hook("siem", &EventKind::ALL, webhook()),
            room.hook("other", &[EventKind::Imposed], webhook()),
        ],
    );
    worker.register().await.unwrap();
    siem.answers(503);
    let (_, restriction) = desk.report(KEY, "r-1").await;
    let confirm = format!("restrictions/{restriction}:confirm");
    desk.post(&confirm, json!({ "ticket": "T-1" })).await;
    send(&worker).await;
    assert_eq!(types(&room.got()), ["akgate.restriction.imposed"]);
    let first = siem.got();
    assert_eq!(first.len(), 2);
    let due = desk.get("events?hook=siem&state=Due").await;
    assert_eq!(due["events"][0]["last_error"], "status 503: ok");

    // Not before its time, and then as the same event.
    send(&worker).await;
    assert_eq!(siem.got().len(), 0);
    desk.node.clock.advance(Duration::seconds(34));
    siem.answers(204);
    send(&worker).await;
    let again = siem.got();
    assert_eq!(types(&again), types(&first));
    for one in &again {
        let before = first.iter().find(|other| other.bytes == one.bytes).unwrap();
        assert_eq!(one.headers["webhook-id"], before.headers["webhook-id"]);
        assert_ne!(
            one.headers["webhook-timestamp"],
            before.headers["webhook-timestamp"]
        );
    }

    // One that is gone is given up at once; one that never answers after three days and ten attempts.
    siem.answers(410);
    desk.node.key("LTAI5tFakeBob", Some("bob")).await;
    desk.report("LTAI5tFakeBob", "r-2").await;
    send(&worker).await;
    let failed = desk.get("events?state=Failed").await;
    assert_eq!(failed["events"].as_array().unwrap().len(), 1);
    siem.answers(500);
    let retried = desk.post("hooks/siem:retry", json!({})).await;
    assert_eq!(retried, (200, json!({ "events": 1 })));
    assert_eq!(
        desk.post("hooks/nobody:retry", json!({})).await.1,
        json!({ "events": 0 })
    );
    siem.got();
    for _ in 0..100 {
        send(&worker).await;
        desk.node.clock.advance(Duration::hours(2));
    }
    let tries = siem.got().len();
    assert!((30..=60).contains(&tries), "{tries}");
    let failed = desk.get("events?state=Failed").await;
    assert_eq!(failed["events"][0]["last_error"], "status 500: ok");
    let actions: i64 =
        sqlx::query_scalar("SELECT count(*) FROM audit_records WHERE action = 'RetryHook'")
            .fetch_one(&desk.node.pool)
            .await
            .unwrap();
    assert_eq!(actions, 1);
}

#[tokio::test]
async fn chat_hooks_get_their_own_format_and_dingtalk_refuses_with_200() {
    let desk = Desk::new().await;
    desk.node.key(KEY, Some("alice")).await;
    let (ding, slack) = (Receiver::new().await, Receiver::new().await);
    let templates = ChatTemplates::built_in().unwrap();
    let robot = HookFormat::DingTalk(DingTalk {
        templates: templates.clone(),
        language: Language::Chinese,
        secret: Some(Zeroizing::new("SECfake".into())),
    });
    let channel = HookFormat::Slack(Slack {
        templates,
        language: Language::English,
    });
    let worker = worker(
        &desk,
        vec![
            ding.hook("group", &[EventKind::Imposed], robot),
            slack.hook("channel", &[EventKind::Imposed], channel),
        ],
    );
    worker.register().await.unwrap();
    let too_fast = r#"{"errcode":130101,"errmsg":"send too fast"}"#;
    too_fast.clone_into(&mut ding.answer.lock().unwrap());
    let (_, restriction) = desk.report(KEY, "r-1").await;
    send(&worker).await;
    let due = desk.get("events?hook=group").await;
    assert_eq!(due["events"][0]["state"], "Due");
    assert_eq!(
        due["events"][0]["last_error"],
        "errcode 130101: send too fast"
    );
    r#"{"errcode":0,"errmsg":"ok"}"#.clone_into(&mut ding.answer.lock().unwrap());
    desk.node.clock.advance(Duration::minutes(1));
    send(&worker).await;
    assert_eq!(
        desk.get("events?hook=group").await["events"][0]["state"],
        "Sent"
    );

    let got = ding.got();
    let query = got[1].uri.query().unwrap();
    assert!(query.starts_with("key=fake&timestamp="), "{query}");
    assert!(query.contains("&sign="), "{query}");
    assert_eq!(got[1].body["msgtype"], "markdown");
    let text = got[1].body["markdown"]["text"].as_str().unwrap();
    assert!(text.starts_with("**有 AccessKey 泄露"), "{text}");
    assert!(!text.contains(KEY) && text.contains(&restriction), "{text}");

    let got = slack.got();
    assert_eq!(
        got[0].body["text"],
        "An AccessKey has leaked and is restricted"
    );
    let text = got[0].body["blocks"][0]["text"]["text"].as_str().unwrap();
    assert!(text.contains("user alice") && !text.contains(KEY), "{text}");
}
