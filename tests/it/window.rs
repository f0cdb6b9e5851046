//! No open window: whatever is stalled while a restriction is answered at one node, no call that begins after the answer
//! passes at another.
//!
//! Each test stops one participant at one step, by a lock of the database's or by not letting a node follow, and then
//! calls at the node that is behind. Every case was seen to fail with the comparison of before: the revision of the
//! intent with what the node knows when the intent is written, in place of what it knew when it decided.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use akgate::health::{self, HealthState};
use akgate_api::{keys::KeyStatus, receipts::Wait};
use akgate_client::signer::SigningCredentials;
use akgate_gateway::{
    GateService, GateSettings,
    upstream::{Answer, PrintedRequest, SendError, Upstream},
};
use akgate_rules::{
    operation::Product,
    position::Position,
    verdict::{Mode, Policy, Profile},
};
use akgate_state::{
    approval_decisions::grant_approval,
    approvals::FourEyes,
    audit::Actor,
    clock::{Clock, SystemClock},
    database::pool_beside,
    directory::revision,
    keys::lifecycle::commit_key_status,
    leaks::record::RestrictionInForce,
    live::{
        barrier::{AffectedKeys, Barrier},
        feed::verification::VerificationCursor,
        lease::{CLOCK_DRIFT, LEASE_DURATION},
        membership::ClockFault,
        memory::CredentialState,
        nodes,
    },
    restrictions::{
        accounts::{self, AccountSetting},
        exceptions::{self, ExceptionRequest},
        mode::{self, SwitchMode},
    },
};
use http::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, PgConnection, PgPool};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
};
use tower::ServiceExt;
use uuid::Uuid;

use crate::{
    database::TestDatabase,
    desk::Desk,
    harness::{ACCOUNT, Behind, NOW, Reply, TestClock, TestNode, id, whole},
    road::{RAM, STS},
    wait::eventually,
};

const KEY: &str = "LTAI5tFakeAlice";
const IMS: &str = "2019-08-15";

/// Two nodes on one database: what is changed at the first is news to the second until that follows.
struct Pair {
    here: Arc<TestNode>,
    there: Arc<TestNode>,
    alice: SigningCredentials,
}

impl Pair {
    async fn new() -> Self {
        Self::set(GateSettings::default()).await
    }

    async fn set(settings: GateSettings) -> Self {
        let database = Arc::new(TestDatabase::new().await);
        let clock = Arc::new(TestClock::at(NOW));
        let node = async || {
            let (database, clock) = (Arc::clone(&database), Arc::clone(&clock));
            Arc::new(TestNode::on(database, clock, Behind::Yes, settings.clone()).await)
        };
        let (here, there) = (node().await, node().await);
        let alice = here.key(KEY, Some("alice")).await;
        there.node.feed().poll().await.unwrap();
        // Its secret is in the memory of both.
        for node in [&here, &there] {
            assert_eq!(call(node, &alice, RAM, "ListUsers").await.status, 200);
        }
        Self { here, there, alice }
    }

    fn pool(&self) -> &PgPool {
        &self.here.pool
    }

    /// How often the handlers behind the second node were reached.
    fn reached(&self) -> usize {
        self.there.reached.load(Ordering::SeqCst)
    }

    /// A change of the first node is answered while the second is not heard of.
    async fn receipt(&self, committed: Position, concern: &AffectedKeys) -> Vec<String> {
        self.here.node.feed().enforce(committed).await;
        let waited = self
            .here
            .node
            .barrier()
            .wait(committed, concern, Wait::Enforced);
        let receipt = waited.await.unwrap();
        assert!(receipt.nodes.is_some(), "{receipt:?}");
        receipt.fenced
    }

    /// The second node was not heard of for as long as a lease lasts.
    fn end_lease_there(&self) {
        self.there.clock.sleep(LEASE_DURATION);
        let lease = self.there.node.membership().lease();
        assert!(!lease.holds(self.there.clock.since_boot()));
    }
}

async fn call(node: &TestNode, key: &SigningCredentials, version: &str, action: &str) -> Reply {
    let parameters = [
        ("UserName", "x"),
        ("RoleArn", "acs:ram::5123456789012345:role/r"),
        ("RoleSessionName", "s"),
        ("AppId", "1"),
    ];
    node.call_unleased(key, version, action, &parameters).await
}

/// Begins a call that something will stall.
fn begin(
    node: &Arc<TestNode>,
    key: &SigningCredentials,
    version: &'static str,
    action: &'static str,
) -> JoinHandle<Reply> {
    let (node, key) = (Arc::clone(node), key.clone());
    tokio::spawn(async move { call(&node, &key, version, action).await })
}

/// A handler that says when it is reached, and answers when it is told to.
fn held_upstream() -> (axum::Router, mpsc::Receiver<()>, Arc<Notify>) {
    let (reached, at_upstream) = mpsc::channel(1);
    let going = Arc::new(Notify::new());
    let gate = Arc::clone(&going);
    let upstream = axum::Router::new().fallback(move || {
        let (reached, going) = (reached.clone(), Arc::clone(&gate));
        async move {
            reached.send(()).await.unwrap();
            going.notified().await;
            axum::Json(json!({ "RequestId": "x" }))
        }
    });
    (upstream, at_upstream, going)
}

/// A statement of the test's own that holds a lock until it is let go.
pub struct Held {
    connection: PgConnection,
}

impl Held {
    pub async fn by(node: &TestNode, statement: &str) -> Self {
        let options = node.database.options();
        let mut connection = <PgConnection as sqlx::Connection>::connect_with(&options)
            .await
            .unwrap();
        run(&mut connection, "BEGIN").await;
        run(&mut connection, statement).await;
        Self { connection }
    }

    pub async fn let_go(mut self) {
        run(&mut self.connection, "COMMIT").await;
    }
}

async fn run(connection: &mut PgConnection, statement: &str) {
    let statement = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()));
    statement.execute(connection).await.unwrap();
}

/// Waits until a statement with this in its text waits for a lock.
pub async fn until_it_waits(pool: &PgPool, part: &str) {
    let what = format!("a statement with {part} waits");
    eventually(&what, async || {
        sqlx::query_scalar(
            "SELECT EXISTS (
                 SELECT 1
                 FROM pg_stat_activity
                 WHERE datname = current_database()
                   AND wait_event_type = 'Lock'
                   AND query LIKE '%' || $1 || '%'
             )",
        )
        .bind(part)
        .fetch_one(pool)
        .await
        .unwrap()
    })
    .await;
}

