//! What is new: an access key or session works at every node at once, and one that is reported while it becomes known is
//! restricted, whichever comes first.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use akgate_client::signer::SigningCredentials;
use akgate_gateway::GateSettings;
use akgate_rules::{
    access_key::AccessKeySecret,
    position::{History, Position},
    verdict::Profile,
};
use akgate_state::{
    audit::Actor,
    clock::Clock as _,
    directory::sessions::{Ancestor, NewSession, SessionParent, SessionRecord},
    keys::directory_change::{DirectoryChange, DirectoryWriter},
    leaks::record::{
        Delivery, LeakReport, RecordedReport, ReportGrounds, SuspicionPolicy, record_reports,
    },
    live::{
        feed::{Feed, FeedSettings},
        memory::LiveRegistry,
    },
};
use axum::{Router, extract::Request};
use rand::{SeedableRng, rngs::StdRng};
use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
};
use uuid::Uuid;

use crate::{
    database::TestDatabase,
    harness::{ACCOUNT, Behind, NOW, Reply, TestClock, TestNode, id, lift_by_two, ring},
    road::{RAM, STS},
    wait::eventually,
    window::{Held, until_it_waits},
};

const ALICE: &str = "LTAI5tFakeAlice";

/// What an upstream makes that is asked for a key, a user or a session of this name.
fn made(name: &str) -> serde_json::Value {
    json!({
        "RequestId": "x",
        "User": { "UserId": format!("2{}", name.len()), "UserName": name },
        "AccessKey": {
            "AccessKeyId": key_of(name).access_key_id,
            "AccessKeySecret": key_of(name).access_key_secret,
            "Status": "Active",
        },
        "AssumedRoleUser": { "Arn": format!("acs:ram::{ACCOUNT}:role/r/{name}") },
        "Credentials": {
            "AccessKeyId": session_of(name).access_key_id,
            "AccessKeySecret": session_of(name).access_key_secret,
            "SecurityToken": session_of(name).security_token,
            "Expiration": "2026-11-26T13:00:00Z",
        },
    })
}

fn key_of(name: &str) -> SigningCredentials {
    SigningCredentials {
        access_key_id: format!("LTAI5tFake{name}"),
        access_key_secret: format!("FakeSecretOf{name}"),
        security_token: None,
    }
}

fn session_of(name: &str) -> SigningCredentials {
    SigningCredentials {
        access_key_id: format!("STS.Fake{name}"),
        access_key_secret: format!("FakeSessionSecretOf{name}"),
        security_token: Some(format!("FakeTokenOf{name}")),
    }
}

fn name_in(request: &Request) -> String {
    let query = request.uri().query().unwrap_or_default();
    let named = query.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let is_name = matches!(name, "UserName" | "RoleSessionName");
        is_name.then(|| value.to_owned())
    });
    named.unwrap_or_default()
}

fn upstream() -> Router {
    Router::new().fallback(async |request: Request| axum::Json(made(&name_in(&request))))
}

/// One that says when it is reached, and answers when it is told to.
fn held_upstream() -> (Router, mpsc::Receiver<()>, Arc<Notify>) {
    let (reached, at_upstream) = mpsc::channel(1);
    let going = Arc::new(Notify::new());
    let gate = Arc::clone(&going);
    let router = Router::new().fallback(move |request: Request| {
        let (reached, going) = (reached.clone(), Arc::clone(&gate));
        async move {
            reached.send(()).await.unwrap();
            going.notified().await;
            axum::Json(made(&name_in(&request)))
        }
    });
    (router, at_upstream, going)
}

/// Two nodes on one database; neither follows unless a test or a call makes it.
struct Pair {
    here: Arc<TestNode>,
    there: Arc<TestNode>,
    alice: SigningCredentials,
}

impl Pair {
    async fn new() -> Self {
        Self::with(upstream(), GateSettings::default()).await
    }

