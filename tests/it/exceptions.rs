//! What takes two beside a lift, and what it does on the request road: exceptions, a disabled pair, the switched mode;
//! and the self-remediation lane of an account.

use akgate_api::keys::KeyStatus;
use akgate_client::signer::{ApiCall, SigningCredentials, sign_request};
use akgate_net::peer::Peer;
use akgate_rules::access_key::AccessKeySecret;
use akgate_state::{
    clock::Clock,
    directory::{KeyRecord, keys::NewKey},
    keys::lifecycle,
};
use axum::body::Body;
use http::{Method, StatusCode};
use rand::{SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use time::Duration;

use crate::{
    desk::{Desk, assert_problem, kind},
    harness::{ACCOUNT, Behind, TestNode, id, in_origin_form},
    road::{assume, role},
};

const KEY: &str = "LTAI5tFakeAlice";
const RAM: &str = "2015-05-01";
const OFFICE: &str = "192.0.2.7";
const ELSEWHERE: &str = "198.51.100.7";

struct Stage {
    desk: Desk,
    root: SigningCredentials,
    alice: SigningCredentials,
    restriction: String,
}

/// A desk where a key that works is restricted, in front of the sandbox.
async fn stage() -> Stage {
    let desk = Desk::behind(Behind::Sandbox).await;
    let root = desk.node.key("LTAI5tFakeRoot", None).await;
    let alice = desk.node.key(KEY, Some("alice")).await;
    let (_, restriction) = desk.report(KEY, "finding-1").await;
    Stage {
        desk,
        root,
        alice,
        restriction,
    }
}

/// The code of what a call from an address is answered; `OK` where it passed.
async fn call(
    node: &TestNode,
    key: &SigningCredentials,
    from: &str,
    action: &str,
    name: &str,
) -> String {
    let parameters = [("UserName", name)];
    let api = ApiCall {
        version: RAM,
        action,
        parameters: &parameters,
    };
    let signed = sign_request("http://gateway.test", key, api, node.clock.now()).unwrap();
    let mut request = in_origin_form(signed.map(Body::new));
    request.extensions_mut().insert(Peer {
        ip: from.parse().unwrap(),
        tls: true,
    });
    let reply = node.send(request).await;
    match reply.status {
        StatusCode::OK => "OK".to_owned(),
        _ => reply.code().to_owned(),
    }
}

fn exception() -> Value {
    json!({
        "access_key_id": KEY,
        "operations": ["RAM:CreateUser"],
        "networks": ["192.0.2.0/24"],
        "hours": 72,
        "reason": "the owner moves to another pair by CI",
    })
}

async fn refused(desk: &Desk, path: &str, body: Value) -> (u16, String) {
    let (status, content, problem) = desk
        .ask(&desk.operator, Method::POST, path, Some(body))
        .await;
    assert_problem(status, &content, &problem);
    (status.as_u16(), kind(&problem).to_owned())
}

#[tokio::test]
async fn approved_exception_passes_its_operations_from_its_networks_until_it_ends() {
    let Stage {
        desk, root, alice, ..
    } = stage().await;
    let node = &desk.node;
    let (status, waits) = desk.post("exceptions", exception()).await;
    assert_eq!((status, waits["kind"].as_str()), (202, Some("Exception")));
    assert_eq!(
        call(node, &alice, OFFICE, "CreateUser", "a1").await,
        "Forbidden"
    );
    desk.approve(&waits).await;

    assert_eq!(call(node, &alice, OFFICE, "CreateUser", "a1").await, "OK");
    assert_eq!(
        call(node, &alice, ELSEWHERE, "CreateUser", "a2").await,
        "Forbidden"
    );
    assert_eq!(
        call(node, &alice, OFFICE, "CreateAccessKey", "a1").await,
        "Forbidden"
    );
    // Its sessions may be another's who found the key.
    let arn = role(node, &root, "r").await;
    let session = assume(node, &alice, &arn).await;
    assert_eq!(
        call(node, &session, OFFICE, "CreateUser", "a2").await,
        "Forbidden"
    );

    let list = desk.get("exceptions?state=Active").await;
    let made = &list["exceptions"][0];
    assert_eq!(
        ["access_key_id", "requested_by", "approved_by"].map(|name| made[name].as_str().unwrap()),
        [KEY, "operator:olga", "operator:anna"]
    );
    let grounds: String = sqlx::query_scalar(
        "SELECT grounds FROM intents WHERE names->>'UserName' = 'a1' AND action = 'CreateUser'",
    )
    .fetch_one(&node.pool)
    .await
    .unwrap();
    assert_eq!(grounds, "excepted");

    node.clock.advance(Duration::hours(72) - Duration::SECOND);
    assert_eq!(call(node, &alice, OFFICE, "CreateUser", "a3").await, "OK");
    node.clock.advance(Duration::SECOND);
    assert_eq!(
        call(node, &alice, OFFICE, "CreateUser", "a4").await,
        "Forbidden"
    );
    let over = desk
        .get(&format!(
            "exceptions/{}",
            made["exception_id"].as_str().unwrap()
        ))
        .await;
    assert_eq!(over["state"], "Expired");
}

#[tokio::test]
async fn exception_is_ended_by_one_operator_at_every_node() {
    let Stage { desk, alice, .. } = stage().await;
    let (database, clock) = (desk.node.database.clone(), desk.node.clock.clone());
    let other = TestNode::on(database, clock, Behind::Sandbox, Default::default()).await;
    let (_, waits) = desk.post("exceptions", exception()).await;
    desk.approve(&waits).await;
    other.node.feed().poll().await.unwrap();
    assert_eq!(call(&other, &alice, OFFICE, "CreateUser", "b1").await, "OK");

    let list = desk.get("exceptions").await;
    let exception_id = list["exceptions"][0]["exception_id"].as_str().unwrap();
    let path = format!("exceptions/{exception_id}:revoke");
    let (status, ended) = desk.post(&path, json!({})).await;
    assert_eq!((status, ended["state"].as_str()), (200, Some("Revoked")));
    assert_eq!(
        call(&desk.node, &alice, OFFICE, "CreateUser", "b2").await,
        "Forbidden"
    );
    // The other node was told nothing: the intent says that it is behind.
    assert_eq!(
        call(&other, &alice, OFFICE, "CreateUser", "b3").await,
        "Forbidden"
    );
    assert_eq!(
        refused(&desk, &path, json!({})).await,
        (409, "exception-over".into())
    );
}

#[tokio::test]
async fn exception_does_not_cover_the_next_leak() {
    let Stage {
        desk,
        alice,
        restriction,
        ..
    } = stage().await;
    let (_, waits) = desk.post("exceptions", exception()).await;
    desk.approve(&waits).await;
    let lift = json!({
        "resolution": "AcceptedRisk",
        "reason": "test",
        "accept_active_key": true,
        "accept_no_confirmation": true,
    });
    let (_, waits) = desk
        .post(&format!("restrictions/{restriction}:lift"), lift)
        .await;
    desk.approve(&waits).await;
    assert_eq!(
        call(&desk.node, &alice, ELSEWHERE, "CreateUser", "c1").await,
        "OK"
    );
    let (status, _) = desk.report(KEY, "finding-2").await;
    assert_eq!(status, 201);
    assert_eq!(
        call(&desk.node, &alice, OFFICE, "CreateUser", "c2").await,
        "Forbidden"
    );
    assert_eq!(
        desk.get("exceptions").await["exceptions"][0]["state"],
        "Ended"
    );
}

#[tokio::test]
async fn exception_that_is_too_wide_or_empty_is_refused_with_a_reason() {
    let Stage { desk, .. } = stage().await;
    for (member, value, said) in [
        ("networks", json!(["0.0.0.0/0"]), "too wide"),
        ("networks", json!([]), "1 to 16 networks"),
        ("networks", json!(["office"]), "CIDR"),
        (
            "operations",
            json!(["RAM:NoSuchAction"]),
            "not in the catalogue of operations",
        ),
        ("operations", json!(["RAM:*"]), "PRODUCT:Action"),
        ("hours", json!(73), "1 to 72"),
        ("hours", json!(0), "1 to 72"),
        ("reason", json!(" "), "reason"),
    ] {
        let mut body = exception();
        body[member] = value;
        let (status, kind, problem) = desk
            .ask(&desk.operator, Method::POST, "exceptions", Some(body))
            .await;
        assert_problem(status, &kind, &problem);
        assert_eq!(status, StatusCode::BAD_REQUEST);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(said), "{member}: {detail}");
    }
    let mut body = exception();
    body["access_key_id"] = json!("LTAI5tFakeRoot");
    assert_eq!(
        refused(&desk, "exceptions", body).await,
        (409, "not-restricted".into())
    );
}