/// What takes something away from alice's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Report,
    Disable,
    Delete,
    EndException,
    SwitchMode,
    SwitchProfile,
}

impl Change {
    const ALL: [Self; 6] = [
        Self::Report,
        Self::Disable,
        Self::Delete,
        Self::EndException,
        Self::SwitchMode,
        Self::SwitchProfile,
    ];

    /// What has to be before, known at both nodes; gives what the change needs.
    async fn prepare(self, pair: &Pair) -> Option<Uuid> {
        let pool = pair.pool();
        let exception = match self {
            Self::Report | Self::Disable | Self::Delete => None,
            Self::EndException => {
                let restriction = pair.here.report(KEY).await;
                Some(make_exception(pool, restriction).await)
            }
            Self::SwitchMode => {
                pair.here.report(KEY).await;
                switch(pool, Some(Mode::Shadow)).await;
                None
            }
            Self::SwitchProfile => {
                pair.here.report(KEY).await;
                None
            }
        };
        for node in [&pair.here, &pair.there] {
            node.node.feed().poll().await.unwrap();
        }
        exception
    }

    /// Commits the change; gives where the registry stands then.
    async fn make(self, pair: &Pair, exception: Option<Uuid>) -> Position {
        let pool = pair.pool();
        let olga = Actor::Operator("olga".into());
        match self {
            Self::Report => pair.here.report(KEY).await.position,
            Self::Disable => status(pool, KeyStatus::Inactive).await,
            Self::Delete => status(pool, KeyStatus::Deleted).await,
            Self::EndException => {
                let revoked =
                    exceptions::revoke_exception(pool, exception.unwrap(), &olga, NOW).await;
                revoked.unwrap().position
            }
            Self::SwitchMode => switch(pool, Some(Mode::Enforce)).await,
            Self::SwitchProfile => {
                let strict = AccountSetting::Profile(Some(Profile::Strict));
                let set = accounts::set_account(pool, ACCOUNT, strict, &olga, None, NOW).await;
                set.unwrap()
            }
        }
    }

    /// Calls that pass before the change and not after it, and what they are told then.
    fn calls(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Report | Self::SwitchMode => &[
                (RAM, "CreateUser"),
                (IMS, "GetAppSecret"),
                (RAM, "NoSuchAction"),
            ],
            // The exception covers this one.
            Self::EndException => &[(RAM, "CreateUser")],
            // Whatever it calls, it calls no more.
            Self::Disable | Self::Delete => &[
                (RAM, "CreateUser"),
                (IMS, "GetAppSecret"),
                (STS, "AssumeRole"),
            ],
            // Of no harm by `mutations`, and refused by `strict`.
            Self::SwitchProfile => &[(IMS, "GenerateCredentialReport")],
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Report | Self::EndException | Self::SwitchMode | Self::SwitchProfile => {
                "Forbidden"
            }
            Self::Disable => "InvalidAccessKeyId.Inactive",
            Self::Delete => "InvalidAccessKeyId.NotFound",
        }
    }
}

async fn status(pool: &PgPool, status: KeyStatus) -> Position {
    let set = commit_key_status(pool, &id(KEY), status, NOW).await;
    set.unwrap().unwrap()
}

async fn operators(pool: &PgPool) {
    sqlx::query(
        "INSERT INTO operators (operator_id, name, role, created_at)
         VALUES ('olga', 'olga', 'operator', $1)
         ON CONFLICT DO NOTHING",
    )
    .bind(NOW)
    .execute(pool)
    .await
    .unwrap();
}

async fn approved(pool: &PgPool, approval: Uuid) -> Position {
    let anna = Actor::Operator("anna".into());
    grant_approval(pool, approval, &anna, None, NOW)
        .await
        .unwrap()
        .position
}

async fn switch(pool: &PgPool, to: Option<Mode>) -> Position {
    operators(pool).await;
    let switching = SwitchMode {
        mode: to,
        reason: "test".into(),
    };
    let olga = Actor::Operator("olga".into());
    let asked = mode::request_switch(pool, &switching, &olga, FourEyes::default(), NOW).await;
    approved(pool, asked.unwrap()).await
}

async fn make_exception(pool: &PgPool, _: RestrictionInForce) -> Uuid {
    operators(pool).await;
    let excepting: ExceptionRequest = serde_json::from_value(serde_json::json!({
        "operations": ["RAM:CreateUser"],
        "networks": ["0.0.0.0/16"],
        "hours": 72,
        "reason": "test",
    }))
    .unwrap();
    let olga = Actor::Operator("olga".into());
    let asked =
        exceptions::request_exception(pool, &id(KEY), &excepting, &olga, FourEyes::default(), NOW)
            .await;
    approved(pool, asked.unwrap()).await;
    let made = sqlx::query_scalar("SELECT exception_id FROM exceptions");
    made.fetch_one(pool).await.unwrap()
}

/// The node that is behind decides, its intent is stalled, the news arrives meanwhile: 12 of 12 passed before.
#[tokio::test(flavor = "multi_thread")]
async fn stalled_intent_does_not_carry_a_decision_past_a_change() {
    for change in Change::ALL {
        for (version, action) in change.calls() {
            let pair = Pair::new().await;
            let exception = change.prepare(&pair).await;
            let before = pair.reached();
            let passes = call(&pair.there, &pair.alice, version, action).await;
            assert_eq!(
                pair.reached(),
                before + 1,
                "{change:?} {action}: {}",
                passes.text
            );
            change.make(&pair, exception).await;
            let reached = pair.reached();
            let held = Held::by(&pair.there, "LOCK TABLE intents IN EXCLUSIVE MODE").await;
            let calling = begin(&pair.there, &pair.alice, version, action);
            until_it_waits(pair.pool(), "INSERT INTO intents").await;
            pair.there.node.feed().poll().await.unwrap();
            held.let_go().await;
            let refused = calling.await.unwrap();
            assert_eq!(
                refused.code(),
                change.code(),
                "{change:?} {action}: {}",
                refused.text
            );
            assert_eq!(pair.reached(), reached, "{change:?} {action}");
        }
    }
}

/// The same where the news does not arrive: the intent fetches it.
#[tokio::test(flavor = "multi_thread")]
async fn call_at_a_lagging_node_obeys_every_answered_change() {
    for change in Change::ALL {
        let pair = Pair::new().await;
        let exception = change.prepare(&pair).await;
        change.make(&pair, exception).await;
        let reached = pair.reached();
        for (version, action) in change.calls() {
            let refused = call(&pair.there, &pair.alice, version, action).await;
            assert_eq!(
                refused.code(),
                change.code(),
                "{change:?} {action}: {}",
                refused.text
            );
        }
        assert_eq!(pair.reached(), reached, "{change:?}");
    }
}