    async fn with(router: Router, settings: GateSettings) -> Self {
        let database = Arc::new(TestDatabase::new().await);
        let clock = Arc::new(TestClock::at(NOW));
        let node = async |router| {
            let (database, clock) = (Arc::clone(&database), Arc::clone(&clock));
            let behind = Behind::Router(router);
            Arc::new(TestNode::on(database, clock, behind, settings.clone()).await)
        };
        let (here, there) = (node(router).await, node(upstream()).await);
        let alice = here.key(ALICE, Some("alice")).await;
        there.node.feed().poll().await.unwrap();
        Self { here, there, alice }
    }

    fn pool(&self) -> &PgPool {
        &self.here.pool
    }

    async fn create_key(&self, name: &str) -> Reply {
        create_key(&self.here, &self.alice, name).await
    }

    /// Begins what something will stall.
    fn begin_create_key(&self, name: &'static str) -> JoinHandle<Reply> {
        let (node, alice) = (Arc::clone(&self.here), self.alice.clone());
        tokio::spawn(async move { create_key(&node, &alice, name).await })
    }

    fn begin_report(&self, name: &'static str) -> JoinHandle<RecordedReport> {
        let pool = self.pool().clone();
        tokio::spawn(async move { report_secret(&pool, name).await })
    }

    /// No call of the key that could change anything passes, at either node.
    async fn assert_restricted(&self, name: &str) {
        for node in [&self.there, &self.here] {
            let refused = mutate(node, &key_of(name)).await;
            assert_eq!(refused.code(), "Forbidden", "{}", refused.text);
        }
    }
}

async fn create_key(node: &TestNode, by: &SigningCredentials, name: &str) -> Reply {
    node.call(by, RAM, "CreateAccessKey", &[("UserName", name)])
        .await
}

async fn assume(node: &TestNode, by: &SigningCredentials, name: &str) -> Reply {
    let parameters = [
        ("RoleArn", "acs:ram::5123456789012345:role/r"),
        ("RoleSessionName", name),
    ];
    node.call(by, STS, "AssumeRole", &parameters).await
}

async fn mutate(node: &TestNode, key: &SigningCredentials) -> Reply {
    node.call(key, RAM, "CreateUser", &[("UserName", "x")])
        .await
}

/// A source reports the secret alone.
async fn report_secret(pool: &PgPool, name: &str) -> RecordedReport {
    let delivery = Delivery {
        source: "github",
        actor: &Actor::Source("github".into()),
        grounds: ReportGrounds::Proof,
        suspicions: SuspicionPolicy::default(),
        descendants: akgate_rules::lineage::DescendantPolicy::default(),
        ledger: None,
    };
    let report = LeakReport {
        secret: Some(AccessKeySecret::new(key_of(name).access_key_secret)),
        reference: Some(Uuid::new_v4().to_string()),
        ..LeakReport::default()
    };
    let recorded = record_reports(pool, &ring(), &delivery, &[report], NOW)
        .await
        .unwrap();
    recorded[0].unwrap()
}

async fn revision(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT revision FROM registry_revision")
        .fetch_one(pool)
        .await
        .unwrap()
}

async fn do_all(pool: &PgPool, statements: &[&str]) {
    for statement in statements {
        sqlx::query(AssertSqlSafe((*statement).to_owned()))
            .execute(pool)
            .await
            .unwrap();
    }
}

/// What is new moves no revision, and works at once where nobody has heard of it.
#[tokio::test(flavor = "multi_thread")]
async fn new_key_and_session_work_at_once_at_a_node_that_follows_nothing() {
    let pair = Pair::new().await;
    let before = revision(pair.pool()).await;
    assert_eq!(pair.create_key("Bob").await.status, 200);
    let session = assume(&pair.here, &pair.alice, "s").await.session();
    assert_eq!(revision(pair.pool()).await, before);
    for key in [key_of("Bob"), session] {
        for node in [&pair.here, &pair.there] {
            let passes = mutate(node, &key).await;
            assert_eq!(passes.status, 200, "{}", passes.text);
        }
    }
    // What changes an access key that is known is a revision.
    let disable = [
        ("UserAccessKeyId", "LTAI5tFakeBob"),
        ("Status", "Inactive"),
        ("UserName", "Bob"),
    ];
    let disabled = pair
        .here
        .call(&pair.alice, RAM, "UpdateAccessKey", &disable);
    assert_eq!(disabled.await.status, 200);
    assert_eq!(revision(pair.pool()).await, before + 1);
    let refused = mutate(&pair.there, &key_of("Bob")).await;
    assert_eq!(
        refused.code(),
        "InvalidAccessKeyId.Inactive",
        "{}",
        refused.text
    );
}

