//! The request road as a whole: signed requests through every station, on a real PostgreSQL.

use std::sync::{Arc, atomic::Ordering};

use akgate_client::signer::{ApiCall, SigningCredentials, sign_request};
use akgate_rules::{
    operation::{Catalogue, Effect, MutationKind, Product},
    verdict::Profile,
};
use akgate_state::{
    audit::Actor,
    calls::activity,
    clock::Clock,
    restrictions::{
        accounts::{self, AccountSetting},
        confirm::confirm_by_ticket,
        escalate::{self, EscalationRules},
    },
};
use axum::{Router, body::Body};
use http::StatusCode;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use crate::{
    harness::{ACCOUNT, Behind, TestNode, id, in_origin_form, lift_by_two},
    wait::eventually,
};

pub const RAM: &str = "2015-05-01";
pub const STS: &str = "2015-04-01";

pub async fn confirm_and_lift(node: &TestNode, restriction: uuid::Uuid) {
    let actor = Actor::Operator("tester".into());
    confirm_by_ticket(
        &node.pool,
        restriction,
        &actor,
        "T-1",
        None,
        node.clock.now(),
    )
    .await
    .unwrap();
    lift_by_two(&node.pool, restriction, node.clock.now()).await;
    node.node.feed().poll().await.unwrap();
}

pub async fn role(node: &TestNode, root: &SigningCredentials, name: &str) -> String {
    let trust = format!(
        r#"{{"Version":"1","Statement":[{{"Action":"sts:AssumeRole","Effect":"Allow","Principal":{{"RAM":["acs:ram::{ACCOUNT}:root"]}}}}]}}"#
    );
    let made = node
        .call(
            root,
            RAM,
            "CreateRole",
            &[("RoleName", name), ("AssumeRolePolicyDocument", &trust)],
        )
        .await;
    made.body["Role"]["Arn"].as_str().unwrap().to_owned()
}

pub async fn assume(node: &TestNode, key: &SigningCredentials, role: &str) -> SigningCredentials {
    let reply = node
        .call(
            key,
            STS,
            "AssumeRole",
            &[("RoleArn", role), ("RoleSessionName", "test")],
        )
        .await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    reply.session()
}

pub async fn create_user(node: &TestNode, key: &SigningCredentials, name: &str) -> (u16, String) {
    let reply = node
        .call(key, RAM, "CreateUser", &[("UserName", name)])
        .await;
    (reply.status.as_u16(), reply.code().to_owned())
}

pub fn passed() -> (u16, String) {
    (200, String::new())
}

pub fn forbidden() -> (u16, String) {
    (403, "Forbidden".to_owned())
}

