//! The whole catalogue of HTTP/1.1 probes (`tests/vectors/http11probe.tsv`) on the three listeners of a running node, on the
//! gateway also with signed requests. `docs/http-probes.md` is the result; `SNAPSHOTS=overwrite` writes it.
//!
//! "As plain" means: answered like the well-formed request of the same content. After every answer that leaves the
//! connection open, a second request on it must be answered as plain, and what the upstream executed is what was signed.

mod cases;
mod wire;

use std::{
    collections::HashMap,
    fmt::Write as _,
    fs,
    sync::{Arc, Mutex},
};

use akgate_rules::{
    request::parameters::{Parameters, percent_encode},
    signature::rpc,
};
use akgate_state::clock::{Clock, SystemClock};
use axum::{Router, extract::Request};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::BodyExt;
use serde_json::json;
use sha1::Sha1;
use time::format_description::well_known::Rfc3339;
use tokio::net::TcpListener;

use self::{
    cases::{Case, Plain, Shot, Want, case},
    wire::{Answer, Connection},
};
use crate::{
    database::TestDatabase,
    process::{Served, operator},
    serve::World,
};

const PAGE: &str = "docs/http-probes.md";
const CATALOGUE: &str = include_str!("../../vectors/http11probe.tsv");
const ID: &str = "LTAI5tFakeProber";

/// A listener, and who asks there.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Target {
    Gateway,
    Signed,
    Admin,
    Public,
}

impl Target {
    const ALL: [Self; 4] = [Self::Gateway, Self::Signed, Self::Admin, Self::Public];

    fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Signed => "gateway, signed",
            Self::Admin => "admin",
            Self::Public => "public",
        }
    }

    /// Why a probe cannot come out otherwise here.
    fn by_design(self, id: &str) -> Option<&'static str> {
        let is_gateway = matches!(self, Self::Gateway | Self::Signed);
        match id {
            "COMP-HEAD-NO-BODY" | "COMP-OPTIONS-ALLOW" | "COMP-NO-CL-IN-204" if is_gateway => Some(
                "the API has no such method: `UnsupportedHTTPMethod`, as from the service itself",
            ),
            _ => None,
        }
    }
}

/// The listeners of a node.
#[derive(Clone)]
struct Field {
    gateway: String,
    admin: String,
    public: String,
    token: String,
    executed: Arc<Mutex<Vec<String>>>,
}

impl Field {
    fn address(&self, target: Target) -> &str {
        match target {
            Target::Gateway | Target::Signed => &self.gateway,
            Target::Admin => &self.admin,
            Target::Public => &self.public,
        }
    }

    fn shot(&self, target: Target) -> Shot {
        let host = self.address(target).to_owned();
        let form = "Content-Type: application/x-www-form-urlencoded\r\n";
        match target {
            Target::Gateway => Shot {
                host,
                fields: String::new(),
                get: "/".into(),
                post: "/".into(),
                media: form.into(),
                body: "UserName=nobody".into(),
                empty_post: "/".into(),
            },
            Target::Signed => Shot {
                host,
                fields: String::new(),
                get: format!("/?{}", signed("GET")),
                post: "/".into(),
                media: form.into(),
                body: signed("POST"),
                empty_post: format!("/?{}", signed("POST")),
            },
            Target::Admin => Shot {
                host,
                fields: format!("Authorization: Bearer {}\r\n", self.token),
                get: "/admin/v1/policy".into(),
                post: format!("/admin/v1/restrictions/{}:confirm", uuid::Uuid::nil()),
                media: "Content-Type: application/json\r\n".into(),
                body: json!({ "ticket": "T-1" }).to_string(),
                empty_post: format!("/admin/v1/restrictions/{}:confirm", uuid::Uuid::nil()),
            },
            Target::Public => Shot {
                host,
                fields: String::new(),
                get: "/leaked-access-key".into(),
                post: "/leaked-access-key".into(),
                media: form.into(),
                body: format!("RequestId={}&AccessKeyId={ID}", uuid::Uuid::nil()),
                empty_post: "/leaked-access-key".into(),
            },
        }
    }

    /// The actions that the upstream executed since it was last asked.
    fn take_executed(&self) -> Vec<String> {
        std::mem::take(&mut *self.executed.lock().unwrap())
    }
}

/// The parameters of a signed call.
fn signed(method: &str) -> String {
    let now = SystemClock.now().replace_nanosecond(0).unwrap();
    let pairs = [
        ("Action", "ListUsers".to_owned()),
        ("Version", "2015-05-01".to_owned()),
        ("Format", "JSON".to_owned()),
        ("AccessKeyId", ID.to_owned()),
        ("SignatureMethod", "HMAC-SHA1".to_owned()),
        ("SignatureVersion", "1.0".to_owned()),
        ("SignatureNonce", uuid::Uuid::new_v4().to_string()),
        ("Timestamp", now.format(&Rfc3339).unwrap()),
    ];
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value)).to_vec();
    let parameters = Parameters::collect(pairs).unwrap();
    let text = rpc::canonical_form(method, &parameters).string_to_sign;
    let mut mac = Hmac::<Sha1>::new_from_slice(b"FakeSecretOfProber&").unwrap();
    mac.update(text.as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    let signature = percent_encode(&signature);
    format!("{}&Signature={signature}", parameters.canonical())
}