/// However many unknown ids are asked for, and although its own was asked for before there was a key.
#[tokio::test(flavor = "multi_thread")]
async fn new_key_works_at_once_under_a_flood_of_unknown_ids() {
    const KEYS: usize = 20;
    const FLOODERS: usize = 48;
    let pair = Pair::new().await;
    let is_over = Arc::new(AtomicBool::new(false));
    let flood: Vec<_> = (0..FLOODERS)
        .map(|flooder| {
            let (node, is_over) = (Arc::clone(&pair.there), Arc::clone(&is_over));
            tokio::spawn(async move {
                let mut throttled = 0;
                for n in 0.. {
                    if is_over.load(Ordering::SeqCst) {
                        break;
                    }
                    let unknown = key_of(&format!("Nobody{flooder}x{n}"));
                    let refused = mutate(&node, &unknown).await;
                    assert_ne!(refused.status, 200);
                    throttled += usize::from(refused.code() == "Throttling.User");
                }
                throttled
            })
        })
        .collect();
    for n in 0..KEYS {
        let name = format!("New{n}");
        let unknown = mutate(&pair.there, &key_of(&name)).await;
        assert!(
            ["InvalidAccessKeyId.NotFound", "Throttling.User"].contains(&unknown.code()),
            "{}",
            unknown.text
        );
        assert_eq!(pair.create_key(&name).await.status, 200);
        let passes = mutate(&pair.there, &key_of(&name)).await;
        assert_eq!(passes.status, 200, "{}", passes.text);
        let session = assume(&pair.here, &pair.alice, &name).await.session();
        let passes = mutate(&pair.there, &session).await;
        assert_eq!(passes.status, 200, "{}", passes.text);
    }
    is_over.store(true, Ordering::SeqCst);
    let mut throttled = 0;
    for one in flood {
        throttled += one.await.unwrap();
    }
    assert!(
        throttled > 0,
        "the flood used up what may be looked up at a time"
    );
}

/// The report has seen that nobody has the secret, and is not committed yet.
#[tokio::test(flavor = "multi_thread")]
async fn key_that_becomes_known_while_its_secret_is_reported_is_restricted() {
    let pair = Pair::new().await;
    pair.here
        .database
        .leaves_letters("the owner of the key is nobody's");
    let held = Held::by(&pair.here, "LOCK TABLE leak_reports IN SHARE MODE").await;
    let reporting = pair.begin_report("Bob");
    until_it_waits(pair.pool(), "INSERT INTO leak_reports").await;
    let creating = pair.begin_create_key("Bob");
    until_it_waits(pair.pool(), "SELECT pg_advisory_xact_lock_shared").await;
    held.let_go().await;
    assert_eq!(reporting.await.unwrap().restriction, None);
    assert_eq!(creating.await.unwrap().status, 200);
    pair.assert_restricted("Bob").await;
}

/// The key's batch has seen that nobody has reported the secret, and is not committed yet.
#[tokio::test(flavor = "multi_thread")]
async fn secret_that_is_reported_while_its_key_becomes_known_restricts_it() {
    let pair = Pair::new().await;
    pair.here
        .database
        .leaves_letters("the owner of the key is nobody's");
    let held = Held::by(&pair.here, "LOCK TABLE access_keys IN SHARE MODE").await;
    let creating = pair.begin_create_key("Bob");
    until_it_waits(pair.pool(), "INSERT INTO access_keys").await;
    let reporting = pair.begin_report("Bob");
    until_it_waits(pair.pool(), "SELECT pg_advisory_xact_lock").await;
    held.let_go().await;
    assert_eq!(creating.await.unwrap().status, 200);
    assert!(reporting.await.unwrap().restriction.is_some());
    pair.assert_restricted("Bob").await;
}

