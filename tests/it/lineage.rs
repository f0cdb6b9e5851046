//! What a leaked key made: found to any depth whatever records are gone, and restricted without a gap where operators
//! chose that.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use akgate_api::receipts::Wait;
use akgate_client::signer::SigningCredentials;
use akgate_gateway::GateSettings;
use akgate_rules::{
    lineage::DescendantPolicy,
    restriction::{AcceptedConditions, LiftRule, Resolution},
};
use akgate_state::{
    approvals::{ChangeOutcome, FourEyes},
    audit::Actor,
    calls::artefacts::{self, LOOK_BACK, Review},
    clock::Clock,
    leaks::record::{
        Delivery, LeakReport, ReportGrounds, RestrictionInForce, SuspicionPolicy, record_reports,
    },
    live::barrier::AffectedKeys,
    restrictions::{
        descendants, descendants_approval as command,
        escalate::{EscalationRules, escalate_restriction},
        lift::{Lifting, lift_restriction},
        read,
    },
};
use axum::{Router, body::Body};
use http::Request;
use serde_json::{Value, json};
use sqlx::PgPool;
use time::{Duration, OffsetDateTime};
use tokio::sync::{Notify, mpsc};
use uuid::Uuid;

use crate::{
    database::TestDatabase,
    desk::Desk,
    harness::{ACCOUNT, Behind, NOW, Reply, TestClock, TestNode, id, lift_by_two},
    road::{RAM, STS},
};

const IMS: &str = "2019-08-15";
const KEY: &str = "LTAI5tFakeAlice";
const CLEAN: &str = "LTAI5tFakeClean";

/// Tells numbers apart in all tests of this process.
static NEXT: AtomicUsize = AtomicUsize::new(1);