/// A session whose minting was under way is restricted, whatever was stalled.
#[tokio::test(flavor = "multi_thread")]
async fn intent_keeps_the_position_at_which_its_session_was_requested() {
    let pair = Pair::new().await;
    let held = Held::by(&pair.there, "LOCK TABLE intents IN EXCLUSIVE MODE").await;
    let asking = begin(&pair.there, &pair.alice, STS, "AssumeRole");
    until_it_waits(pair.pool(), "INSERT INTO intents").await;
    pair.here.report(KEY).await;
    held.let_go().await;
    // Decided anew: a restricted key may mint, and what it mints is restricted.
    asking.await.unwrap();
    let grounds: i64 =
        sqlx::query_scalar("SELECT count(*) FROM intents WHERE action = 'AssumeRole'")
            .fetch_one(pair.pool())
            .await
            .unwrap();
    assert_eq!(grounds, 1, "the intent is written once");
}

/// Reads leave no intent: a node that was not heard of holds no lease, and lets none of those pass that news could refuse.
#[tokio::test(flavor = "multi_thread")]
async fn strict_and_widened_reads_are_refused_without_a_lease() {
    // Strict: the account was strict before, the key is reported now.
    let strict = GateSettings {
        profile: Profile::Strict,
        ..GateSettings::default()
    };
    let pair = Pair::set(strict).await;
    let committed = pair.here.report(KEY).await.position;
    let concern = AffectedKeys::Keys(vec![id(KEY)]);
    let fenced = pair.receipt(committed, &concern).await;
    assert_eq!(
        fenced,
        [pair.there.node.membership().node_info().name.clone()]
    );
    let refused = call(&pair.there, &pair.alice, RAM, "ListUsers").await;
    assert_eq!(refused.status, 503, "{}", refused.text);
    // It announces itself, follows, and only then takes a lease.
    pair.there.node.membership().round().await.unwrap();
    let refused = call(&pair.there, &pair.alice, RAM, "ListUsers").await;
    assert_eq!(refused.code(), "Forbidden", "{}", refused.text);

    // Widened: the key was restricted before, and sensitive reads are refused now.
    let pair = Pair::new().await;
    let restriction = pair.here.report(KEY).await;
    pair.there.node.membership().round().await.unwrap();
    let sensitive = call(&pair.there, &pair.alice, RAM, "ListAccessKeys").await;
    assert_eq!(sensitive.status, 200, "{}", sensitive.text);
    let committed = widen(&pair, restriction).await;
    pair.receipt(committed, &AffectedKeys::Keys(vec![id(KEY)]))
        .await;
    let refused = call(&pair.there, &pair.alice, RAM, "ListAccessKeys").await;
    assert_eq!(refused.status, 503, "{}", refused.text);
    let harmless = call(&pair.there, &pair.alice, STS, "GetCallerIdentity").await;
    assert_eq!(harmless.status, 200, "{}", harmless.text);
    pair.there.node.membership().round().await.unwrap();
    let refused = call(&pair.there, &pair.alice, RAM, "ListAccessKeys").await;
    assert_eq!(refused.code(), "Forbidden", "{}", refused.text);
}

async fn widen(pair: &Pair, restriction: RestrictionInForce) -> Position {
    let mut tx = pair.pool().begin().await.unwrap();
    let at = revision::advance_revision(&mut tx, NOW).await.unwrap();
    sqlx::query("UPDATE restrictions SET widened_at = $2, revision = $3 WHERE restriction_id = $1")
        .bind(restriction.restriction_id)
        .bind(NOW)
        .bind(at.revision)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    at.position()
}

/// A node that is asked to serves nothing that it cannot be sure of.
#[tokio::test(flavor = "multi_thread")]
async fn node_configured_so_refuses_every_read_without_a_lease() {
    let mut settings = GateSettings::default();
    settings.policy.refuses_unleased_reads = true;
    let pair = Pair::set(settings).await;
    pair.end_lease_there();
    let refused = call(&pair.there, &pair.alice, RAM, "ListUsers").await;
    assert_eq!(refused.status, 503, "{}", refused.text);
    pair.there.node.membership().round().await.unwrap();
    assert_eq!(
        call(&pair.there, &pair.alice, RAM, "ListUsers")
            .await
            .status,
        200
    );
}

/// Each step of a renewal is stalled while a report is answered: the lease of before has ended by then, and the next one
/// is taken only with the news.
#[tokio::test(flavor = "multi_thread")]
async fn renewal_stalled_at_any_step_grants_no_lease_before_the_change_is_applied() {
    let strict = || GateSettings {
        profile: Profile::Strict,
        ..GateSettings::default()
    };
    // Announced, and not read yet: the feed's query waits.
    let pair = Pair::set(strict()).await;
    let held = Held::by(
        &pair.there,
        "LOCK TABLE policy_switch IN ACCESS EXCLUSIVE MODE",
    )
    .await;
    // Something to be read, so that it is.
    pair.here.report("LTAI5tFakeOther").await;
    let renewing = {
        let there = Arc::clone(&pair.there);
        tokio::spawn(async move { there.node.membership().round().await })
    };
    until_it_waits(pair.pool(), "SELECT mode").await;
    let committed = pair.here.report(KEY).await.position;
    // Neither node can follow: both are fenced.
    let barrier = pair.here.node.barrier();
    let concern = AffectedKeys::Keys(vec![id(KEY)]);
    let receipt = barrier
        .wait(committed, &concern, Wait::Enforced)
        .await
        .unwrap();
    assert_eq!((receipt.nodes, receipt.fenced.len()), (Some(0), 2));
    let refused = call(&pair.there, &pair.alice, RAM, "ListUsers").await;
    assert_ne!(refused.status, 200, "{}", refused.text);
    held.let_go().await;
    // What it read in the end may be of before the report: then the lease is counted from before, and has ended.
    renewing.await.unwrap().ok();
    let refused = call(&pair.there, &pair.alice, RAM, "ListUsers").await;
    assert_ne!(refused.status, 200, "{}", refused.text);

    // Not announced yet: its own row is held. Whoever waits cannot fence it then, and claims nothing.
    let pair = Pair::set(strict()).await;
    let own = pair.there.node.membership().node_info().node_id;
    let hold = format!("SELECT 1 FROM nodes WHERE node_id = '{own}' FOR UPDATE");
    let held = Held::by(&pair.there, &hold).await;
    let renewing = {
        let there = Arc::clone(&pair.there);
        tokio::spawn(async move { there.node.membership().round().await })
    };
    until_it_waits(pair.pool(), "INSERT INTO nodes").await;
    let committed = pair.here.report(KEY).await.position;
    let barrier = pair.here.node.barrier();
    let concern = AffectedKeys::Keys(vec![id(KEY)]);
    let receipt = barrier
        .wait(committed, &concern, Wait::Enforced)
        .await
        .unwrap();
    assert_eq!(receipt.nodes, None, "{receipt:?}");
    let refused = call(&pair.there, &pair.alice, RAM, "ListUsers").await;
    assert_eq!(refused.status, 503, "{}", refused.text);
    held.let_go().await;
    // It has waited for longer than a call of the database may take.
    renewing.await.unwrap().ok();
}