/// An upstream that writes down what it executes.
async fn upstream(executed: Arc<Mutex<Vec<String>>>) -> String {
    let app = Router::new().fallback(move |request: Request| {
        let executed = Arc::clone(&executed);
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let query = head.uri.query().unwrap_or_default();
            let form = format!("{query}&{}", String::from_utf8_lossy(&body));
            let action = form
                .split('&')
                .find_map(|pair| pair.strip_prefix("Action="));
            let did = format!("{} {}", head.method, action.unwrap_or_default());
            executed.lock().unwrap().push(did);
            axum::Json(json!({ "RequestId": "x", "Users": { "User": [] } }))
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}

/// What came of a probe, and how good that is.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Pass(String),
    Second(String),
    Lost(String),
}

struct Prober {
    field: Field,
    target: Target,
    /// The answers to the plain requests, by kind.
    plain: HashMap<Plain, String>,
}

impl Prober {
    async fn new(field: Field, target: Target) -> Self {
        let mut plain = HashMap::new();
        for kind in [Plain::Get, Plain::Post, Plain::EmptyPost] {
            let mut connection = Connection::open(field.address(target)).await;
            let shot = field.shot(target);
            connection.send(shot.plain(kind).as_bytes()).await;
            let answer = connection.answer(true, false).await.unwrap();
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            plain.insert(kind, answer.kind());
        }
        field.take_executed();
        Self {
            field,
            target,
            plain,
        }
    }

    async fn probe(&self, id: &str) -> Verdict {
        let shot = self.field.shot(self.target);
        let case = case(id, &shot);
        let mut connection = Connection::open(self.field.address(self.target)).await;
        let (first, more) = case.steps.split_first().unwrap();
        connection.send(first).await;
        let may_be_silent = case.want == Want::Waits;
        let Some(answer) = connection.answer(case.has_body, may_be_silent).await else {
            return match case.want {
                Want::Refused(_) | Want::RefusedFirst(_) => Verdict::Pass("closed".into()),
                Want::Waits => Verdict::Pass("waits".into()),
                _ => Verdict::Lost("closed".into()),
            };
        };
        // Nothing of the first request is taken for a second one.
        match more.first() {
            Some(second) => connection.send(second).await,
            None => {
                let second = self.field.shot(self.target).plain(Plain::Get);
                connection.send(second.as_bytes()).await;
            }
        }
        let second = connection.answer(true, false).await;
        if let Some(second) = &second {
            let is_plain = second.kind() == *self.plain.get(&Plain::Get).unwrap();
            // A second request that the probe spoils itself, as `XGET`, is refused.
            let is_refused = second.status == 400 || !more.is_empty() && second.status >= 400;
            if !(is_plain || is_refused) || !connection.rest().is_empty() {
                return Verdict::Lost(format!("then {}", second.kind()));
            }
        }
        for did in self.field.take_executed() {
            if self.target != Target::Signed || !did.ends_with(" ListUsers") {
                return Verdict::Lost(format!("the upstream executed {did}"));
            }
        }
        self.judge(&case, &answer, second.is_none())
    }

    fn judge(&self, case: &Case, answer: &Answer, is_closed: bool) -> Verdict {
        let expected = self.plain.get(&case.plain).unwrap();
        let (status, kind) = (answer.status, answer.kind());
        let is_plain = kind == *expected;
        let told = |text: String| match is_closed {
            true => format!("{text}, closed"),
            false => text,
        };
        let served = || match is_plain {
            true => told("as plain".to_owned()),
            false => told(kind.clone()),
        };
        // The plain request may be refused with the same status, as on the gateway without a signature.
        let is_refused = |statuses: &[u16]| statuses.contains(&status) && !is_plain;
        match case.want {
            Want::Refused(statuses) | Want::RefusedFirst(statuses) if is_refused(statuses) => {
                Verdict::Pass(told(status.to_string()))
            }
            Want::RefusedFirst(_) if is_plain => Verdict::Second(served()),
            Want::Served | Want::ServedFirst if is_plain => Verdict::Pass(served()),
            Want::ServedFirst if status == 400 => Verdict::Second(told("400".into())),
            Want::ServedClosing if is_plain && is_closed => Verdict::Pass(served()),
            Want::ServedWith("allow") => match (status, answer.header("allow")) {
                (405, None) => Verdict::Lost("405 without Allow".into()),
                (405, Some(_)) => Verdict::Pass("405, Allow".into()),
                _ => Verdict::Second(served()),
            },
            Want::ServedWith(header) if is_plain && answer.header(header).is_some() => {
                Verdict::Pass(format!("as plain, {header}"))
            }
            Want::ServedBodiless if is_plain => Verdict::Pass("as plain, no body".into()),
            Want::Waits if status == 400 => Verdict::Pass(told("400".into())),
            Want::Not(bad) if status != bad && (status < 500 || status == 501) => {
                Verdict::Pass(served())
            }
            Want::Success | Want::SuccessWithAllow if (200..300).contains(&status) => {
                let has_length = status == 204 && answer.header("content-length").is_some();
                match answer.header("allow") {
                    Some(_) if !has_length => Verdict::Pass(told(format!("{status}, Allow"))),
                    _ => Verdict::Second(told(status.to_string())),
                }
            }
            _ => Verdict::Lost(served()),
        }
    }
}

/// All probes on one listener.
async fn probe_all(field: Field, target: Target) -> Vec<Verdict> {
    let prober = Prober::new(field, target).await;
    let mut verdicts = Vec::new();
    for line in CATALOGUE.lines().skip(1) {
        let id = line.split('\t').next().unwrap();
        verdicts.push(prober.probe(id).await);
    }
    verdicts
}

#[tokio::test(flavor = "multi_thread")]
async fn every_probe_is_refused_or_served_as_the_plain_request_on_every_listener() {
    let database = TestDatabase::new().await;
    let world = World::new(&database.url(), "").await;
    let executed = Arc::new(Mutex::new(Vec::new()));
    let url = upstream(Arc::clone(&executed)).await;
    world.import(&["Prober"]);
    let env = [("AKGATE_UPSTREAMS_RAM_URL", url.as_str())];
    let node = Served::start(&world.config, "gateway,public,admin", &env);
    let field = Field {
        gateway: node.address("gateway").await,
        admin: node.address("admin").await,
        public: node.address("public").await,
        token: operator(&world.config, "olga"),
        executed,
    };
    // Those that reach the upstream come one after the other; the others run beside them.
    let mut columns: HashMap<Target, Vec<Verdict>> = HashMap::new();
    let mut beside = tokio::task::JoinSet::new();
    for target in [Target::Admin, Target::Public] {
        let field = Field {
            executed: Arc::default(),
            ..field.clone()
        };
        beside.spawn(async move { (target, probe_all(field, target).await) });
    }
    for target in [Target::Gateway, Target::Signed] {
        columns.insert(target, probe_all(field.clone(), target).await);
    }
    columns.extend(beside.join_all().await);

    let (page, lost) = write_page(&columns);
    assert!(lost.is_empty(), "{}", lost.join("\n"));
    if std::env::var("SNAPSHOTS").is_ok_and(|mode| mode == "overwrite") {
        fs::write(PAGE, &page).unwrap();
    }
    assert_eq!(fs::read_to_string(PAGE).unwrap_or_default(), page);
}

/// The page, and what is lost.
fn write_page(columns: &HashMap<Target, Vec<Verdict>>) -> (String, Vec<String>) {
    let mut page = include_str!("page.md").to_owned();
    let (mut lost, mut reasons) = (Vec::new(), Vec::new());
    let names: Vec<&str> = Target::ALL.iter().map(|target| target.name()).collect();
    writeln!(page, "| probe | RFC | level | {} |", names.join(" | ")).unwrap();
    writeln!(page, "| --- | --- | --- | --- | --- | --- | --- |").unwrap();
    let mut counts = [[0; 4]; 4];
    for (at, line) in CATALOGUE.lines().skip(1).enumerate() {
        let fields: Vec<&str> = line.split('\t').collect();
        let (id, rfc, level) = (fields[0], fields[4], fields[5]);
        let cells: Vec<String> = Target::ALL
            .iter()
            .enumerate()
            .map(|(column, target)| {
                let (place, text) = match (&columns[target][at], target.by_design(id)) {
                    (Verdict::Pass(how), _) => (0, how.clone()),
                    (Verdict::Second(how), _) => (1, format!("({how})")),
                    (Verdict::Lost(_), Some(reason)) => {
                        reasons.push(format!("- `{id}`, {}: {reason}.", target.name()));
                        (2, "by design".into())
                    }
                    (Verdict::Lost(how), None) => {
                        lost.push(format!("{id} at {}: {how}", target.name()));
                        (3, format!("**{how}**"))
                    }
                };
                counts[column][place] += 1;
                text
            })
            .collect();
        writeln!(page, "| {id} | {rfc} | {level} | {} |", cells.join(" | ")).unwrap();
    }
    writeln!(
        page,
        "\n## Counts\n\n| listener | pass | second best | by design | lost |"
    )
    .unwrap();
    writeln!(page, "| --- | --- | --- | --- | --- |").unwrap();
    for (target, [pass, second, design, lost]) in Target::ALL.iter().zip(counts) {
        let name = target.name();
        writeln!(page, "| {name} | {pass} | {second} | {design} | {lost} |").unwrap();
    }
    writeln!(page, "\n## By design\n\n{}", reasons.join("\n")).unwrap();
    (page, lost)
}