/// The one property that this product exists for, through the whole road, over every operation of the
/// catalogue and any other name, in both profiles.
#[test]
fn restricted_key_is_always_refused_and_clean_key_never() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let node = runtime.block_on(TestNode::new(Behind::Yes));
    let (clean, leaked) = runtime.block_on(async {
        let clean = node.key("LTAI5tFakeClean", Some("bob")).await;
        let leaked = node.key("LTAI5tFakeLeaked", Some("alice")).await;
        node.report("LTAI5tFakeLeaked").await;
        node.node.feed().poll().await.unwrap();
        (clean, leaked)
    });
    let catalogue = Catalogue::built_in().unwrap();
    let listed: Vec<(String, String)> = catalogue
        .operations()
        .map(|operation| {
            (
                operation.version().to_owned(),
                operation.action().to_owned(),
            )
        })
        .collect();
    let versions: Vec<String> = ["2015-05-01", "2019-08-15", "2015-04-01", "2020-03-31"]
        .map(str::to_owned)
        .into();
    let any = prop_oneof![
        4 => proptest::sample::select(listed),
        1 => (proptest::sample::select(versions), "[A-Za-z]{1,24}"),
    ];
    let strategy = (any, proptest::bool::ANY, proptest::bool::ANY);
    let mut runner = TestRunner::new(Config {
        cases: 400,
        failure_persistence: None,
        ..Config::default()
    });
    let mut refusals = 0;
    let counted = std::cell::RefCell::new(&mut refusals);
    runner
        .run(&strategy, |((version, action), strict, status_given)| {
            runtime.block_on(async {
                let actor = Actor::Operator("tester".into());
                let setting = AccountSetting::Profile(strict.then_some(Profile::Strict));
                let now = node.clock.now();
                accounts::set_account(&node.pool, ACCOUNT, setting, &actor, None, now)
                    .await
                    .unwrap();
                node.node.feed().poll().await.unwrap();
                let own = [
                    ("UserAccessKeyId", leaked.access_key_id.as_str()),
                    ("Status", "Inactive"),
                ];
                let parameters = if status_given { &own[..] } else { &[] };
                let operation = catalogue.operation(&version, &action).unwrap();
                let before = node.reached.load(Ordering::SeqCst);
                let refused = node.call(&leaked, &version, &action, parameters).await;
                let got_through = node.reached.load(Ordering::SeqCst) > before;
                let dangerous = match operation.effect() {
                    Effect::Mutate(
                        MutationKind::Identity
                        | MutationKind::Credential
                        | MutationKind::Permission,
                    )
                    | Effect::Disclose
                    | Effect::Unknown => true,
                    Effect::Read
                    | Effect::Mutate(MutationKind::Other)
                    | Effect::MintSession
                    | Effect::Uncatalogued => false,
                };
                if dangerous {
                    prop_assert!(!got_through, "{} {} got through", version, action);
                    prop_assert_eq!(refused.status.as_u16(), 403);
                    prop_assert_eq!(refused.code(), "Forbidden");
                    **counted.borrow_mut() += 1;
                }
                let before = node.reached.load(Ordering::SeqCst);
                let of_ims = operation.product() == &Product::Ims;
                let (user, renamed) = match of_ims {
                    true => ("UserPrincipalName", "NewUserPrincipalName"),
                    false => ("UserName", "NewUserName"),
                };
                let mut others = vec![(user, "nobody@example.com")];
                if action == "UpdateUser" {
                    others.push((renamed, "other@example.com"));
                }
                if action == "UpdateAccessKey" {
                    others.push(("Status", "Inactive"));
                }
                if action.contains("AccessKey") && action != "CreateAccessKey" {
                    others.push(("UserAccessKeyId", "LTAI5tFakeOther"));
                }
                let reply = node.call(&clean, &version, &action, &others).await;
                let code = reply.code();
                prop_assert!(
                    code != "Forbidden",
                    "{} {}: {}",
                    version,
                    action,
                    reply.text
                );
                // A lesson that the stand-in does not teach is the only thing that fails.
                let got_through = node.reached.load(Ordering::SeqCst) > before;
                prop_assert!(got_through, "{} {}: {}", version, action, reply.text);
                Ok(())
            })
        })
        .unwrap();
    assert!(refusals > 100, "{refusals} refusals only");
}

#[tokio::test]
async fn session_inherits_through_chains_of_three_and_stays_restricted_after_the_lift() {
    let node = TestNode::new(Behind::Sandbox).await;
    let root = node.key("LTAI5tFakeRoot", None).await;
    let alice = node.key("LTAI5tFakeAlice", Some("alice")).await;
    let role = role(&node, &root, "chain").await;
    let first = assume(&node, &alice, &role).await;
    let second = assume(&node, &first, &role).await;
    let third = assume(&node, &second, &role).await;
    for (session, name) in [(&first, "a1"), (&second, "a2"), (&third, "a3")] {
        assert_eq!(create_user(&node, session, name).await, passed());
    }
    let recorded = node.report("LTAI5tFakeAlice").await;
    node.node.feed().poll().await.unwrap();
    for session in [&first, &second, &third] {
        assert_eq!(create_user(&node, session, "no").await, forbidden());
        let list = node.call(session, RAM, "ListUsers", &[]).await;
        assert_eq!(list.status, StatusCode::OK);
    }
    // A session of a session that is asked for while restricted, and one that is asked for after the lift.
    let during = assume(&node, &third, &role).await;
    confirm_and_lift(&node, recorded.restriction_id).await;
    assert_eq!(create_user(&node, &alice, "free").await, passed());
    let of_old = assume(&node, &second, &role).await;
    for session in [&first, &second, &third, &during, &of_old] {
        assert_eq!(create_user(&node, session, "no").await, forbidden());
    }
    let fresh = assume(&node, &alice, &role).await;
    assert_eq!(create_user(&node, &fresh, "b1").await, passed());
    let chained = assume(&node, &fresh, &role).await;
    assert_eq!(create_user(&node, &chained, "b2").await, passed());
}