/// A writer that is stopped between its commit and its look at the nodes does not have a node fenced that has just
/// taken a lease: what it waits for is counted from the look.
#[tokio::test(flavor = "multi_thread")]
async fn node_with_a_fresh_lease_is_not_fenced_by_a_paused_writer() {
    let pair = Pair::new().await;
    let committed = pair.here.report(KEY).await.position;
    pair.here.clock.sleep(LEASE_DURATION + CLOCK_DRIFT);
    pair.there.node.membership().round().await.unwrap();
    let concern = AffectedKeys::Keys(vec![id(KEY)]);
    assert!(pair.receipt(committed, &concern).await.is_empty());
    let refused = call(&pair.there, &pair.alice, RAM, "CreateUser").await;
    assert_eq!(refused.code(), "Forbidden");
}

/// One node that is stopped is waited for once; then it is fenced, until it announces itself.
#[tokio::test(flavor = "multi_thread")]
async fn stopped_node_is_waited_for_once() {
    let pair = Pair::new().await;
    let concern = AffectedKeys::Keys(vec![id(KEY)]);
    let wait = async |committed| {
        pair.here.node.feed().enforce(committed).await;
        let barrier = pair.here.node.barrier();
        barrier
            .wait(committed, &concern, Wait::Enforced)
            .await
            .unwrap()
    };
    let first = wait(pair.here.report(KEY).await.position).await;
    let (least, own) = (LEASE_DURATION.as_millis() as u64, 1);
    assert!(first.waited_ms >= least, "{first:?}");
    assert_eq!((first.nodes, first.fenced.len()), (Some(own), 1));
    assert_eq!(
        first.calls_in_flight, None,
        "the fenced node cannot be asked"
    );
    let second = wait(pair.here.report("LTAI5tFakeOther").await.position).await;
    assert!(second.waited_ms < least, "{second:?}");
    assert_eq!(second.fenced.len(), 1);
    pair.there.node.membership().round().await.unwrap();
    pair.here.node.feed().poll().await.unwrap();
    let third = wait(second_position(&second)).await;
    assert_eq!((third.nodes, third.fenced.len()), (Some(2), 0), "{third:?}");
}

fn second_position(receipt: &akgate_api::receipts::Receipt) -> Position {
    Position {
        history: receipt.history,
        revision: receipt.revision,
    }
}

/// A receipt counts the calls of the key that were decided before and are not answered; a drain waits for them.
#[tokio::test(flavor = "multi_thread")]
async fn receipt_counts_calls_in_flight_and_a_drain_waits_for_them() {
    let (upstream, mut at_upstream, going) = held_upstream();
    let node = Arc::new(TestNode::new(Behind::Router(upstream)).await);
    let alice = node.key(KEY, Some("alice")).await;
    let calling = begin(&node, &alice, RAM, "CreateUser");
    at_upstream.recv().await.unwrap();
    let committed = node.report(KEY).await.position;
    node.node.feed().enforce(committed).await;
    let concern = AffectedKeys::Keys(vec![id(KEY)]);
    let barrier = node.node.barrier();
    let receipt = barrier
        .wait(committed, &concern, Wait::Enforced)
        .await
        .unwrap();
    assert_eq!(receipt.calls_in_flight, Some(1), "{receipt:?}");
    let draining = barrier.wait(committed, &concern, Wait::Drained);
    tokio::pin!(draining);
    let early = tokio::time::timeout(Duration::from_millis(300), &mut draining).await;
    assert!(early.is_err(), "it waits for the call");
    going.notify_one();
    let drained = draining.await.unwrap();
    assert_eq!(drained.calls_in_flight, Some(0), "{drained:?}");
    assert_eq!(calling.await.unwrap().status, 200);
    // Another key's calls are no matter of this one's.
    let concern = AffectedKeys::Keys(vec![id("LTAI5tFakeOther")]);
    let other = barrier.wait(committed, &concern, Wait::Enforced);
    assert_eq!(other.await.unwrap().calls_in_flight, Some(0));
}