#[tokio::test]
async fn access_key_disabled_by_two_operators_is_reenabled_only_by_its_owner() {
    let Stage {
        desk, root, alice, ..
    } = stage().await;
    let node = &desk.node;
    let path = format!("keys/{KEY}:disable");
    let why = json!({ "reason": "mass creation of instances" });
    let (_, waits) = desk.post(&path, why.clone()).await;
    assert_eq!(waits["kind"], "DisableKey");
    assert_eq!(call(node, &alice, OFFICE, "GetUser", "alice").await, "OK");
    desk.approve(&waits).await;
    let signed = call(node, &alice, OFFICE, "GetUser", "alice").await;
    assert_eq!(signed, "InvalidAccessKeyId.Inactive");
    assert_eq!(refused(&desk, &path, why).await, (409, "not-active".into()));
    let shown = desk.get(&format!("keys/{KEY}")).await;
    assert_eq!(
        (shown["status"].as_str(), shown["disabled_by"].as_str()),
        (Some("Inactive"), Some("operator:olga"))
    );

    // A list that was made before says that it is active, with the same secret or another.
    for secret in [alice.access_key_secret.clone(), "FakeOtherSecret".into()] {
        let listed = NewKey {
            record: KeyRecord {
                access_key_id: id(KEY),
                account_id: ACCOUNT.into(),
                user_name: Some("alice".into()),
                status: KeyStatus::Active,
                secret: AccessKeySecret::new(secret),
            },
            created_by: None,
        };
        let mut rng = StdRng::seed_from_u64(2);
        lifecycle::commit_key(&node.pool, &node.ring, &listed, node.clock.now(), &mut rng)
            .await
            .unwrap();
        assert_eq!(desk.get(&format!("keys/{KEY}")).await["status"], "Inactive");
    }

    let back = [
        ("UserName", "alice"),
        ("UserAccessKeyId", KEY),
        ("Status", "Active"),
    ];
    let answer = node.call(&root, RAM, "UpdateAccessKey", &back).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let shown = desk.get(&format!("keys/{KEY}")).await;
    assert_eq!(
        (shown["status"].as_str(), &shown["disabled_by"]),
        (Some("Active"), &Value::Null)
    );
}