#[tokio::test]
async fn session_asked_for_before_a_lift_and_answered_after_it_stays_restricted() {
    let (reached, at_upstream) = tokio::sync::oneshot::channel();
    let (go, going) = tokio::sync::oneshot::channel::<()>();
    let held = Arc::new(std::sync::Mutex::new(Some((reached, going))));
    let upstream = Router::new().fallback(move || {
        let held = held.lock().unwrap().take();
        async move {
            if let Some((reached, going)) = held {
                reached.send(()).unwrap();
                going.await.unwrap();
                return axum::Json(serde_json::json!({
                    "RequestId": "x",
                    "AssumedRoleUser": { "Arn": format!("acs:ram::{ACCOUNT}:role/r/s") },
                    "Credentials": {
                        "AccessKeyId": "STS.FakeInFlight",
                        "AccessKeySecret": "FakeSecretInFlight",
                        "SecurityToken": "FakeTokenInFlight",
                        "Expiration": "2026-11-26T13:00:00Z",
                    },
                }));
            }
            axum::Json(serde_json::json!({ "RequestId": "x" }))
        }
    });
    let node = Arc::new(TestNode::new(Behind::Router(upstream)).await);
    let alice = node.key("LTAI5tFakeAlice", Some("alice")).await;
    let recorded = node.report("LTAI5tFakeAlice").await;
    node.node.feed().poll().await.unwrap();
    let asking = {
        let (node, alice) = (Arc::clone(&node), alice.clone());
        tokio::spawn(async move {
            node.call(
                &alice,
                STS,
                "AssumeRole",
                &[("RoleArn", "x"), ("RoleSessionName", "s")],
            )
            .await
        })
    };
    at_upstream.await.unwrap();
    confirm_and_lift(&node, recorded.restriction_id).await;
    go.send(()).unwrap();
    let session = asking.await.unwrap().session();
    assert_eq!(create_user(&node, &session, "no").await, forbidden());
    assert_eq!(create_user(&node, &alice, "yes").await, passed());
}

#[tokio::test]
async fn lifted_key_reported_again_is_restricted_again() {
    let node = TestNode::new(Behind::Sandbox).await;
    let root = node.key("LTAI5tFakeRoot", None).await;
    let alice = node.key("LTAI5tFakeAlice", Some("alice")).await;
    let recorded = node.report("LTAI5tFakeAlice").await;
    node.node.feed().poll().await.unwrap();
    let set = async |status| {
        let parameters = [
            ("UserName", "alice"),
            ("UserAccessKeyId", "LTAI5tFakeAlice"),
            ("Status", status),
        ];
        let reply = node.call(&root, RAM, "UpdateAccessKey", &parameters).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    };
    set("Inactive").await;
    let refused = node.call(&alice, RAM, "ListUsers", &[]).await;
    assert_eq!(refused.code(), "InvalidAccessKeyId.Inactive");
    confirm_and_lift(&node, recorded.restriction_id).await;
    set("Active").await;
    assert_eq!(create_user(&node, &alice, "no").await, forbidden());
    let list = node.call(&alice, RAM, "ListUsers", &[]).await;
    assert_eq!(list.status, StatusCode::OK);
}