/// What the database loses in a failover is read again key by key; new changes at the same revisions are no old news.
#[tokio::test(flavor = "multi_thread")]
async fn failover_that_lost_commits_leaves_no_trace_of_them_and_hides_nothing_new() {
    let pair = Pair::new().await;
    pair.here.key("LTAI5tFakeBob", Some("bob")).await;
    let bob = SigningCredentials {
        access_key_id: "LTAI5tFakeBob".into(),
        access_key_secret: "FakeSecretOfLTAI5tFakeBob".into(),
        security_token: None,
    };
    for node in [&pair.here, &pair.there] {
        node.node.feed().poll().await.unwrap();
        assert_eq!(call(node, &bob, RAM, "ListUsers").await.status, 200);
    }
    let before: i64 = sqlx::query_scalar("SELECT revision FROM registry_revision")
        .fetch_one(pair.pool())
        .await
        .unwrap();
    // Two changes that are lost: bob is restricted, and a key is made.
    pair.here.report("LTAI5tFakeBob").await;
    pair.here.key("LTAI5tFakeCarol", Some("carol")).await;
    for node in [&pair.here, &pair.there] {
        node.node.feed().poll().await.unwrap();
        assert_eq!(
            call(node, &bob, RAM, "CreateUser").await.code(),
            "Forbidden"
        );
    }
    for lost in [
        "DELETE FROM operator_tasks".to_owned(),
        "DELETE FROM leak_reports".to_owned(),
        "DELETE FROM restrictions".to_owned(),
        "DELETE FROM access_keys WHERE access_key_id = 'LTAI5tFakeCarol'".to_owned(),
        // As a standby that is promoted: another timeline.
        format!("UPDATE registry_revision SET revision = {before}, timeline = timeline - 1"),
    ] {
        sqlx::query(AssertSqlSafe(lost))
            .execute(pair.pool())
            .await
            .unwrap();
    }
    // The same numbers again, for other things. The second node has the old ones in its memory.
    let committed = pair.here.report(KEY).await.position;
    assert_eq!(committed.revision, before + 1);
    let (here, there) = (
        pair.here.node.live().position(),
        pair.there.node.live().position(),
    );
    assert_ne!(committed.history, there.unwrap().history);
    assert_eq!(here, there);
    let reached = pair.reached();
    let refused = call(&pair.there, &pair.alice, RAM, "CreateUser").await;
    assert_eq!(refused.code(), "Forbidden", "{}", refused.text);
    assert_eq!(pair.reached(), reached);
    // What was lost is gone from memory, and known keys are known.
    let passes = call(&pair.there, &bob, RAM, "CreateUser").await;
    assert_eq!(passes.status, 200, "{}", passes.text);
    assert_eq!(
        pair.there.node.live().credential(&id("LTAI5tFakeCarol")),
        None
    );
    assert!(pair.there.node.live().credential(&id(KEY)).is_some());
    // In a history that has just begun announcements may be lost: the whole time is waited for.
    let barrier = pair.here.node.barrier();
    let concern = AffectedKeys::Keys(vec![id(KEY)]);
    let receipt = barrier
        .wait(committed, &concern, Wait::Enforced)
        .await
        .unwrap();
    assert!(
        receipt.waited_ms >= LEASE_DURATION.as_millis() as u64,
        "{receipt:?}"
    );
}

/// A fork that nobody remembers: everything is read again, in ranges and in place, and what is gone is gone.
#[tokio::test(flavor = "multi_thread")]
async fn unknown_history_is_reloaded_whole_and_in_place() {
    let node = TestNode::new(Behind::Yes).await;
    let alice = node.key(KEY, Some("alice")).await;
    node.key("LTAI5tFakeBob", Some("bob")).await;
    node.report("LTAI5tFakeBob").await;
    node.node.feed().poll().await.unwrap();
    for lost in [
        "DELETE FROM operator_tasks",
        "DELETE FROM leak_reports",
        "DELETE FROM restrictions",
        "DELETE FROM access_keys WHERE access_key_id = 'LTAI5tFakeBob'",
        "DELETE FROM registry_histories",
        "UPDATE registry_revision SET history = gen_random_uuid(), revision = 1, parent = NULL",
    ] {
        sqlx::query(lost).execute(&node.pool).await.unwrap();
    }
    node.report(KEY).await;
    let refused = call(&node, &alice, RAM, "CreateUser").await;
    assert_eq!(refused.code(), "Forbidden", "{}", refused.text);
    assert_eq!(node.node.live().credential(&id("LTAI5tFakeBob")), None);
    assert_eq!(node.node.live().len(), (1, 1));
}

/// A bit that flips in memory is no change that the feed would apply. Here the database is changed behind its back, which
/// is the same to whoever compares.
#[tokio::test(flavor = "multi_thread")]
async fn registry_in_memory_that_differs_is_found_and_read_again() {
    let node = TestNode::new(Behind::Yes).await;
    let alice = node.key(KEY, Some("alice")).await;
    node.report(KEY).await;
    let feed = node.node.feed();
    let mut cursor = VerificationCursor::default();
    assert_eq!(feed.verification().verified_at, None);
    assert_eq!(feed.verify(&mut cursor).await.unwrap(), 0);
    let first = feed.verification();
    assert_eq!(first.mismatches, 0);
    let sensitive = call(&node, &alice, RAM, "ListAccessKeys").await;
    assert_eq!(sensitive.status, 200, "{}", sensitive.text);
    for flipped in [
        "UPDATE restrictions SET widened_at = imposed_at",
        "UPDATE access_keys SET status = 'Inactive'",
    ] {
        sqlx::query(flipped).execute(&node.pool).await.unwrap();
        assert_eq!(feed.verify(&mut cursor).await.unwrap(), 1, "{flipped}");
        assert_eq!(feed.verify(&mut cursor).await.unwrap(), 0, "{flipped}");
    }
    let known = node.node.live().credential(&id(KEY)).unwrap();
    assert_eq!(known.state, CredentialState::AccessKey(KeyStatus::Inactive));
    sqlx::query("UPDATE access_keys SET status = 'Active'")
        .execute(&node.pool)
        .await
        .unwrap();
    assert_eq!(feed.verify(&mut cursor).await.unwrap(), 1);
    let refused = call(&node, &alice, RAM, "ListAccessKeys").await;
    assert_eq!(refused.code(), "Forbidden", "widened: {}", refused.text);
    let last = feed.verification();
    assert!(last.verified_at > first.verified_at && last.mismatches == 3);
}

/// A change that the failover lost is not said to be in force.
#[tokio::test(flavor = "multi_thread")]
async fn change_lost_before_its_receipt_is_reported_as_lost() {
    let node = TestNode::new(Behind::Yes).await;
    node.key(KEY, Some("alice")).await;
    let kept = node.report(KEY).await.position;
    let lost = node.report("LTAI5tFakeOther").await.position;
    let back = "UPDATE registry_revision SET revision = revision - 1, timeline = timeline - 1";
    sqlx::query(back).execute(&node.pool).await.unwrap();
    node.node.feed().poll().await.unwrap();
    let concern = AffectedKeys::All;
    let barrier = node.node.barrier();
    assert!(barrier.wait(lost, &concern, Wait::Enforced).await.is_err());
    assert!(barrier.wait(kept, &concern, Wait::Enforced).await.is_ok());
}

/// A node that was stopped between its decision and the first byte forwards nothing that it decided before.
#[tokio::test(flavor = "multi_thread")]
async fn stale_clearance_is_renewed() {
    let pair = Pair::new().await;
    let held = Held::by(&pair.there, "LOCK TABLE intents IN EXCLUSIVE MODE").await;
    let calling = begin(&pair.there, &pair.alice, RAM, "CreateUser");
    until_it_waits(pair.pool(), "INSERT INTO intents").await;
    // Six seconds pass on the clock that a sleeping machine keeps, and the intent is written at last.
    pair.there.clock.sleep(Duration::from_secs(6));
    held.let_go().await;
    let passed = calling.await.unwrap();
    assert_eq!(passed.status, 200, "nothing has changed: {}", passed.text);
}