#[tokio::test]
async fn mode_switch_needs_approval_and_reaches_every_node() {
    let Stage { desk, alice, .. } = stage().await;
    let (database, clock) = (desk.node.database.clone(), desk.node.clock.clone());
    let other = TestNode::on(database, clock, Behind::Sandbox, Default::default()).await;
    let shadow = json!({ "mode": "shadow", "reason": "the catalogue refuses a read" });
    let (_, waits) = desk.post("policy:switch_mode", shadow).await;
    assert_eq!(
        (waits["kind"].as_str(), &waits["subject_id"]),
        (
            Some("SwitchMode"),
            &json!("00000000-0000-0000-0000-000000000000")
        )
    );
    assert_eq!(desk.get("policy").await["mode"], "enforce");
    assert_eq!(
        call(&desk.node, &alice, OFFICE, "CreateUser", "d1").await,
        "Forbidden"
    );
    desk.approve(&waits).await;
    let policy = desk.get("policy").await;
    assert_eq!(
        ["mode", "configured_mode"].map(|name| policy[name].as_str().unwrap()),
        ["shadow", "enforce"]
    );
    assert_eq!(policy["is_enforced"], false);
    assert_eq!(policy["switched"]["approved_by"], "operator:anna");
    assert_eq!(
        call(&desk.node, &alice, OFFICE, "CreateUser", "d1").await,
        "OK"
    );
    other.node.feed().poll().await.unwrap();
    assert_eq!(call(&other, &alice, OFFICE, "CreateUser", "d2").await, "OK");

    let back = json!({ "mode": null, "reason": "mended" });
    let (_, waits) = desk.post("policy:switch_mode", back).await;
    desk.approve(&waits).await;
    assert_eq!(desk.get("policy").await["mode"], "enforce");
    // The other node learns of it by the intent.
    assert_eq!(
        call(&other, &alice, OFFICE, "CreateUser", "d3").await,
        "Forbidden"
    );
}

#[tokio::test]
async fn account_that_allows_self_remedy_lets_a_leaked_key_disable_itself() {
    let Stage { desk, alice, .. } = stage().await;
    let own = [("UserAccessKeyId", KEY), ("Status", "Inactive")];
    let update = async || desk.node.call(&alice, RAM, "UpdateAccessKey", &own).await;
    assert_eq!(update().await.code(), "Forbidden");
    let path = format!("accounts/{ACCOUNT}/self-remedy");
    let set = async |allowed: Value| {
        let (status, _, account) = desk
            .ask(
                &desk.operator,
                Method::PUT,
                &path,
                Some(json!({ "allowed": allowed })),
            )
            .await;
        assert_eq!(
            (status, &account["self_remedy"]),
            (StatusCode::OK, &allowed)
        );
    };
    set(json!(true)).await;
    assert_eq!(
        call(&desk.node, &alice, OFFICE, "CreateUser", "e1").await,
        "Forbidden"
    );
    set(json!(false)).await;
    assert_eq!(update().await.code(), "Forbidden");
    set(json!(true)).await;
    assert_eq!(update().await.status, StatusCode::OK);
    let signed = call(&desk.node, &alice, OFFICE, "GetUser", "alice").await;
    assert_eq!(signed, "InvalidAccessKeyId.Inactive");
}