#[tokio::test]
async fn key_created_through_the_gateway_works_at_once_and_stops_when_deleted() {
    let node = TestNode::new(Behind::Sandbox).await;
    let root = node.key("LTAI5tFakeRoot", None).await;
    assert_eq!(create_user(&node, &root, "carol").await, passed());
    for format in ["JSON", "XML"] {
        let made = node
            .call(
                &root,
                RAM,
                "CreateAccessKey",
                &[("UserName", "carol"), ("Format", format)],
            )
            .await;
        let member = |name: &str| match format {
            "JSON" => made.body["AccessKey"][name].as_str().unwrap().to_owned(),
            _ => {
                let (_, rest) = made.text.split_once(&format!("<{name}>")).unwrap();
                rest.split_once('<').unwrap().0.to_owned()
            }
        };
        let key = SigningCredentials {
            access_key_id: member("AccessKeyId"),
            access_key_secret: member("AccessKeySecret"),
            security_token: None,
        };
        let identity = node.call(&key, STS, "GetCallerIdentity", &[]).await;
        assert_eq!(
            identity.body["Arn"],
            format!("acs:ram::{ACCOUNT}:user/carol")
        );
        let gone = node
            .call(
                &root,
                RAM,
                "DeleteAccessKey",
                &[
                    ("UserName", "carol"),
                    ("UserAccessKeyId", &key.access_key_id),
                ],
            )
            .await;
        assert_eq!(gone.status, StatusCode::OK, "{}", gone.text);
        let after = node.call(&key, STS, "GetCallerIdentity", &[]).await;
        assert_eq!(after.code(), "InvalidAccessKeyId.NotFound");
    }
}

#[tokio::test]
async fn replay_is_refused_here_and_a_mutation_at_every_node() {
    let first = TestNode::new(Behind::Yes).await;
    let key = first.key("LTAI5tFakeAlice", Some("alice")).await;
    let second = TestNode::on(
        Arc::clone(&first.database),
        Arc::clone(&first.clock),
        Behind::Yes,
        akgate_gateway::GateSettings::default(),
    )
    .await;
    for (action, second_node) in [("CreateUser", "SignatureNonceUsed"), ("ListUsers", "")] {
        let api = ApiCall {
            version: RAM,
            action,
            parameters: &[("UserName", "x")],
        };
        let again = || {
            let request =
                sign_request("http://gateway.test", &key, api, first.clock.now()).unwrap();
            in_origin_form(request.map(Body::new))
        };
        let (request, mut twin, mut third) = (again(), again(), again());
        *twin.headers_mut() = request.headers().clone();
        *third.headers_mut() = request.headers().clone();
        assert_eq!(first.send(request).await.status, StatusCode::OK);
        assert_eq!(first.send(twin).await.code(), "SignatureNonceUsed");
        // A read that is replayed elsewhere is accepted: docs/adr/0005.
        assert_eq!(second.send(third).await.code(), second_node, "{action}");
    }
}

#[tokio::test]
async fn mutation_is_refused_by_a_restriction_unknown_to_this_node() {
    let node = TestNode::new(Behind::Yes).await;
    let key = node.key("LTAI5tFakeAlice", Some("alice")).await;
    let before = node.node.feed().revision();
    node.report("LTAI5tFakeAlice").await;
    assert_eq!(node.node.feed().revision(), before, "nobody has polled");
    assert_eq!(create_user(&node, &key, "no").await, forbidden());
    assert_eq!(node.reached.load(Ordering::SeqCst), 0);
    let open: i64 = sqlx::query_scalar("SELECT count(*) FROM intents WHERE outcome IS NULL")
        .fetch_one(&node.pool)
        .await
        .unwrap();
    node.node.recorder().flush().await.unwrap();
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM intents WHERE outcome = 'NotForwarded'")
            .fetch_one(&node.pool)
            .await
            .unwrap();
    assert_eq!((open, left), (1, 1));
}

#[tokio::test]
async fn upstream_answer_that_cannot_be_recorded_is_an_error_and_is_marked() {
    let upstream = Router::new().fallback(|| async { axum::Json(serde_json::json!({})) });
    let node = TestNode::new(Behind::Router(upstream)).await;
    let root = node.key("LTAI5tFakeRoot", None).await;
    let reply = node
        .call(&root, RAM, "CreateAccessKey", &[("UserName", "alice")])
        .await;
    assert_eq!(
        (reply.status.as_u16(), reply.code()),
        (500, "InternalError")
    );
    node.node.recorder().flush().await.unwrap();
    let outcome: String = sqlx::query_scalar("SELECT outcome FROM intents")
        .fetch_one(&node.pool)
        .await
        .unwrap();
    assert_eq!(outcome, "NotRecorded");
}