/// A client of an upstream that has no connection in time.
#[derive(Clone)]
struct NeverConnected {
    cleared: mpsc::Sender<()>,
    going: Arc<Notify>,
}

impl Upstream for NeverConnected {
    async fn send(&self, _: &Product, _: PrintedRequest) -> Result<Answer, SendError> {
        self.cleared.send(()).await.unwrap();
        self.going.notified().await;
        Err(SendError::TooLate)
    }
}

/// The same where it grew old on the way to the upstream, and a report was answered meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn clearance_that_goes_stale_on_the_way_upstream_is_renewed() {
    let (cleared, mut until_cleared) = mpsc::channel(1);
    let going = Arc::new(Notify::new());
    let upstream = NeverConnected {
        cleared,
        going: Arc::clone(&going),
    };
    let behind = Behind::Road(Box::new(|gate| whole(GateService::new(gate, upstream))));
    let node = Arc::new(TestNode::new(behind).await);
    let alice = node.key(KEY, Some("alice")).await;
    let calling = begin(&node, &alice, RAM, "CreateUser");
    until_cleared.recv().await.unwrap();
    node.report(KEY).await;
    going.notify_one();
    let refused = calling.await.unwrap();
    assert_eq!(refused.code(), "Forbidden", "{}", refused.text);
    assert!(until_cleared.try_recv().is_err(), "it was asked once");
    node.node.recorder().flush().await.unwrap();
    let outcome: Option<String> = sqlx::query_scalar("SELECT outcome FROM intents")
        .fetch_one(&node.pool)
        .await
        .unwrap();
    assert_eq!(outcome.as_deref(), Some("NotForwarded"));
}

/// The nodes of a test run in one process: what one of them is told by the other is asked for by this.
#[tokio::test(flavor = "multi_thread")]
async fn node_list_shows_what_each_node_enforces() {
    let pair = Pair::new().await;
    let views = nodes::list_nodes(pair.pool()).await.unwrap();
    assert_eq!(views.len(), 2);
    for view in &views {
        assert_eq!(view.seal_key_ids, [1]);
        assert_eq!(view.version, env!("CARGO_PKG_VERSION"));
        assert!(view.roles.contains(&"gateway".to_owned()));
    }
    let committed = pair.here.report(KEY).await.position;
    pair.receipt(committed, &AffectedKeys::All).await;
    let views = nodes::list_nodes(pair.pool()).await.unwrap();
    let mut states: Vec<&str> = views.iter().map(|view| view.state.as_str()).collect();
    states.sort_unstable();
    assert!(states.contains(&"Fenced"), "{states:?}");
}

/// Whoever hangs up ends no call of the database half-way: the intent and its outcome are written.
#[tokio::test(flavor = "multi_thread")]
async fn caller_who_hangs_up_leaves_a_complete_record() {
    let pair = Pair::new().await;
    let held = Held::by(&pair.there, "LOCK TABLE intents IN EXCLUSIVE MODE").await;
    let calling = begin(&pair.there, &pair.alice, RAM, "CreateUser");
    until_it_waits(pair.pool(), "INSERT INTO intents").await;
    calling.abort();
    assert!(calling.await.is_err());
    held.let_go().await;
    let reached = pair.reached();
    eventually("the handlers are reached", async || {
        pair.reached() > reached || pair.reached() == 1
    })
    .await;
    eventually("the record is whole", async || {
        pair.there.node.recorder().flush().await.unwrap();
        let outcome: Option<String> =
            sqlx::query_scalar("SELECT outcome FROM intents WHERE action = 'CreateUser'")
                .fetch_optional(pair.pool())
                .await
                .unwrap()
                .flatten();
        outcome.as_deref() == Some("Succeeded")
    })
    .await;
}

/// A node whose clock is twenty minutes off refuses every correct caller: it is not ready, and the others go on. Where
/// all nodes differ from the database alike, it is the database's clock.
#[tokio::test(flavor = "multi_thread")]
async fn node_with_a_wrong_clock_is_not_ready() {
    let database = Arc::new(TestDatabase::new().await);
    let now = SystemClock.now();
    let node = async |ahead| {
        let (database, clock) = (Arc::clone(&database), TestClock::at(now + ahead));
        let settings = GateSettings::default();
        TestNode::on(database, Arc::new(clock), Behind::Yes, settings).await
    };
    let minutes = time::Duration::minutes;
    let (one, other, off) = (
        node(minutes(0)).await,
        node(minutes(0)).await,
        node(minutes(20)).await,
    );
    // Each has measured its own clock by now, and tells it with its next announcement.
    for _ in 0..2 {
        for node in [&one, &other, &off] {
            node.node.membership().round().await.unwrap();
        }
    }
    let ready = async |node: &TestNode| {
        let health = HealthState {
            pool: node.pool.clone(),
            ring: Arc::clone(&node.ring),
            leaving: tokio::sync::watch::channel(false).1,
            feed: Some(Arc::clone(node.node.feed())),
            membership: Arc::clone(node.node.membership()),
            clock: node.clock.clone(),
            recorder: Arc::clone(node.node.recorder()),
            metrics: Arc::clone(&node.metrics),
            timeout: Duration::from_secs(5),
        };
        let request = http::Request::get("/readyz?verbose").body(axum::body::Body::empty());
        let answer = health::health_router(health)
            .oneshot(request.unwrap())
            .await
            .unwrap();
        let (head, body) = answer.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        (
            head.status.as_u16(),
            String::from_utf8(body.to_vec()).unwrap(),
        )
    };
    for node in [&one, &other] {
        assert_eq!(ready(node).await.0, 200);
    }
    let (status, text) = ready(&off).await;
    assert_eq!(status, 503, "{text}");
    assert!(
        text.contains("[-] clock failed: this node's clock is "),
        "{text}"
    );
    assert!(text.contains("[+] lease ok"), "{text}");

    let database = Arc::new(TestDatabase::new().await);
    let off = async || {
        let (database, clock) = (Arc::clone(&database), TestClock::at(now + minutes(20)));
        let settings = GateSettings::default();
        TestNode::on(database, Arc::new(clock), Behind::Yes, settings).await
    };
    let (one, other) = (off().await, off().await);
    for _ in 0..2 {
        for node in [&one, &other] {
            node.node.membership().round().await.unwrap();
        }
    }
    let fault = one.node.membership().clocks().fault();
    assert!(matches!(fault, Some(ClockFault::Database(_))), "{fault:?}");
    assert_eq!(ready(&one).await.0, 200);
}