/// What an IAM answers: new access keys and sessions, and yes to everything else.
fn iam_answer(query: &str) -> Value {
    let given = |name: &str| {
        form_urlencoded::parse(query.as_bytes())
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    match given("Action").as_str() {
        "CreateAccessKey" => json!({
            "RequestId": "x",
            "AccessKey": {
                "AccessKeyId": format!("LTAI5tFakeMade{number}"),
                "AccessKeySecret": format!("FakeSecretOfMade{number}"),
                "Status": "Active",
            },
        }),
        "AssumeRole" | "AssumeRoleWithSAML" | "AssumeRoleWithOIDC" => {
            let role = given("RoleArn");
            let role = role.rsplit('/').next().unwrap();
            json!({
                "RequestId": "x",
                "AssumedRoleUser": { "Arn": format!("acs:ram::{ACCOUNT}:role/{role}/s{number}") },
                "Credentials": {
                    "AccessKeyId": format!("STS.Fake{number}"),
                    "AccessKeySecret": format!("FakeSecretOfSession{number}"),
                    "SecurityToken": format!("FakeToken{number}"),
                    "Expiration": "2026-11-26T13:00:00Z",
                },
            })
        }
        _ => json!({ "RequestId": "x" }),
    }
}

/// The action and the parameters, wherever a scheme has them.
fn asked(request: &Request<Body>) -> String {
    let action = request.headers().get("x-acs-action");
    let action = action.map(|action| format!("Action={}", action.to_str().unwrap()));
    let query = request.uri().query().unwrap_or_default();
    format!("{query}&{}", action.unwrap_or_default())
}

fn iam() -> Router {
    Router::new()
        .fallback(|request: Request<Body>| async move { axum::Json(iam_answer(&asked(&request))) })
}

fn settings() -> GateSettings {
    GateSettings {
        anonymous: vec!["AssumeRoleWithSAML".into()],
        ..GateSettings::default()
    }
}

async fn node_with(database: &Arc<TestDatabase>, iam: Router) -> Arc<TestNode> {
    let clock = Arc::new(TestClock::at(NOW));
    let behind = Behind::Router(iam);
    Arc::new(TestNode::on(Arc::clone(database), clock, behind, settings()).await)
}

async fn node() -> Arc<TestNode> {
    node_with(&Arc::new(TestDatabase::new().await), iam()).await
}

impl TestNode {
    /// A call that the IAM says yes to.
    async fn make(&self, key: &SigningCredentials, action: &str, given: &[(&str, &str)]) -> Reply {
        let version = match action {
            "CreateSAMLProvider" | "GetAppSecret" => IMS,
            "AssumeRole" => STS,
            _ => RAM,
        };
        let reply = self.call(key, version, action, given).await;
        assert_eq!(reply.status, 200, "{action}: {}", reply.text);
        reply
    }

    /// A new access key of a user.
    async fn make_key(&self, by: &SigningCredentials, user: &str) -> SigningCredentials {
        let reply = self
            .make(by, "CreateAccessKey", &[("UserName", user)])
            .await;
        made_key(&reply)
    }

    async fn assume(&self, by: &SigningCredentials, role: &str) -> SigningCredentials {
        let arn = format!("acs:ram::{ACCOUNT}:role/{role}");
        let given = [("RoleArn", arn.as_str()), ("RoleSessionName", "s")];
        self.make(by, "AssumeRole", &given).await.session()
    }

    /// A session by the word of an identity provider alone.
    async fn federate(&self, provider: &str) -> SigningCredentials {
        self.lease().await;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", "AssumeRoleWithSAML")
            .append_pair("Version", STS)
            .append_pair("Format", "JSON")
            .append_pair("SAMLAssertion", "FakeAssertion")
            .append_pair("RoleArn", &format!("acs:ram::{ACCOUNT}:role/any"))
            .append_pair(
                "SAMLProviderArn",
                &format!("acs:ram::{ACCOUNT}:saml-provider/{provider}"),
            )
            .finish();
        let request = Request::get(format!("/?{form}"))
            .header("host", "gateway.test")
            .body(Body::empty())
            .unwrap();
        let reply = self.send(request).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.session()
    }

    /// Whether a change is refused because of a leak.
    async fn refuses(&self, key: &SigningCredentials) -> bool {
        self.node.feed().poll().await.unwrap();
        let reply = self
            .call(key, RAM, "CreateUser", &[("UserName", "x")])
            .await;
        match reply.status.as_u16() {
            200 => false,
            403 => true,
            _ => panic!("{}", reply.text),
        }
    }

    async fn leak(&self, key: &str, policy: DescendantPolicy) -> RestrictionInForce {
        self.leak_since(key, policy, None).await
    }

    async fn leak_since(
        &self,
        key: &str,
        policy: DescendantPolicy,
        first_seen: Option<OffsetDateTime>,
    ) -> RestrictionInForce {
        let delivery = Delivery {
            source: "test",
            actor: &Actor::Operator("olga".into()),
            grounds: ReportGrounds::Decision,
            suspicions: SuspicionPolicy::default(),
            descendants: policy,
            ledger: None,
        };
        let report = LeakReport {
            access_key_id: Some(id(key)),
            reference: Some(Uuid::new_v4().to_string()),
            first_seen,
            ..LeakReport::default()
        };
        let now = self.clock.now();
        let recorded = record_reports(&self.pool, &self.ring, &delivery, &[report], now).await;
        recorded.unwrap()[0].unwrap().restriction.unwrap()
    }

    async fn review(&self, key: &str, restriction_id: Uuid) -> Review {
        self.node.recorder().flush().await.unwrap();
        let mut db = self.pool.acquire().await.unwrap();
        let exposure = read::find_exposure(&mut db, restriction_id).await.unwrap();
        artefacts::read_review(&mut db, &id(key), restriction_id, &exposure.unwrap(), 1000)
            .await
            .unwrap()
    }
}

fn made_key(reply: &Reply) -> SigningCredentials {
    let member = |name: &str| reply.body["AccessKey"][name].as_str().unwrap().to_owned();
    SigningCredentials {
        access_key_id: member("AccessKeyId"),
        access_key_secret: member("AccessKeySecret"),
        security_token: None,
    }
}

async fn run(pool: &PgPool, statement: &'static str) {
    sqlx::query(statement).execute(pool).await.unwrap();
}

/// Keys of keys, a key that somebody else makes for a user of the leaked key, a role that somebody else assumes, and a
/// provider that needs no key at all; before the report and after it.
#[tokio::test(flavor = "multi_thread")]
async fn restriction_reaches_everything_that_the_leaked_key_made() {
    let node = node().await;
    let leaked = node.key(KEY, Some("alice")).await;
    let clean = node.key(CLEAN, Some("bob")).await;
    node.make(&leaked, "CreateUser", &[("UserName", "Mallory")])
        .await;
    let second = node.make_key(&leaked, "Mallory").await;
    let third = node.make_key(&second, "alice").await;
    let by_other = node.make_key(&clean, "Mallory").await;
    node.make(&third, "CreateRole", &[("RoleName", "Door")])
        .await;
    node.make(
        &second,
        "CreateSAMLProvider",
        &[("SAMLProviderName", "Okta")],
    )
    .await;
    let through_role = node.assume(&clean, "Door").await;
    let federated = node.federate("okta").await;
    let deeper = node.assume(&federated, "any").await;
    let of_federated = node.make_key(&deeper, "alice").await;
    let innocent = node.make_key(&clean, "bob").await;
    let all = [
        &second,
        &third,
        &by_other,
        &through_role,
        &federated,
        &deeper,
        &of_federated,
    ];
    for one in all {
        assert!(!node.refuses(one).await, "{}", one.access_key_id);
    }
    node.leak(KEY, DescendantPolicy::Restrict).await;
    for one in all {
        assert!(node.refuses(one).await, "{} is free", one.access_key_id);
    }
    // What comes through it afterwards is restricted at its birth.
    let later_key = node.make_key(&clean, "Mallory").await;
    let later_session = node.assume(&clean, "Door").await;
    let later_federated = node.federate("Okta").await;
    for one in [&later_key, &later_session, &later_federated] {
        assert!(node.refuses(one).await, "{} is free", one.access_key_id);
    }
    for one in [&clean, &innocent, &node.assume(&clean, "other").await] {
        assert!(
            !node.refuses(one).await,
            "{} is innocent",
            one.access_key_id
        );
    }
}

/// The upstream has made a key for the leaked one while that was restricted: the answer goes out when every node refuses
/// the new key.
#[tokio::test(flavor = "multi_thread")]
async fn key_that_is_created_while_the_restriction_is_written_does_not_slip_through() {
    let database = Arc::new(TestDatabase::new().await);
    let (reached, mut at_upstream) = mpsc::channel(1);
    let going = Arc::new(Notify::new());
    let gate = Arc::clone(&going);
    let held = Router::new().fallback(move |request: Request<Body>| {
        let (reached, going) = (reached.clone(), Arc::clone(&gate));
        async move {
            let query = asked(&request);
            if query.contains("CreateAccessKey") {
                reached.send(()).await.unwrap();
                going.notified().await;
            }
            axum::Json(iam_answer(&query))
        }
    });
    let (here, there) = (
        node_with(&database, iam()).await,
        node_with(&database, held).await,
    );
    let leaked = here.key(KEY, Some("alice")).await;
    there.node.feed().poll().await.unwrap();
    let creating = tokio::spawn({
        let there = Arc::clone(&there);
        async move { there.make_key(&leaked, "alice").await }
    });
    let reached = tokio::time::timeout(std::time::Duration::from_secs(20), at_upstream.recv());
    reached.await.unwrap().unwrap();
    let restriction = here.leak(KEY, DescendantPolicy::Restrict).await;
    let barrier = here.node.barrier();
    let waiting = barrier.wait(restriction.position, &AffectedKeys::All, Wait::Enforced);
    waiting.await.unwrap();
    going.notify_one();
    let made = creating.await.unwrap();
    for node in [&here, &there] {
        let given = [("UserName", "x")];
        // Without a poll of the test's own: the intent and the barrier see to it.
        let reply = node.call(&made, RAM, "CreateUser", &given).await;
        assert_eq!(reply.code(), "Forbidden", "{}", reply.text);
    }
}

/// The other order: the new key is committed, and the report that comes then finds it, at whatever node it was made.
#[tokio::test(flavor = "multi_thread")]
async fn report_finds_the_keys_that_another_node_has_just_added() {
    let database = Arc::new(TestDatabase::new().await);
    let (here, there) = (
        node_with(&database, iam()).await,
        node_with(&database, iam()).await,
    );
    let leaked = here.key(KEY, Some("alice")).await;
    there.node.feed().poll().await.unwrap();
    let made = there.make_key(&leaked, "alice").await;
    here.leak(KEY, DescendantPolicy::Restrict).await;
    for node in [&here, &there] {
        let reply = node
            .call(&made, RAM, "CreateUser", &[("UserName", "x")])
            .await;
        assert_eq!(reply.code(), "Forbidden", "{}", reply.text);
    }
}

/// Reports and creations at the same time, many times: none of the keys is free in the end.
#[tokio::test(flavor = "multi_thread")]
async fn no_order_of_reports_and_creations_leaves_a_key_free() {
    let node = node().await;
    let mut made = Vec::new();
    for number in 0..12 {
        let name = format!("LTAI5tFakeRace{number}");
        let leaked = node.key(&name, Some("alice")).await;
        let creating = {
            let (node, leaked) = (Arc::clone(&node), leaked.clone());
            tokio::spawn(async move {
                let mut keys = Vec::new();
                loop {
                    let given = [("UserName", "alice")];
                    let reply = node.call(&leaked, RAM, "CreateAccessKey", &given).await;
                    match reply.status.as_u16() {
                        200 => keys.push(made_key(&reply)),
                        _ => return keys,
                    }
                }
            })
        };
        node.leak(&name, DescendantPolicy::Restrict).await;
        made.extend(creating.await.unwrap());
    }
    for key in &made {
        assert!(
            node.refuses(key).await,
            "{} of {}",
            key.access_key_id,
            made.len()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lineage_survives_the_records_of_calls_and_sessions() {
    let node = node().await;
    let leaked = node.key(KEY, Some("alice")).await;
    node.make(&leaked, "CreateRole", &[("RoleName", "door")])
        .await;
    let session = node.assume(&leaked, "door").await;
    node.make(&session, "CreateUser", &[("UserName", "mallory")])
        .await;
    node.make(&session, "CreatePolicy", &[("PolicyName", "all")])
        .await;
    let made = node.make_key(&session, "mallory").await;
    node.node.recorder().flush().await.unwrap();
    run(&node.pool, "DELETE FROM sessions").await;
    run(&node.pool, "DELETE FROM intents").await;
    let restriction = node.leak(KEY, DescendantPolicy::Restrict).await;
    assert!(node.refuses(&made).await);
    let review = node.review(KEY, restriction.restriction_id).await;
    let ids: Vec<&str> = review.artefacts.iter().map(|one| one.id.as_str()).collect();
    let key = format!("made:{}", made.access_key_id);
    for expected in [
        format!("made:user:{ACCOUNT}/mallory"),
        format!("made:role:{ACCOUNT}/door"),
        format!("made:policy:{ACCOUNT}/all"),
        key,
    ] {
        assert!(
            ids.contains(&expected.as_str()),
            "{expected} is not in {ids:?}"
        );
    }
}

/// A user keeps its lineage under another name; one that is made anew under an old name is another.
#[tokio::test(flavor = "multi_thread")]
async fn renamed_user_keeps_its_lineage_and_a_new_one_of_its_name_has_none() {
    let node = node().await;
    let leaked = node.key(KEY, Some("alice")).await;
    let clean = node.key(CLEAN, Some("bob")).await;
    node.make(&leaked, "CreateUser", &[("UserName", "one")])
        .await;
    node.make(&leaked, "CreateUser", &[("UserName", "two")])
        .await;
    node.make(
        &clean,
        "UpdateUser",
        &[("UserName", "one"), ("NewUserName", "renamed")],
    )
    .await;
    node.make(&clean, "DeleteUser", &[("UserName", "two")])
        .await;
    node.make(&clean, "CreateUser", &[("UserName", "two")])
        .await;
    let renamed = node.make_key(&clean, "renamed").await;
    let anew = node.make_key(&clean, "two").await;
    node.leak(KEY, DescendantPolicy::Restrict).await;
    assert!(node.refuses(&renamed).await);
    assert!(!node.refuses(&anew).await);
}

/// What the upstream refused was not made.
#[tokio::test(flavor = "multi_thread")]
async fn failed_creation_leaves_no_lineage() {
    let refusing = Router::new().fallback(|| async {
        (
            http::StatusCode::CONFLICT,
            axum::Json(json!({ "Code": "EntityAlreadyExists.Role" })),
        )
    });
    let node = node_with(&Arc::new(TestDatabase::new().await), refusing).await;
    let leaked = node.key(KEY, Some("alice")).await;
    let given = [("RoleName", "door")];
    let reply = node.call(&leaked, RAM, "CreateRole", &given).await;
    assert_eq!(reply.status, 409);
    let count = async || -> i64 {
        let count = sqlx::query_scalar("SELECT count(*) FROM creations");
        count.fetch_one(&node.pool).await.unwrap()
    };
    assert_eq!(count().await, 1, "it is written with the intent");
    node.node.recorder().flush().await.unwrap();
    assert_eq!(count().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn suspects_are_restricted_by_one_command_and_by_two_people_if_they_are_many() {
    let node = node().await;
    let leaked = node.key(KEY, Some("alice")).await;
    let first = node.make_key(&leaked, "alice").await;
    let second = node.make_key(&first, "alice").await;
    let restriction = node
        .leak(KEY, DescendantPolicy::Suspect)
        .await
        .restriction_id;
    assert!(!node.refuses(&first).await && !node.refuses(&second).await);
    let olga = Actor::Operator("olga".into());
    let few = FourEyes {
        descendants_approval_above: 1,
        ..FourEyes::default()
    };
    let rehearsal = command::rehearse_descendants(&node.pool, restriction, few, NOW)
        .await
        .unwrap();
    assert!(rehearsal.needs_approval);
    let mut ids: Vec<&str> = rehearsal
        .restricted
        .iter()
        .map(akgate_rules::access_key::AccessKeyId::as_str)
        .collect();
    ids.sort_unstable();
    let mut both = [first.access_key_id.as_str(), second.access_key_id.as_str()];
    both.sort_unstable();
    assert_eq!(ids, both);
    let asked =
        command::restrict_all_descendants(&node.pool, restriction, "sure", &olga, few, NOW).await;
    assert!(matches!(asked.unwrap(), ChangeOutcome::AwaitsApproval(_)));
    assert!(
        !node.refuses(&first).await,
        "one person alone restricts only a few"
    );
    let eyes = FourEyes::default();
    let done =
        command::restrict_all_descendants(&node.pool, restriction, "sure", &olga, eyes, NOW).await;
    assert!(matches!(done.unwrap(), ChangeOutcome::Done(_)));
    assert!(node.refuses(&first).await && node.refuses(&second).await);
}

/// A lift of the leaked key leaves its descendants restricted, unless two operators say otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn descendants_are_lifted_with_their_ancestor_only_as_operators_say() {
    let node = node().await;
    let leaked = node.key(KEY, Some("alice")).await;
    let made = node.make_key(&leaked, "alice").await;
    let restriction = node
        .leak(KEY, DescendantPolicy::Restrict)
        .await
        .restriction_id;
    let confirm = "UPDATE restrictions SET state = 'Confirmed', confirmed_at = imposed_at, confirmed_by = 'contact:x'
         WHERE ancestor_id IS NULL AND state <> 'Lifted'";
    run(&node.pool, confirm).await;
    lift_by_two(&node.pool, restriction, NOW).await;
    assert!(!node.refuses(&leaked).await);
    assert!(node.refuses(&made).await, "nobody said anything of it");
    let again = node
        .leak(KEY, DescendantPolicy::Restrict)
        .await
        .restriction_id;
    run(&node.pool, confirm).await;
    run(
        &node.pool,
        "UPDATE access_keys SET status = 'Inactive' WHERE access_key_id = 'LTAI5tFakeAlice'",
    )
    .await;
    let lifting = Lifting {
        resolution: Resolution::Rotated,
        reason: "all of it is ours".into(),
        accepts: AcceptedConditions::default(),
        with_descendants: true,
    };
    let olga = Actor::Operator("olga".into());
    let eyes = FourEyes::default();
    let asked = lift_restriction(&node.pool, again, &lifting, &olga, eyes, None, NOW).await;
    let ChangeOutcome::AwaitsApproval(approval) = asked.unwrap() else {
        panic!("one operator frees what nobody has confirmed");
    };
    let anna = Actor::Operator("anna".into());
    akgate_state::approval_decisions::grant_approval(&node.pool, approval, &anna, None, NOW)
        .await
        .unwrap();
    assert!(!node.refuses(&made).await);
}

/// Without a first sighting everything on record is looked at; with one, what came since.
#[tokio::test(flavor = "multi_thread")]
async fn review_goes_back_as_far_as_the_records_unless_it_is_known_since_when_the_key_was_public() {
    let node = node().await;
    let leaked = node.key(KEY, Some("alice")).await;
    node.make(&leaked, "CreateUser", &[("UserName", "mallory")])
        .await;
    let made = node.make_key(&leaked, "mallory").await;
    node.make(
        &made,
        "AttachPolicyToUser",
        &[
            ("PolicyName", "AdministratorAccess"),
            ("UserName", "mallory"),
        ],
    )
    .await;
    node.make(&leaked, "GetAppSecret", &[("AppId", "7")]).await;
    node.make(&leaked, "SomethingNew", &[]).await;
    node.clock.advance(Duration::hours(1));
    let restriction = node
        .leak(KEY, DescendantPolicy::Suspect)
        .await
        .restriction_id;
    let review = node.review(KEY, restriction).await;
    assert_eq!(review.look_back, Some(false));
    for action in [
        "CreateUser",
        "CreateAccessKey",
        "AttachPolicyToUser",
        "GetAppSecret",
        "SomethingNew",
    ] {
        let found = review.artefacts.iter().find(|one| one.action == action);
        let found = found.unwrap_or_else(|| panic!("{action} is not in {review:?}"));
        assert!(found.is_before_known, "{found:?}");
    }
    let by_made = review
        .artefacts
        .iter()
        .find(|one| one.action == "AttachPolicyToUser");
    assert!(by_made.unwrap().done_by.is_some());

    let other = node.key("LTAI5tFakeOther", Some("bob")).await;
    node.make(&other, "CreateUser", &[("UserName", "early")])
        .await;
    node.clock.advance(Duration::hours(2));
    node.make(&other, "CreateUser", &[("UserName", "late")])
        .await;
    let since = Some(node.clock.now() - Duration::hours(1));
    node.clock.advance(Duration::minutes(1));
    let restriction = node
        .leak_since("LTAI5tFakeOther", DescendantPolicy::Suspect, since)
        .await
        .restriction_id;
    let review = node.review("LTAI5tFakeOther", restriction).await;
    assert_eq!(review.look_back, None);
    let names: Vec<&str> = review
        .artefacts
        .iter()
        .flat_map(|one| &one.names)
        .map(String::as_str)
        .collect();
    assert!(
        names.contains(&"late") && !names.contains(&"early"),
        "{names:?}"
    );
}

/// Facts alone lift nothing of which nobody knows since when it was public, before the owner has looked back.
#[tokio::test(flavor = "multi_thread")]
async fn policy_lifts_without_a_first_sighting_only_after_the_owner_has_looked_back() {
    let node = node().await;
    node.key(KEY, Some("alice")).await;
    let restriction = node
        .leak(KEY, DescendantPolicy::Suspect)
        .await
        .restriction_id;
    run(&node.pool, "UPDATE access_keys SET status = 'Deleted'").await;
    let rules = EscalationRules {
        lift: LiftRule::AutoLift,
        ..EscalationRules::default()
    };
    let examine = async || {
        run(
            &node.pool,
            "UPDATE restrictions SET next_check_at = imposed_at",
        )
        .await;
        escalate_restriction(&node.pool, restriction, &rules, NOW)
            .await
            .unwrap()
            .lifted
    };
    assert!(
        !examine().await,
        "nothing was done with it, and nothing was ticked"
    );
    let mut db = node.pool.acquire().await.unwrap();
    let ticked = [LOOK_BACK.to_owned()];
    artefacts::acknowledge_artefacts(&mut db, restriction, &ticked, "contact:x", NOW)
        .await
        .unwrap();
    assert!(examine().await);
}

/// A report that gives no time leaves open since when the key was public, whatever another report says.
#[tokio::test(flavor = "multi_thread")]
async fn exposure_is_known_only_if_every_report_gives_a_time() {
    let node = node().await;
    node.key(KEY, Some("alice")).await;
    let hour_ago = Some(NOW - Duration::HOUR);
    let restriction = node
        .leak_since(KEY, DescendantPolicy::Suspect, hour_ago)
        .await
        .restriction_id;
    let exposure = async || {
        let mut db = node.pool.acquire().await.unwrap();
        read::find_exposure(&mut db, restriction)
            .await
            .unwrap()
            .unwrap()
    };
    assert_eq!(exposure().await.first_seen, hour_ago);
    node.leak(KEY, DescendantPolicy::Suspect).await;
    assert_eq!(exposure().await.first_seen, None);
}

/// What an operator has freed stays free while its ancestor is restricted, with what it makes.
#[tokio::test(flavor = "multi_thread")]
async fn descendant_that_was_freed_alone_stays_free() {
    let node = node().await;
    let leaked = node.key(KEY, Some("alice")).await;
    let made = node.make_key(&leaked, "alice").await;
    let restriction = node
        .leak(KEY, DescendantPolicy::Restrict)
        .await
        .restriction_id;
    run(&node.pool, "UPDATE restrictions SET state = 'Confirmed', confirmed_at = imposed_at, confirmed_by = 'contact:x'").await;
    let own: Uuid =
        sqlx::query_scalar("SELECT restriction_id FROM restrictions WHERE ancestor_id IS NOT NULL")
            .fetch_one(&node.pool)
            .await
            .unwrap();
    lift_by_two(&node.pool, own, NOW).await;
    assert!(!node.refuses(&made).await);
    let of_freed = node.make_key(&made, "alice").await;
    assert!(!node.refuses(&of_freed).await);
    let olga = Actor::Operator("olga".into());
    let eyes = FourEyes::default();
    command::restrict_all_descendants(&node.pool, restriction, "again", &olga, eyes, NOW)
        .await
        .unwrap();
    assert!(!node.refuses(&made).await);
    let mut db = node.pool.acquire().await.unwrap();
    let all =
        descendants::list_descendants(&mut db, restriction, OffsetDateTime::UNIX_EPOCH, NOW, 10)
            .await;
    let all = all.unwrap();
    let keys = all.iter().filter(|one| one.kind == "key").count();
    assert_eq!(keys, 2, "they are shown all the same: {all:?}");
}

#[tokio::test]
async fn operators_look_at_descendants_and_restrict_them_with_a_receipt() {
    let desk = Desk::behind(Behind::Router(iam())).await;
    let leaked = desk.node.key(KEY, Some("alice")).await;
    desk.node
        .make(&leaked, "CreateUser", &[("UserName", "mallory")])
        .await;
    let made = desk.node.make_key(&leaked, "mallory").await;
    let (_, restriction) = desk.report(KEY, "finding-1").await;
    let listed = desk
        .get(&format!("restrictions/{restriction}/descendants"))
        .await;
    assert_eq!(listed["since"], Value::Null);
    let kinds: Vec<&str> = listed["descendants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["kind"].as_str().unwrap())
        .collect();
    assert!(
        kinds.contains(&"user") && kinds.contains(&"key"),
        "{listed}"
    );
    let path = format!("restrictions/{restriction}:restrict_descendants");
    let rehearsal = json!({ "reason": "sure", "dry_run": true });
    let (status, rehearsed) = desk.post(&path, rehearsal).await;
    assert_eq!((status, &rehearsed["dry_run"]), (200, &Value::Bool(true)));
    assert_eq!(rehearsed["restricted"], json!([made.access_key_id]));
    assert!(!desk.node.refuses(&made).await);
    let (status, done) = desk.post(&path, json!({ "reason": "sure" })).await;
    assert_eq!(status, 200, "{done}");
    assert_eq!(done["restricted"], json!([made.access_key_id]));
    assert!(done["receipt"]["nodes"].is_number(), "{done}");
    assert!(desk.node.refuses(&made).await);
    let view = desk
        .get(&format!(
            "restrictions?access_key_id={}",
            made.access_key_id
        ))
        .await;
    let view = &view["restrictions"][0];
    assert_eq!(view["cause"], "Descendant");
    assert_eq!(view["ancestor_restriction_id"], restriction.as_str());
    let lift = json!({
        "resolution": "FalsePositive",
        "reason": "all of it is ours",
        "accept_active_key": true,
        "accept_no_confirmation": true,
        "with_descendants": true,
    });
    let (status, waits) = desk
        .post(&format!("restrictions/{restriction}:lift"), lift)
        .await;
    assert_eq!(status, 202);
    desk.approve(&waits).await;
    assert!(!desk.node.refuses(&made).await && !desk.node.refuses(&leaked).await);
}