#[tokio::test]
async fn activity_lists_what_a_key_did() {
    let node = TestNode::new(Behind::Sandbox).await;
    let root = node.key("LTAI5tFakeRoot", None).await;
    let alice = node.key("LTAI5tFakeAlice", Some("alice")).await;
    let role = role(&node, &root, "deployer").await;
    let session = assume(&node, &alice, &role).await;
    assert_eq!(create_user(&node, &alice, "dave").await, passed());
    let twice = create_user(&node, &alice, "dave").await;
    assert_eq!(twice, (409, "EntityAlreadyExists.User".to_owned()));
    node.report("LTAI5tFakeAlice").await;
    node.node.feed().poll().await.unwrap();
    for _ in 0..3 {
        assert_eq!(create_user(&node, &alice, "eve").await, forbidden());
    }
    node.call(&alice, RAM, "ListUsers", &[]).await;
    node.node.recorder().flush().await.unwrap();
    let activity = activity::read_key_activity(&node.pool, &id("LTAI5tFakeAlice"), 100)
        .await
        .unwrap();
    let outcomes: Vec<_> = activity
        .intents
        .iter()
        .map(|intent| {
            (
                intent.action.as_str(),
                intent.outcome.as_deref().unwrap(),
                intent.code.as_deref().unwrap_or_default(),
            )
        })
        .collect();
    assert_eq!(outcomes.len(), 3);
    for wanted in [
        ("CreateUser", "Failed", "EntityAlreadyExists.User"),
        ("CreateUser", "Succeeded", ""),
        ("AssumeRole", "Succeeded", ""),
    ] {
        assert!(outcomes.contains(&wanted), "{outcomes:?}");
    }
    let names: Vec<_> = activity
        .intents
        .iter()
        .map(|intent| intent.names.clone())
        .collect();
    assert!(names.contains(&serde_json::json!({ "UserName": "dave" })));
    assert_eq!(activity.refusals.len(), 3);
    let count = |action: &str| {
        let count = activity.counts.iter().find(|one| one.action == action);
        count.map(|one| (one.forwarded, one.refused)).unwrap()
    };
    assert_eq!(count("CreateUser"), (2, 3));
    assert_eq!(count("ListUsers"), (1, 0));
    assert_eq!(activity.sessions.len(), 1);
    assert_eq!(activity.sessions[0].access_key_id, session.access_key_id);
    assert_eq!(
        activity.sessions[0].parent_access_key_id.as_deref(),
        Some("LTAI5tFakeAlice")
    );
}

#[tokio::test]
async fn session_is_refused_without_its_token_or_after_its_expiry() {
    let node = TestNode::new(Behind::Sandbox).await;
    let root = node.key("LTAI5tFakeRoot", None).await;
    let alice = node.key("LTAI5tFakeAlice", Some("alice")).await;
    let role = role(&node, &root, "short").await;
    let session = assume(&node, &alice, &role).await;
    let with = async |credentials: SigningCredentials| {
        let reply = node.call(&credentials, RAM, "ListUsers", &[]).await;
        reply.code().to_owned()
    };
    let other = |token: Option<&str>| SigningCredentials {
        security_token: token.map(str::to_owned),
        ..session.clone()
    };
    assert_eq!(with(session.clone()).await, "");
    assert_eq!(with(other(None)).await, "MissingSecurityToken");
    let mismatch = "InvalidSecurityToken.MismatchWithAccessKey";
    assert_eq!(with(other(Some("FakeToken"))).await, mismatch);
    let pair_with_token = SigningCredentials {
        security_token: session.security_token.clone(),
        ..alice
    };
    assert_eq!(with(pair_with_token).await, mismatch);
    node.clock.advance(time::Duration::minutes(59));
    assert_eq!(with(session.clone()).await, "");
    node.clock.advance(time::Duration::minutes(1));
    assert_eq!(with(session).await, "InvalidSecurityToken.Expired");
}