/// What has ended stays ended at a node whose clock steps back, and at one that starts then.
#[tokio::test(flavor = "multi_thread")]
async fn clock_set_back_lifts_nothing() {
    let enforce_from = GateSettings {
        policy: Policy {
            enforce_from: Some(NOW + time::Duration::HOUR),
            ..Policy::default()
        },
        ..GateSettings::default()
    };
    let pair = Pair::set(enforce_from.clone()).await;
    let restriction = pair.here.report(KEY).await;
    pair.here.node.membership().round().await.unwrap();
    let create = async |node: &TestNode| {
        let reply = call(node, &pair.alice, RAM, "CreateUser").await;
        (reply.status.as_u16(), reply.code().to_owned())
    };
    assert_eq!(create(&pair.here).await.0, 200, "not enforced yet");
    let forbidden = (403, "Forbidden".to_owned());
    pair.here.clock.set(NOW + time::Duration::hours(2));
    assert_eq!(create(&pair.here).await, forbidden);
    pair.here.node.membership().round().await.unwrap();
    pair.here.clock.set(NOW);
    assert_eq!(create(&pair.here).await, forbidden);
    // A node that starts now has seen nothing itself.
    let (database, clock) = (Arc::clone(&pair.here.database), TestClock::at(NOW));
    let started = TestNode::on(database, Arc::new(clock), Behind::Yes, enforce_from).await;
    assert_eq!(create(&started).await, forbidden);

    // An exception that has ended.
    make_exception(pair.pool(), restriction).await;
    pair.here.node.feed().poll().await.unwrap();
    assert_eq!(create(&pair.here).await.0, 200, "the exception covers it");
    pair.here.clock.set(NOW + time::Duration::hours(73));
    assert_eq!(create(&pair.here).await, forbidden);
    pair.here.clock.set(NOW);
    assert_eq!(create(&pair.here).await, forbidden);
}

/// The answer of a report carries the receipt, the timeline keeps it, and the same Idempotency-Key gives it again.
#[tokio::test(flavor = "multi_thread")]
async fn report_is_answered_with_a_stored_receipt() {
    let desk = Desk::new().await;
    desk.node.key(KEY, Some("alice")).await;
    let report = json!({ "access_key_id": KEY, "source": "test", "reference": "1" });
    let ask = async |path: &str, key: &str| {
        let headers = [("idempotency-key", key)];
        let (status, _, answer) = desk
            .ask_with(
                &desk.operator,
                Method::POST,
                path,
                &headers,
                Some(report.clone()),
            )
            .await;
        (status.as_u16(), answer)
    };
    let (status, first) = ask("leak-reports?wait=enforced", "one").await;
    assert_eq!(status, 201, "{first}");
    let receipt = &first["receipt"];
    assert_eq!(
        (
            &receipt["nodes"],
            &receipt["fenced"],
            &receipt["calls_in_flight"]
        ),
        (&json!(1), &json!([]), &json!(0)),
        "{receipt}"
    );
    assert_eq!(receipt["revision"], first["revision"]);
    let (_, again) = ask("leak-reports?wait=enforced", "one").await;
    assert_eq!(again, first);
    let (status, unwaited) = ask("leak-reports?wait=none", "two").await;
    assert_eq!((status, &unwaited["receipt"]["nodes"]), (200, &Value::Null));
    let (status, drained) = ask("leak-reports?wait=drained", "three").await;
    assert_eq!(
        (status, &drained["receipt"]["calls_in_flight"]),
        (200, &json!(0))
    );
    let (status, _) = ask("leak-reports?wait=forever", "four").await;
    assert_eq!(status, 400);

    let path = format!(
        "restrictions/{}/timeline",
        first["restriction_id"].as_str().unwrap()
    );
    let (_, _, timeline) = desk.ask(&desk.viewer, Method::GET, &path, None).await;
    let events = timeline["events"].as_array().unwrap();
    let enforced: Vec<&str> = events
        .iter()
        .filter(|event| event["event"] == "Enforced")
        .map(|event| event["detail"].as_str().unwrap())
        .collect();
    assert_eq!(enforced.len(), 1, "{timeline}");
    assert!(enforced[0].starts_with("at 1 node in "), "{enforced:?}");

    let (status, _, nodes) = desk.ask(&desk.viewer, Method::GET, "nodes", None).await;
    assert_eq!(status.as_u16(), 200);
    assert_eq!(nodes["nodes"][0]["behind"], 0, "{nodes}");
}

/// A key that was abandoned because its node has ended is taken over at once; one that is at work is not.
#[tokio::test(flavor = "multi_thread")]
async fn idempotency_key_of_a_dead_node_can_be_used_again() {
    let desk = Desk::new().await;
    desk.node.key(KEY, Some("alice")).await;
    let begun =
        "INSERT INTO idempotency_keys (operator, idempotency_key, fingerprint, begun_at, node_id)
         SELECT 'operator:olga', $1, '\\x00', $2, $3";
    let alive = Uuid::new_v4();
    sqlx::query(
        "INSERT INTO nodes (node_id, name, version, roles, enforces, seal_key_ids, started_at, announcement, fenced, announced_at)
         VALUES ($1, 'n', 'v', '{}', false, '{}', now(), gen_random_uuid(), false, clock_timestamp())",
    )
    .bind(alive)
    .execute(&desk.node.pool)
    .await
    .unwrap();
    for (key, node_id, wanted) in [("gone", Uuid::new_v4(), 201), ("alive", alive, 409)] {
        sqlx::query(begun)
            .bind(key)
            .bind(NOW)
            .bind(node_id)
            .execute(&desk.node.pool)
            .await
            .unwrap();
        // Another fingerprint would be told apart: whoever takes it over begins anew.
        sqlx::query("UPDATE idempotency_keys SET fingerprint = $2 WHERE idempotency_key = $1")
            .bind(key)
            .bind(fingerprint(key))
            .execute(&desk.node.pool)
            .await
            .unwrap();
        let report = json!({ "access_key_id": KEY, "source": "test", "reference": key });
        let headers = [("idempotency-key", key)];
        let path = "leak-reports";
        let (status, _, answer) = desk
            .ask_with(&desk.operator, Method::POST, path, &headers, Some(report))
            .await;
        assert_eq!(status.as_u16(), wanted, "{key}: {answer}");
    }
}