/// Whatever was said of a key before it is known: it is never free for a moment, not for a read either.
#[tokio::test(flavor = "multi_thread")]
async fn key_that_was_reported_before_is_restricted_before_it_is_answered() {
    let strict = GateSettings {
        profile: Profile::Strict,
        ..GateSettings::default()
    };
    let pair = Pair::with(upstream(), strict).await;
    pair.here.database.leaves_letters("the tests are of keys");
    // By its secret, by an operator, and by a lift that left a tombstone.
    assert_eq!(report_secret(pair.pool(), "Secret").await.restriction, None);
    pair.here.report("LTAI5tFakeDecided").await;
    let lifted = pair.here.report("LTAI5tFakeLifted").await;
    let confirmed = "UPDATE restrictions SET state = 'Confirmed', confirmed_at = now(), confirmed_by = 'operator:olga'
         WHERE access_key_id = 'LTAI5tFakeLifted'";
    do_all(pair.pool(), &[confirmed]).await;
    lift_by_two(pair.pool(), lifted.restriction_id, NOW).await;
    for name in ["Secret", "Decided", "Lifted"] {
        // Whoever has it already tries it at the other node all the time.
        let (node, thief) = (Arc::clone(&pair.there), key_of(name));
        let trying = tokio::spawn(async move {
            loop {
                let read = node.call(&thief, RAM, "ListUsers", &[]).await;
                match read.code() {
                    "Forbidden" => break,
                    "InvalidAccessKeyId.NotFound" | "ServiceUnavailable" => {}
                    _ => panic!("{name}: {}", read.text),
                }
            }
        });
        assert_eq!(pair.create_key(name).await.status, 200, "{name}");
        let refused = mutate(&pair.there, &key_of(name)).await;
        assert_eq!(refused.code(), "Forbidden", "{name}: {}", refused.text);
        trying.await.unwrap();
        pair.assert_restricted(name).await;
    }
}

/// A session that was asked for before its key was restricted and freed again is not free, wherever it is used.
#[tokio::test(flavor = "multi_thread")]
async fn session_asked_for_before_a_lift_stays_restricted_at_every_node() {
    let (router, mut at_upstream, going) = held_upstream();
    let pair = Pair::with(router, GateSettings::default()).await;
    pair.here.database.leaves_letters("nobody is written to");
    let asking = {
        let (node, alice) = (Arc::clone(&pair.here), pair.alice.clone());
        tokio::spawn(async move { assume(&node, &alice, "before").await })
    };
    at_upstream.recv().await.unwrap();
    let restriction = pair.here.report(ALICE).await;
    let confirmed = "UPDATE restrictions SET state = 'Confirmed', confirmed_at = now(), confirmed_by = 'operator:olga'";
    do_all(pair.pool(), &[confirmed]).await;
    lift_by_two(pair.pool(), restriction.restriction_id, NOW).await;
    pair.here.node.feed().poll().await.unwrap();
    going.notify_one();
    let before = asking.await.unwrap().session();
    let after = assume(&pair.there, &pair.alice, "after").await.session();
    for node in [&pair.there, &pair.here] {
        going.notify_one();
        let refused = mutate(node, &before).await;
        assert_eq!(refused.code(), "Forbidden", "{}", refused.text);
    }
    let passes = mutate(&pair.there, &after).await;
    assert_eq!(passes.status, 200, "{}", passes.text);
}