#[tokio::test]
async fn federated_call_without_a_key_passes_only_if_configured() {
    let upstream = || {
        Router::new().fallback(|| async {
            axum::Json(serde_json::json!({
                "RequestId": "x",
                "AssumedRoleUser": { "Arn": format!("acs:ram::{ACCOUNT}:role/sso/carol") },
                "Credentials": {
                    "AccessKeyId": "STS.FakeFederated",
                    "AccessKeySecret": "FakeSecretFederated",
                    "SecurityToken": "FakeTokenFederated",
                    "Expiration": "2026-11-26T13:00:00Z",
                },
            }))
        })
    };
    let ask = || {
        let body = "Action=AssumeRoleWithSAML&Version=2015-04-01&SAMLAssertion=FakeAssertion";
        http::Request::post("/")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(body))
            .unwrap()
    };
    let closed = TestNode::new(Behind::Router(upstream())).await;
    assert_eq!(closed.send(ask()).await.code(), "MissingAccessKeyId");
    let settings = akgate_gateway::GateSettings {
        anonymous: vec!["AssumeRoleWithSAML".into()],
        ..Default::default()
    };
    let (database, clock) = (Arc::clone(&closed.database), Arc::clone(&closed.clock));
    let open = TestNode::on(database, clock, Behind::Router(upstream()), settings).await;
    let reply = open.send(ask()).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    let list = open.call(&reply.session(), RAM, "ListUsers", &[]).await;
    assert_eq!(list.status, StatusCode::OK, "{}", list.text);
}

#[tokio::test]
async fn shadow_mode_forwards_and_records_would_be_refusals() {
    let first = TestNode::new(Behind::Yes).await;
    let key = first.key("LTAI5tFakeAlice", Some("alice")).await;
    first.report("LTAI5tFakeAlice").await;
    let settings = akgate_gateway::GateSettings {
        policy: akgate_rules::verdict::Policy {
            mode: akgate_rules::verdict::Mode::Shadow,
            ..Default::default()
        },
        ..Default::default()
    };
    let (database, clock) = (Arc::clone(&first.database), Arc::clone(&first.clock));
    let node = TestNode::on(database, clock, Behind::Yes, settings).await;
    assert_eq!(create_user(&node, &key, "x").await, passed());
    node.node.recorder().flush().await.unwrap();
    let activity = activity::read_key_activity(&node.pool, &id("LTAI5tFakeAlice"), 10)
        .await
        .unwrap();
    assert!(activity.refusals[0].withheld);
    assert_eq!(activity.intents[0].outcome.as_deref(), Some("Succeeded"));
    assert_eq!(
        (activity.counts[0].forwarded, activity.counts[0].refused),
        (1, 0)
    );
}

#[tokio::test]
async fn library_layer_passes_the_identity_and_no_credentials_to_the_handler() {
    let seen = Arc::new(std::sync::Mutex::new(None));
    let kept = Arc::clone(&seen);
    let handler = Router::new().fallback(move |request: axum::extract::Request| {
        *kept.lock().unwrap() = Some(request.headers().clone());
        async { axum::Json(serde_json::json!({ "RequestId": "x" })) }
    });
    let node = TestNode::new(Behind::Router(handler)).await;
    let key = node.key("LTAI5tFakeAlice", Some("alice")).await;
    let reply = node.call(&key, RAM, "ListUsers", &[]).await;
    assert_eq!(reply.status, StatusCode::OK);
    let headers = seen.lock().unwrap().take().unwrap();
    assert!(headers.contains_key("x-akgate-identity"));
    for gone in ["authorization", "user-agent", "host"] {
        assert!(!headers.contains_key(gone), "{gone}: {headers:?}");
    }
}

#[tokio::test]
async fn panic_behind_the_gate_is_an_error_answer_and_stops_nothing() {
    let handler = Router::new().fallback(|request: axum::extract::Request| async move {
        assert!(!request.uri().to_string().contains("boom"), "planted");
        axum::Json(serde_json::json!({ "RequestId": "x" }))
    });
    let node = TestNode::new(Behind::Router(handler)).await;
    let key = node.key("LTAI5tFakeAlice", Some("alice")).await;
    for action in ["ListUsers", "CreateUser"] {
        let reply = node.call(&key, RAM, action, &[("UserName", "boom")]).await;
        assert_eq!(
            (reply.status.as_u16(), reply.code()),
            (500, "InternalError")
        );
        assert!(reply.body["RequestId"].as_str().unwrap().len() == 36);
        let reply = node.call(&key, RAM, action, &[("UserName", "x")]).await;
        assert_eq!(reply.status, StatusCode::OK);
    }
}

