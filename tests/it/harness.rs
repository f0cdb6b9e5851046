//! A whole node in this process, on a real PostgreSQL, with a clock that the test moves.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use akgate::{
    app::{GatewaySettings, IntakeSettings, Node, NodeDependencies, NodeRoles, PublicSettings},
    upstreams::{NodeUpstream, connect_products},
};
use akgate_api::keys::KeyStatus;
use akgate_client::signer::{ApiCall, SigningCredentials, sign_request};
use akgate_gateway::{
    Gate, GateLayer, GateService, GateSettings, lookup::LookupSettings, mirror::mirror_service,
    nonce::NONCES_PER_KEY, routes::UpstreamAuth,
};
use akgate_net::{fair_budget::FairBudget, metrics::Metrics};
use akgate_rules::{
    access_key::{AccessKeyId, AccessKeySecret},
    mac_key::MacKey,
    operation::Product,
    position::BootInstant,
    restriction::{AcceptedConditions, Resolution},
};
use akgate_sandbox::{Sandbox, seed};
use akgate_state::{
    approval_decisions::grant_approval,
    approvals::{ChangeOutcome, FourEyes},
    audit::Actor,
    clock::{Clock, SystemClock},
    database::NodePools,
    directory::{KeyRecord, keys::NewKey, sealing::KeyRing},
    keys::lifecycle,
    leaks::record::{
        Delivery, LeakReport, ReportGrounds, RestrictionInForce, SuspicionPolicy, record_reports,
    },
    live::feed,
    randomness::Randomness,
    restrictions::lift::{Lifting, lift_restriction},
};
use axum::{Router, body::Body};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use rand::{SeedableRng, rngs::StdRng};
use serde_json::Value;
use sqlx::PgPool;
use time::{OffsetDateTime, macros::datetime};
use tokio::sync::watch;
use tower::{Layer, ServiceExt};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::database::TestDatabase;

pub const NOW: OffsetDateTime = datetime!(2026-11-26 12:00:00 UTC);
pub const ACCOUNT: &str = "5123456789012345";

/// A clock that stands still until it is moved; the one that nobody sets runs on.
pub struct TestClock(Mutex<OffsetDateTime>, Mutex<Duration>, AtomicBool);

impl TestClock {
    pub fn at(now: OffsetDateTime) -> Self {
        Self(Mutex::new(now), Mutex::default(), AtomicBool::new(false))
    }

    /// As if the machine had slept.
    pub fn sleep(&self, by: Duration) {
        *self.1.lock().unwrap() += by;
    }

    /// Whoever reads the time since boot next panics.
    pub fn plant_panic(&self) {
        self.2.store(true, Ordering::SeqCst);
    }

    pub fn set(&self, to: OffsetDateTime) {
        *self.0.lock().unwrap() = to;
    }