/// What is forgotten in memory is not remembered with its secret.
#[tokio::test(flavor = "multi_thread")]
async fn session_that_has_expired_and_is_forgotten_works_nowhere() {
    let pair = Pair::new().await;
    let session = assume(&pair.here, &pair.alice, "s").await.session();
    for node in [&pair.here, &pair.there] {
        assert_eq!(mutate(node, &session).await.status, 200);
    }
    pair.here.clock.advance(time::Duration::HOUR);
    for node in [&pair.here, &pair.there] {
        node.node.live().sweep(node.clock.now());
        let refused = mutate(node, &session).await;
        assert_eq!(
            refused.code(),
            "InvalidSecurityToken.Expired",
            "{}",
            refused.text
        );
    }
}

fn new_session(name: &str) -> DirectoryChange {
    let credentials = session_of(name);
    DirectoryChange::NewSession(Box::new(NewSession {
        record: SessionRecord {
            access_key_id: id(&credentials.access_key_id),
            account_id: ACCOUNT.into(),
            principal: format!("acs:ram::{ACCOUNT}:assumed-role/r/{name}"),
            secret: AccessKeySecret::new(credentials.access_key_secret),
            token_sha256: [0; 32],
            expires_at: NOW + time::Duration::HOUR,
        },
        parent: Some(SessionParent {
            ancestor: Ancestor {
                access_key_id: id(ALICE),
                minted_at: Position {
                    history: History(Uuid::nil()),
                    revision: 1,
                },
            },
            account_id: ACCOUNT.into(),
        }),
        federated_by: None,
        minted_at: NOW,
        request_id: Uuid::new_v4(),
    }))
}

/// Four nodes that add at the same time, each in batches of its own: a reader that follows the additions sees every one.
#[tokio::test(flavor = "multi_thread")]
async fn feed_misses_no_addition_of_many_nodes() {
    const NODES: usize = 4;
    const SESSIONS: usize = 150;
    let database = TestDatabase::new().await;
    let pool = database.pool().clone();
    let reader = || {
        let live = Arc::<LiveRegistry>::default();
        Arc::new(Feed::new(pool.clone(), live, FeedSettings::default()))
    };
    let adding: Vec<_> = (0..NODES * SESSIONS)
        .map({
            let writers: Vec<_> = (0..NODES)
                .map(|_| {
                    let ring = Arc::new(ring());
                    let writer =
                        DirectoryWriter::new(pool.clone(), ring, reader(), Duration::from_secs(30));
                    Arc::new(writer)
                })
                .collect();
            move |n| {
                let writer = Arc::clone(&writers[n % NODES]);
                tokio::spawn(async move {
                    let mut rng = StdRng::seed_from_u64(n as u64);
                    let session = new_session(&format!("N{n}"));
                    writer
                        .apply(ACCOUNT, &session, NOW, &mut rng)
                        .await
                        .unwrap();
                })
            }
        })
        .collect();
    let feed = reader();
    loop {
        let is_over = adding.iter().all(JoinHandle::is_finished);
        feed.poll().await.unwrap();
        if is_over {
            break;
        }
        tokio::task::yield_now().await;
    }
    for one in adding {
        one.await.unwrap();
    }
    assert_eq!(feed.live().len().0, NODES * SESSIONS);
    let batches: i64 = sqlx::query_scalar("SELECT addition FROM registry_additions")
        .fetch_one(&pool)
        .await
        .unwrap();
    let numbers: Vec<i64> = sqlx::query_scalar("SELECT DISTINCT addition FROM sessions ORDER BY 1")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(numbers, (1..=batches).collect::<Vec<_>>(), "no gaps");
    let all = i64::try_from(NODES * SESSIONS).unwrap();
    assert!(batches < all / 2, "{batches} batches of {all} sessions");
}