/// Mends a call fault by fault, in the order of the second table of `docs/faults.md`.
#[tokio::test]
async fn faults_are_reported_in_their_documented_order() {
    let page = include_str!("../../docs/faults.md");
    let (_, table) = page.split_once("## In the gateway").unwrap();
    let documented: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains('`'))
        .map(|line| line.split('`').nth(1).unwrap())
        .collect();

    let node = TestNode::new(Behind::Sandbox).await;
    let root = node.key("LTAI5tFakeRoot", None).await;
    let alice = node.key("LTAI5tFakeAlice", Some("alice")).await;
    node.key("LTAI5tFakeInactive", Some("alice")).await;
    let off = [
        ("UserName", "alice"),
        ("UserAccessKeyId", "LTAI5tFakeInactive"),
        ("Status", "Inactive"),
    ];
    node.call(&root, RAM, "UpdateAccessKey", &off).await;
    let role = role(&node, &root, "order").await;
    let ended = assume(&node, &alice, &role).await;
    node.clock.advance(time::Duration::hours(1));
    let session = assume(&node, &alice, &role).await;
    node.report("LTAI5tFakeAlice").await;
    node.node.feed().poll().await.unwrap();

    let spoilt = |id: &str, token: Option<&str>| SigningCredentials {
        access_key_id: id.into(),
        access_key_secret: "FakeWrongSecret".into(),
        security_token: token.map(str::to_owned),
    };
    let with = |version: &'static str, key: &SigningCredentials, age: time::Duration, name| {
        let api = ApiCall {
            version,
            action: "CreateUser",
            parameters: &[(name, "x")],
        };
        let request =
            sign_request("http://gateway.test", key, api, node.clock.now() - age).unwrap();
        in_origin_form(request.map(Body::new))
    };
    let at = |version, key: &SigningCredentials, age| with(version, key, age, "UserName");
    let none = "2000-01-01";
    let now = time::Duration::ZERO;
    let replay = at(none, &session, now);
    let mut twin = at(none, &session, now);
    *twin.headers_mut() = replay.headers().clone();
    node.send(replay).await;
    let right_token = session.security_token.clone();
    let calls = [
        at(
            none,
            &spoilt("STS.FakeNobody", None),
            time::Duration::hours(1),
        ),
        at(none, &spoilt("STS.FakeNobody", None), now),
        at(none, &spoilt("STS.FakeNobody", Some("x")), now),
        at(none, &spoilt("LTAI5tFakeInactive", Some("x")), now),
        at(none, &spoilt(&ended.access_key_id, Some("x")), now),
        at(none, &spoilt(&session.access_key_id, Some("x")), now),
        at(
            none,
            &spoilt(&session.access_key_id, right_token.as_deref()),
            now,
        ),
        twin,
        at(none, &session, now),
        with(RAM, &session, now, "callerUid"),
        at(RAM, &session, now),
    ];
    let mut told = Vec::new();
    for call in calls {
        told.push(node.send(call).await.code().to_owned());
    }
    assert_eq!(told, documented);
}

#[tokio::test]
async fn every_answer_has_a_request_id_in_capitals() {
    let node = TestNode::new(Behind::Sandbox).await;
    let root = node.key("LTAI5tFakeRoot", None).await;
    let good = node.call(&root, RAM, "ListUsers", &[]).await;
    let garbage = node
        .send(
            http::Request::get("/?Action=%zz")
                .body(Body::empty())
                .unwrap(),
        )
        .await;
    assert_eq!(garbage.code(), "InvalidParameter");
    for reply in [good, garbage] {
        let id = reply.body["RequestId"].as_str().unwrap();
        assert_eq!(id, id.to_uppercase());
        assert!(uuid::Uuid::parse_str(id).is_ok());
        assert_eq!(reply.headers["x-acs-request-id"], id);
    }
}