/// As the admin API makes it of a request.
fn fingerprint(key: &str) -> Vec<u8> {
    let body = json!({ "access_key_id": KEY, "source": "test", "reference": key }).to_string();
    let mut digest = Sha256::new();
    for part in ["POST", "/admin/v1/leak-reports", "", &body] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().to_vec()
}

/// Whoever is stopped between taking the counter and the commit holds the others up for a second; its commit is void.
#[tokio::test(flavor = "multi_thread")]
async fn paused_writer_holds_the_revision_for_a_second_at_most() {
    let database = TestDatabase::new().await;
    let pool = pool_beside(database.pool(), 2, Duration::from_secs(5));
    let mut stopped = pool.begin().await.unwrap();
    let first = revision::advance_revision(&mut stopped, NOW).await.unwrap();
    let began = Instant::now();
    let mut other = pool.begin().await.unwrap();
    let second = revision::advance_revision(&mut other, NOW).await.unwrap();
    other.commit().await.unwrap();
    let waited = began.elapsed();
    assert_eq!(second.revision, first.revision, "the first is void");
    assert!(
        Duration::from_millis(500) < waited && waited < Duration::from_secs(4),
        "{waited:?}"
    );
    assert!(stopped.commit().await.is_err());
    // A statement ends as well, and a wait for a lock.
    let slow = sqlx::query("SELECT pg_sleep(60)").execute(&pool);
    assert!(slow.await.is_err());
}

/// Ten million of them are kept: the history of each is that of the node.
#[test]
fn access_key_entry_takes_24_bytes_of_memory() {
    assert_eq!(size_of::<akgate_state::live::memory::CredentialEntry>(), 24);
}

/// A report whose transaction is stalled is not answered: calls pass until it is, and not after.
#[tokio::test(flavor = "multi_thread")]
async fn call_passes_before_a_stalled_report_commits_and_not_after_its_answer() {
    let pair = Pair::new().await;
    let held = Held::by(&pair.there, "LOCK TABLE audit_records IN EXCLUSIVE MODE").await;
    let reporting = {
        let here = Arc::clone(&pair.here);
        tokio::spawn(async move { here.report(KEY).await.position })
    };
    until_it_waits(pair.pool(), "WITH written AS").await;
    let passes = call(&pair.there, &pair.alice, IMS, "GetAppSecret").await;
    assert_eq!(passes.status, 200, "{}", passes.text);
    held.let_go().await;
    let committed = reporting.await.unwrap();
    pair.receipt(committed, &AffectedKeys::All).await;
    let refused = call(&pair.there, &pair.alice, IMS, "GetAppSecret").await;
    assert_eq!(refused.code(), "Forbidden", "{}", refused.text);
}

/// A call that was decided in a history that a failover has ended is decided anew in the next one.
#[tokio::test(flavor = "multi_thread")]
async fn stalled_intent_does_not_carry_a_decision_into_another_history() {
    let pair = Pair::new().await;
    // A change that will be lost: the numbers of the next history come again.
    pair.here.report("LTAI5tFakeOther").await;
    pair.there.node.feed().poll().await.unwrap();
    let held = Held::by(&pair.there, "LOCK TABLE intents IN EXCLUSIVE MODE").await;
    let calling = begin(&pair.there, &pair.alice, RAM, "CreateUser");
    until_it_waits(pair.pool(), "INSERT INTO intents").await;
    for lost in [
        "DELETE FROM operator_tasks",
        "DELETE FROM leak_reports",
        "DELETE FROM restrictions",
        "UPDATE registry_revision SET revision = revision - 1, timeline = timeline - 1",
    ] {
        sqlx::query(lost).execute(pair.pool()).await.unwrap();
    }
    let reached = pair.reached();
    pair.here.report(KEY).await;
    held.let_go().await;
    let refused = calling.await.unwrap();
    assert_eq!(refused.code(), "Forbidden", "{}", refused.text);
    assert_eq!(pair.reached(), reached);
}

/// A switch of the mode that a failover has lost is lost at every node.
#[tokio::test(flavor = "multi_thread")]
async fn mode_switch_lost_in_a_failover_is_undone() {
    let pair = Pair::new().await;
    let pool = pair.pool();
    let before: i64 = sqlx::query_scalar("SELECT revision FROM policy_switch")
        .fetch_one(pool)
        .await
        .unwrap();
    switch(pool, Some(Mode::Off)).await;
    for node in [&pair.here, &pair.there] {
        node.node.feed().poll().await.unwrap();
        assert_eq!(node.node.live().mode(), Some(Mode::Off));
    }
    for lost in [
        format!("UPDATE policy_switch SET mode = NULL, revision = {before}"),
        "UPDATE registry_revision SET revision = revision - 1, timeline = timeline - 1".to_owned(),
    ] {
        sqlx::query(AssertSqlSafe(lost))
            .execute(pool)
            .await
            .unwrap();
    }
    pair.here.report(KEY).await;
    let refused = call(&pair.there, &pair.alice, RAM, "CreateUser").await;
    assert_eq!(refused.code(), "Forbidden", "{}", refused.text);
    assert_eq!(pair.there.node.live().mode(), None);
}

/// A drain waits for longer than a call of the database may take.
#[tokio::test(flavor = "multi_thread")]
async fn drain_outlasts_the_database_timeout() {
    let (upstream, mut at_upstream, going) = held_upstream();
    let node = Arc::new(TestNode::new(Behind::Router(upstream)).await);
    let alice = node.key(KEY, Some("alice")).await;
    let calling = begin(&node, &alice, RAM, "CreateUser");
    at_upstream.recv().await.unwrap();
    let committed = node.report(KEY).await.position;
    node.node.feed().enforce(committed).await;
    let clock = Arc::clone(&node.clock);
    let quick = Duration::from_millis(100);
    let barrier = Barrier::new(node.pool.clone(), node.pool.clone(), clock, quick);
    let concern = AffectedKeys::Keys(vec![id(KEY)]);
    let draining = barrier.wait(committed, &concern, Wait::Drained);
    tokio::pin!(draining);
    let early = tokio::time::timeout(Duration::from_secs(4), &mut draining).await;
    assert!(early.is_err(), "it waits for the call: {early:?}");
    going.notify_one();
    let drained = draining.await.unwrap();
    assert_eq!((drained.nodes, drained.calls_in_flight), (Some(1), Some(0)));
    assert_eq!(calling.await.unwrap().status, 200);
}