/// A failover loses what was added last, and its numbers come again for other keys: at the other timeline, and where a copy
/// of before was put in the place of the database.
#[tokio::test(flavor = "multi_thread")]
async fn additions_lost_in_a_failover_are_forgotten_and_hide_no_new_ones() {
    for timelines in [1, 0] {
        let pair = Pair::new().await;
        assert_eq!(pair.create_key("Kept").await.status, 200);
        let lost = assume(&pair.here, &pair.alice, "lost").await.session();
        assert_eq!(pair.create_key("Lost").await.status, 200);
        for node in [&pair.here, &pair.there] {
            node.node.feed().poll().await.unwrap();
            assert_eq!(mutate(node, &lost).await.status, 200);
        }
        let back = format!("UPDATE registry_revision SET timeline = timeline - {timelines}");
        let statements = [
            "DELETE FROM sessions",
            "DELETE FROM access_keys WHERE access_key_id = 'LTAI5tFakeLost'",
            "UPDATE registry_additions SET addition = addition - 2",
            &back,
        ];
        do_all(pair.pool(), &statements).await;
        match timelines {
            // Whose upstream answered after the failover: nothing is added before the history is stamped.
            1 => {
                let feed = Arc::clone(pair.here.node.feed());
                let pool = pair.pool().clone();
                let writer =
                    DirectoryWriter::new(pool, Arc::new(ring()), feed, Duration::from_secs(5));
                let mut rng = StdRng::seed_from_u64(1);
                let session = new_session("late");
                let early = writer.apply(ACCOUNT, &session, NOW, &mut rng).await;
                assert!(early.is_err_and(|fault| fault.may_pass()));
                let added = writer.apply(ACCOUNT, &session, NOW, &mut rng).await;
                assert_eq!(added.unwrap(), None);
            }
            // On the same server only a node that has seen more can know.
            _ => pair.here.node.feed().poll().await.unwrap(),
        }
        // The numbers again. The second node has the old ones in its memory.
        assert_eq!(pair.create_key("New").await.status, 200);
        let new = assume(&pair.here, &pair.alice, "new").await.session();
        for node in [&pair.there, &pair.here] {
            for key in [&key_of("New"), &new, &key_of("Kept"), &pair.alice] {
                let passes = mutate(node, key).await;
                assert_eq!(passes.status, 200, "{}", passes.text);
            }
            for key in [&key_of("Lost"), &lost] {
                let refused = mutate(node, key).await;
                assert_eq!(
                    refused.code(),
                    "InvalidAccessKeyId.NotFound",
                    "{}",
                    refused.text
                );
                assert_eq!(node.node.live().credential(&id(&key.access_key_id)), None);
            }
        }
    }
}

/// One of a batch that takes a turn of its own, or that is wrong, holds up none of the others.
#[tokio::test(flavor = "multi_thread")]
async fn additions_of_one_batch_do_not_fail_for_each_other() {
    let pair = Pair::new().await;
    pair.here.database.leaves_letters("the tests are of keys");
    report_secret(pair.pool(), "Reported").await;
    let held = Held::by(&pair.here, "LOCK TABLE access_keys IN SHARE MODE").await;
    let first = pair.begin_create_key("First");
    until_it_waits(pair.pool(), "INSERT INTO access_keys").await;
    let names = ["A", "Reported", "B", "Twice", "Twice", "C"];
    let others: Vec<_> = names.map(|name| pair.begin_create_key(name)).into();
    let wrong = {
        let (node, alice) = (Arc::clone(&pair.here), pair.alice.clone());
        tokio::spawn(async move { assume(&node, &alice, "%00").await })
    };
    eventually("all wait for the first", async || {
        let intents: i64 = sqlx::query_scalar("SELECT count(*) FROM intents")
            .fetch_one(pair.pool())
            .await
            .unwrap();
        intents > i64::try_from(names.len()).unwrap()
    })
    .await;
    held.let_go().await;
    assert_eq!(first.await.unwrap().status, 200);
    let mut seen = HashSet::new();
    for (name, one) in names.into_iter().zip(others) {
        let created = one.await.unwrap();
        assert_eq!(created.status, 200, "{name}: {}", created.text);
        seen.insert(name);
    }
    drop(wrong.await.unwrap());
    pair.assert_restricted("Reported").await;
    for name in seen.into_iter().filter(|name| *name != "Reported") {
        assert_eq!(
            mutate(&pair.there, &key_of(name)).await.status,
            200,
            "{name}"
        );
    }
}