#[tokio::test]
async fn flood_of_unknown_ids_is_throttled_and_spares_known_ids() {
    let node = Arc::new(TestNode::new(Behind::Yes).await);
    let key = node.key("LTAI5tFakeAlice", Some("alice")).await;
    // A lock that every look-up of an unknown id waits for, and none of a known one.
    let mut blocker = node.pool.begin().await.unwrap();
    node.call(&key, RAM, "ListUsers", &[]).await;
    sqlx::query("LOCK TABLE access_keys IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *blocker)
        .await
        .unwrap();
    let flood: Vec<_> = (0..40)
        .map(|n| {
            let node = Arc::clone(&node);
            tokio::spawn(async move {
                let unknown = SigningCredentials {
                    access_key_id: format!("LTAI5tFakeUnknown{n}"),
                    access_key_secret: "x".into(),
                    security_token: None,
                };
                node.call(&unknown, RAM, "ListUsers", &[])
                    .await
                    .code()
                    .to_owned()
            })
        })
        .collect();
    eventually("32 calls are throttled", async || {
        flood.iter().filter(|one| one.is_finished()).count() >= 32
    })
    .await;
    let known = node.call(&key, RAM, "ListUsers", &[]).await;
    assert_eq!(known.status, StatusCode::OK);
    blocker.rollback().await.unwrap();
    let mut codes = std::collections::BTreeMap::<String, usize>::new();
    for one in flood {
        *codes.entry(one.await.unwrap()).or_default() += 1;
    }
    assert_eq!(codes["Throttling.User"], 32, "{codes:?}");
    assert_eq!(codes["InvalidAccessKeyId.NotFound"], 8, "{codes:?}");
    // Made meanwhile: the memory of its absence does not stand in the way.
    let late = node.key("LTAI5tFakeUnknown0", Some("late")).await;
    let reply = node.call(&late, RAM, "ListUsers", &[]).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
}

#[tokio::test]
async fn widened_restriction_refuses_sensitive_reads_until_the_lift_and_sessions_inherit_it() {
    let node = TestNode::new(Behind::Sandbox).await;
    let root = node.key("LTAI5tFakeRoot", None).await;
    let key = node.key("LTAI5tFakeAlice", Some("alice")).await;
    let role = role(&node, &root, "deployer").await;
    let restriction = node.report("LTAI5tFakeAlice").await.restriction_id;
    node.node.feed().poll().await.unwrap();
    let read = async |key: &SigningCredentials, version, action| {
        let reply = node.call(key, version, action, &[]).await;
        reply.status.as_u16()
    };
    assert_eq!(read(&key, RAM, "ListUsers").await, 200);
    // The owner is told, and a day goes by.
    sqlx::query("UPDATE restrictions SET notified_at = $1, next_check_at = $1")
        .bind(node.clock.now())
        .execute(&node.pool)
        .await
        .unwrap();
    node.clock.advance(time::Duration::hours(24));
    let rules = EscalationRules::default();
    let looked = escalate::escalate_restriction(&node.pool, restriction, &rules, node.clock.now());
    assert!(!looked.await.unwrap().steps.is_empty());
    node.node.feed().poll().await.unwrap();
    assert_eq!(read(&key, RAM, "ListUsers").await, 403);
    assert_eq!(read(&key, RAM, "ListRoles").await, 403);
    assert_eq!(read(&key, STS, "GetCallerIdentity").await, 200);
    assert_eq!(read(&root, RAM, "ListUsers").await, 200);
    let fresh = assume(&node, &key, &role).await;
    assert_eq!(
        read(&fresh, RAM, "ListUsers").await,
        403,
        "a session inherits it"
    );
    assert_eq!(read(&fresh, STS, "GetCallerIdentity").await, 200);
    confirm_and_lift(&node, restriction).await;
    node.node.feed().poll().await.unwrap();
    assert_eq!(read(&key, RAM, "ListUsers").await, 200);
    assert_eq!(
        read(&fresh, RAM, "ListUsers").await,
        403,
        "minted before the lift"
    );
}