    pub fn advance(&self, by: time::Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for TestClock {
    fn now(&self) -> OffsetDateTime {
        *self.0.lock().unwrap()
    }

    fn since_boot(&self) -> BootInstant {
        assert!(!self.2.swap(false, Ordering::SeqCst), "planted");
        SystemClock.since_boot().after(*self.1.lock().unwrap())
    }
}

pub fn ring() -> KeyRing {
    let key = |byte: u8| hex::encode([byte; 32]);
    KeyRing::parse(&format!("seal 1 {}\nindex {}", key(1), key(2))).unwrap()
}

pub fn id(text: &str) -> AccessKeyId {
    AccessKeyId::parse(text).unwrap()
}

pub fn identity_key() -> MacKey {
    MacKey::new(Zeroizing::new([7; 32]))
}

/// A node with its database; several may share one.
pub struct TestNode {
    pub database: Arc<TestDatabase>,
    pub pool: PgPool,
    pub clock: Arc<TestClock>,
    pub ring: Arc<KeyRing>,
    pub metrics: Arc<Metrics>,
    pub node: Node,
    pub router: Router,
    /// Requests that reached the stand-in upstream.
    pub reached: Arc<AtomicUsize>,
    _stop: watch::Sender<bool>,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
    pub text: String,
}

impl Reply {
    pub fn code(&self) -> &str {
        self.body["Code"].as_str().unwrap_or_default()
    }

    pub fn session(&self) -> SigningCredentials {
        let member = |name: &str| {
            self.body["Credentials"][name]
                .as_str()
                .unwrap_or_else(|| panic!("{self:?}"))
                .to_owned()
        };
        SigningCredentials {
            access_key_id: member("AccessKeyId"),
            access_key_secret: member("AccessKeySecret"),
            security_token: Some(member("SecurityToken")),
        }
    }
}

/// Which upstream stands behind the gate.
pub enum Behind {
    /// The sandbox.
    Sandbox,
    /// A handler that says yes to everything.
    Yes,
    /// This one.
    Router(Router),
    /// Whatever this puts behind the gate.
    Road(Box<dyn FnOnce(Arc<Gate>) -> Router + Send>),
    /// None: the gate watches beside the path.
    Mirror,
}

impl TestNode {
    pub async fn new(behind: Behind) -> Self {
        let database = Arc::new(TestDatabase::new().await);
        let clock = Arc::new(TestClock::at(NOW));
        Self::on(database, clock, behind, GateSettings::default()).await
    }

    pub async fn on(
        database: Arc<TestDatabase>,
        clock: Arc<TestClock>,
        behind: Behind,
        settings: GateSettings,
    ) -> Self {
        let pool = database.pool().clone();
        let ring = Arc::new(ring());
        let metrics = Arc::new(Metrics::default());
        let randomness = Arc::new(Randomness::new(StdRng::from_rng(&mut rand::rng())));
        let dependencies = NodeDependencies {
            pools: NodePools::shared(&pool),
            ring: Arc::clone(&ring),
            clock: clock.clone(),
            randomness: Arc::clone(&randomness),
            metrics: Arc::clone(&metrics),
            database_timeout: Duration::from_secs(5),
            request_memory: FairBudget::new(64 << 20),
        };
        let node = Node::new(
            dependencies,
            feed::FeedSettings::default(),
            NodeRoles::all(),
        );
        let sandbox = Sandbox::new(pool.clone(), identity_key(), clock.clone(), randomness);
        let products = [
            Product::Ram,
            Product::Ims,
            Product::Sts,
            Product::ResourceManager,
        ];
        let (routes, upstreams) = connect_products(products.map(|product| {
            let auth = UpstreamAuth::IdentityHeader(identity_key());
            (product, NodeUpstream::Sandbox(sandbox.clone()), auth)
        }));
        let gate = node
            .gate(GatewaySettings {
                gate: settings,
                lookup: LookupSettings::default(),
                nonces_per_key: NONCES_PER_KEY,
                routes,
            })
            .unwrap();
        let reached = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&reached);
        let router = match behind {
            Behind::Sandbox => whole(GateService::new(Arc::clone(&gate), upstreams)),
            Behind::Yes => {
                let yes = Router::new().fallback(move || {
                    counted.fetch_add(1, Ordering::SeqCst);
                    async { axum::Json(serde_json::json!({ "RequestId": "x" })) }
                });
                whole(GateLayer::new(Arc::clone(&gate)).layer(yes))
            }
            Behind::Router(router) => whole(GateLayer::new(Arc::clone(&gate)).layer(router)),
            Behind::Road(road) => road(Arc::clone(&gate)),
            Behind::Mirror => whole(mirror_service(Arc::clone(&gate))),
        };
        node.membership().round().await.unwrap();
        // It says what it enforces, and takes its lease when it is called: a test decides when it follows.
        let (stop, stopped) = watch::channel(false);
        let membership = Arc::clone(node.membership());
        tokio::spawn(async move { membership.keep_reporting(stopped).await });
        Self {
            _stop: stop,
            database,
            pool,
            clock,
            ring,
            metrics,
            node,
            router,
            reached,
        }
    }

    /// A key in the directory and, with its user and account, in the sandbox.
    pub async fn key(&self, name: &str, user_name: Option<&str>) -> SigningCredentials {
        let now = self.clock.now();
        seed::seed_account(&self.pool, ACCOUNT, now).await.unwrap();
        if let Some(user_name) = user_name {
            seed::seed_user(&self.pool, ACCOUNT, user_name, now)
                .await
                .unwrap();
        }
        seed::seed_access_key(&self.pool, ACCOUNT, user_name, &id(name), now)
            .await
            .unwrap();
        let secret = format!("FakeSecretOf{name}");
        let key = NewKey {
            record: KeyRecord {
                access_key_id: id(name),
                account_id: ACCOUNT.into(),
                user_name: user_name.map(str::to_owned),
                status: KeyStatus::Active,
                secret: AccessKeySecret::new(secret.clone()),
            },
            created_by: None,
        };
        let mut rng = StdRng::seed_from_u64(1);
        lifecycle::commit_key(&self.pool, &self.ring, &key, now, &mut rng)
            .await
            .unwrap();
        self.node.feed().poll().await.unwrap();
        SigningCredentials {
            access_key_id: name.into(),
            access_key_secret: secret,
            security_token: None,
        }
    }

    /// Reports a leak at the database alone: this node learns of it by its feed.
    pub async fn report(&self, access_key_id: &str) -> RestrictionInForce {
        let report = LeakReport {
            access_key_id: Some(id(access_key_id)),
            reference: Some(uuid::Uuid::new_v4().to_string()),
            ..LeakReport::default()
        };
        decide(&self.pool, &self.ring, "test", report, self.clock.now()).await
    }

    /// The public listener.
    pub fn public(&self, sources: IntakeSettings) -> Router {
        let intake = self.node.intake(sources, true);
        self.node.public(PublicSettings::default(), intake).unwrap()
    }

    /// The same, by what lease it has.
    pub async fn call_unleased(
        &self,
        key: &SigningCredentials,
        version: &str,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Reply {
        let api = ApiCall {
            version,
            action,
            parameters,
        };
        let request = sign_request("http://gateway.test", key, api, self.clock.now()).unwrap();
        self.send_unleased(in_origin_form(request.map(Body::new)))
            .await
    }

    pub async fn call(
        &self,
        key: &SigningCredentials,
        version: &str,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Reply {
        self.lease().await;
        self.call_unleased(key, version, action, parameters).await
    }

    /// Takes a lease, where the last one has ended.
    pub async fn lease(&self) {
        let membership = self.node.membership();
        if !membership.lease().holds(self.clock.since_boot()) {
            // With the database away there is none.
            membership.round().await.ok();
        }
    }

    pub async fn send(&self, request: Request<Body>) -> Reply {
        self.lease().await;
        self.send_unleased(request).await
    }

    async fn send_unleased(&self, request: Request<Body>) -> Reply {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = answer.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Reply {
            status: head.status,
            headers: head.headers,
            body: serde_json::from_str(&text).unwrap_or_default(),
            text,
        }
    }
}

/// An operator's report restricts the key.
pub async fn decide(
    pool: &PgPool,
    ring: &KeyRing,
    source: &str,
    report: LeakReport,
    now: OffsetDateTime,
) -> RestrictionInForce {
    let delivery = Delivery {
        source,
        actor: &Actor::Operator("olga".into()),
        grounds: ReportGrounds::Decision,
        suspicions: SuspicionPolicy::default(),
        descendants: akgate_rules::lineage::DescendantPolicy::default(),
        ledger: None,
    };
    let recorded = record_reports(pool, ring, &delivery, &[report], now)
        .await
        .unwrap();
    recorded[0].unwrap().restriction.unwrap()
}

/// A road behind every path.
pub fn whole<S>(road: S) -> Router
where
    S: tower::Service<
            Request<Body>,
            Response = http::Response<Body>,
            Error = std::convert::Infallible,
        > + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    Router::new().fallback_service(road)
}

/// As a server receives it: a path for a target.
pub fn in_origin_form(mut request: Request<Body>) -> Request<Body> {
    let target = request.uri().path_and_query().unwrap().clone();
    *request.uri_mut() = target.into();
    request
}

/// anna approves what olga has asked for.
pub async fn approve(pool: &PgPool, approval_id: Uuid, now: OffsetDateTime) {
    sqlx::query(
        "INSERT INTO operators (operator_id, name, role, created_at)
         VALUES ('olga', 'olga', 'operator', $1)
         ON CONFLICT DO NOTHING",
    )
    .bind(now)
    .execute(pool)
    .await
    .unwrap();
    let anna = Actor::Operator("anna".into());
    grant_approval(pool, approval_id, &anna, None, now)
        .await
        .unwrap();
}

/// Lifts a confirmed restriction, by two operators where the pair still works.
pub async fn lift_by_two(pool: &PgPool, restriction_id: Uuid, now: OffsetDateTime) {
    let lifting = Lifting {
        resolution: Resolution::Rotated,
        reason: "rotated".into(),
        accepts: AcceptedConditions {
            active_key: true,
            no_confirmation: false,
        },
        with_descendants: false,
    };
    let olga = Actor::Operator("olga".into());
    let eyes = FourEyes::default();
    let lifted = lift_restriction(pool, restriction_id, &lifting, &olga, eyes, None, now).await;
    if let ChangeOutcome::AwaitsApproval(id) = lifted.unwrap() {
        approve(pool, id, now).await;
    }
}
