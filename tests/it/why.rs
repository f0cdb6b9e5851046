//! The page that a refusal recommends.

use std::sync::Arc;

use akgate::app::IntakeSettings;
use akgate_gateway::{GateSettings, gate::RecommendLink};
use akgate_state::{
    audit::Actor,
    leaks::{
        deliveries::{self, DeliveryOrigin},
        record::{Delivery, LeakReport, ReportGrounds, SuspicionPolicy, record_reports},
    },
};
use axum::{Router, body::Body};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::json;
use time::Duration;
use tower::ServiceExt;
use uuid::Uuid;

use crate::{
    desk::Desk,
    harness::{ACCOUNT, Behind, NOW, Reply, TestNode, id, ring},
    road::{assume, confirm_and_lift, role},
};

const RAM: &str = "2015-05-01";
const STS: &str = "2015-04-01";

async fn node() -> TestNode {
    let first = TestNode::new(Behind::Sandbox).await;
    let settings = GateSettings {
        recommend: RecommendLink::Explained("https://akgate.example/leaked-access-key".into()),
        ..GateSettings::default()
    };
    let (database, clock) = (Arc::clone(&first.database), Arc::clone(&first.clock));
    TestNode::on(database, clock, Behind::Sandbox, settings).await
}

async fn ask(page: &Router, request: Request<Body>) -> (StatusCode, String) {
    let answer = page.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn why(page: &Router, language: &str, request_id: &str, key: &str) -> (StatusCode, String) {
    let request = Request::post("/leaked-access-key")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("accept-language", language)
        .body(Body::from(format!(
            "RequestId={request_id}&AccessKeyId={key}"
        )));
    ask(page, request.unwrap()).await
}

fn request_id(refused: &Reply) -> String {
    assert_eq!(refused.code(), "Forbidden", "{}", refused.text);
    refused.body["RequestId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn refusal_is_explained_to_its_caller_and_to_nobody_else() {
    let node = node().await;
    let root = node.key("LTAI5tFakeRoot", None).await;
    let alice = node.key("LTAI5tFakeAlice", Some("alice")).await;
    let trust = json!({ "Version": "1", "Statement": [{
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": { "RAM": [format!("acs:ram::{ACCOUNT}:root")] },
    }] })
    .to_string();
    let role = [
        ("RoleName", "r"),
        ("AssumeRolePolicyDocument", trust.as_str()),
    ];
    let role = node.call(&root, RAM, "CreateRole", &role).await;
    let arn = role.body["Role"]["Arn"].as_str().unwrap();
    let assume = [("RoleArn", arn), ("RoleSessionName", "test")];
    let session = node
        .call(&alice, STS, "AssumeRole", &assume)
        .await
        .session();
    node.report("LTAI5tFakeAlice").await;
    node.node.feed().poll().await.unwrap();

    let user = [("UserName", "mallory")];
    let refused = node.call(&alice, RAM, "CreateUser", &user).await;
    let id = request_id(&refused);
    assert_eq!(
        refused.body["Recommend"],
        format!("https://akgate.example/leaked-access-key?RequestId={id}")
    );
    let by_session = request_id(&node.call(&session, RAM, "CreateUser", &user).await);
    node.node.recorder().flush().await.unwrap();
    let page = node.public(IntakeSettings::default());

    let form = Request::get(format!("/leaked-access-key?RequestId={id}"));
    let (status, html) = ask(&page, form.body(Body::empty()).unwrap()).await;
    assert_eq!(status, StatusCode::OK);
    assert!(html.contains(&format!("value=\"{id}\"")), "{html}");

    let (status, html) = why(&page, "en", &id.to_lowercase(), "LTAI5tFakeAlice").await;
    assert_eq!(status, StatusCode::OK, "{html}");
    for told in [
        "RAM CreateUser",
        &id,
        "Restricted since",
        "2026-",
        "changes to identities, credentials and permissions",
        "another AccessKey of the account",
    ] {
        assert!(html.contains(told), "{told}: {html}");
    }
    for kept in ["LTAI5tFakeAlice", ACCOUNT, "alice", "mallory", "owner"] {
        assert!(
            !html
                .replace("the owner", "")
                .replace("The owner", "")
                .contains(kept),
            "{kept}: {html}"
        );
    }
    let (status, html) = why(&page, "zh-CN", &by_session, &session.access_key_id).await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        html.contains("获取临时凭证所用的 AccessKey") && html.contains("限制生效中"),
        "{html}"
    );

    let unknown = uuid::Uuid::new_v4().to_string();
    let nobody = why(&page, "en", &unknown, "LTAI5tFakeNobody").await;
    assert_eq!(nobody.0, StatusCode::NOT_FOUND);
    for (request_id, key) in [
        (id.as_str(), "LTAI5tFakeRoot"),
        (id.as_str(), &session.access_key_id),
        (by_session.as_str(), "LTAI5tFakeAlice"),
        (unknown.as_str(), "LTAI5tFakeAlice"),
        (id.as_str(), "%00"),
        (id.as_str(), ""),
        ("nonsense", "LTAI5tFakeAlice"),
        ("%ff", "%ff"),
    ] {
        let answer = why(&page, "en", request_id, key).await;
        assert_eq!(answer, nobody, "{request_id} {key}");
    }
}

#[tokio::test]
async fn call_passed_by_shadow_mode_is_no_refusal() {
    let node = node().await;
    let alice = node.key("LTAI5tFakeAlice", Some("alice")).await;
    node.report("LTAI5tFakeAlice").await;
    node.node.feed().poll().await.unwrap();
    let mut settings = GateSettings::default();
    settings.policy.enforce_from = Some(crate::harness::NOW + Duration::DAY);
    let (database, clock) = (Arc::clone(&node.database), Arc::clone(&node.clock));
    let shadow = TestNode::on(database, clock, Behind::Yes, settings).await;
    let passed = shadow
        .call(&alice, RAM, "CreateUser", &[("UserName", "x")])
        .await;
    assert_eq!(passed.status, StatusCode::OK);
    let id = passed.headers["x-acs-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    shadow.node.recorder().flush().await.unwrap();
    let page = shadow.public(IntakeSettings::default());
    let (status, _) = why(&page, "en", &id, "LTAI5tFakeAlice").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn refusal_explained_to_operators_names_rule_lineage_evidence_and_remedy() {
    let desk = Desk::behind(Behind::Sandbox).await;
    let node = &desk.node;
    let alice = node.key("LTAI5tFakeAlice", Some("alice")).await;
    let root = node.key("LTAI5tFakeRoot", None).await;
    let role = role(node, &root, "deployer").await;
    let before = node
        .call(&alice, RAM, "CreateUser", &[("UserName", "early")])
        .await;
    let passed = before.body["RequestId"].as_str().unwrap();
    let session = assume(node, &alice, &role).await;
    let (_, restriction) = desk.report("LTAI5tFakeAlice", "finding-1").await;
    let user = [("UserName", "mallory")];
    let by_session = request_id(&node.call(&session, RAM, "CreateUser", &user).await);
    let by_key = request_id(&node.call(&alice, RAM, "CreateAccessKey", &[]).await);
    node.node.recorder().flush().await.unwrap();

    let why = desk.get(&format!("decisions/{by_session}")).await;
    assert_eq!(why["decision"], "Refused");
    assert_eq!(why["access_key_id"], session.access_key_id);
    assert_eq!(why["lineage"], serde_json::json!(["LTAI5tFakeAlice"]));
    assert_eq!(
        ["action", "effect", "profile", "restriction_id"].map(|name| why[name].as_str().unwrap()),
        ["CreateUser", "Mutate(Identity)", "mutations", &restriction]
    );
    assert!(why["revision"].as_i64().unwrap() > 0);
    assert_eq!(
        why["rule"],
        "A restriction was in force on LTAI5tFakeAlice: it refuses changes to identities, credentials and permissions."
    );
    assert_eq!(why["names"]["UserName"], "mallory");
    assert_eq!(why["restriction"]["reports"][0]["source"], "github");
    let ways = |why: &serde_json::Value| -> String {
        let ways = why["to_pass"].as_array().unwrap().iter();
        ways.map(|way| way.as_str().unwrap())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert!(ways(&why).contains("confirms"), "{why}");
    assert!(
        ways(&why).contains(&format!("akgate restrictions lift {restriction}")),
        "{why}"
    );

    confirm_and_lift(node, restriction.parse().unwrap()).await;
    let why = desk.get(&format!("decisions/{by_session}")).await;
    assert!(ways(&why).contains("Get a new session"), "{why}");
    let why = desk.get(&format!("decisions/{by_key}")).await;
    assert!(ways(&why).contains("the same call passes now"), "{why}");

    let why = desk.get(&format!("decisions/{passed}")).await;
    assert_eq!(
        ["decision", "grounds", "outcome"].map(|name| why[name].as_str().unwrap()),
        ["Permitted", "clear", "Succeeded"]
    );
    assert_eq!(why["to_pass"], serde_json::json!([]));
    let nobodys = format!("decisions/{}", Uuid::nil());
    let (status, ..) = desk
        .ask(&desk.viewer, http::Method::GET, &nobodys, None)
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn refusal_after_an_undo_says_that_the_session_passes_and_it_does() {
    let desk = Desk::behind(Behind::Sandbox).await;
    let node = &desk.node;
    let alice = node.key("LTAI5tFakeAlice", Some("alice")).await;
    let root = node.key("LTAI5tFakeRoot", None).await;
    let role = role(node, &root, "deployer").await;
    let session = assume(node, &alice, &role).await;
    let by = Actor::Source("drill".into());
    let pool = node.database.pool();
    let batch = deliveries::begin_delivery(pool, "drill", &by, NOW)
        .await
        .unwrap();
    let delivery = Delivery {
        source: "drill",
        actor: &by,
        grounds: ReportGrounds::Decision,
        suspicions: SuspicionPolicy::default(),
        descendants: akgate_rules::lineage::DescendantPolicy::default(),
        ledger: Some(DeliveryOrigin::Existing(batch)),
    };
    let report = LeakReport {
        access_key_id: Some(id("LTAI5tFakeAlice")),
        ..LeakReport::default()
    };
    record_reports(pool, &ring(), &delivery, &[report], NOW)
        .await
        .unwrap();
    node.node.feed().poll().await.unwrap();
    let user = [("UserName", "worker")];
    let refused = request_id(&node.call(&session, RAM, "CreateUser", &user).await);
    node.node.recorder().flush().await.unwrap();

    let undo = format!("deliveries/{batch}:undo");
    let (status, waits) = desk.post(&undo, json!({ "reason": "a drill" })).await;
    assert_eq!(status, 202);
    desk.approve(&waits).await;
    let told = desk.get(&format!("decisions/{refused}")).await;
    assert_eq!(told["restriction"]["undone"], true);
    let way = told["to_pass"][0].as_str().unwrap();
    assert!(
        way.contains("undone") && way.contains("a session too"),
        "{way}"
    );
    let page = node.public(IntakeSettings::default());
    let (status, html) = why(&page, "en", &refused, &session.access_key_id).await;
    assert_eq!(status, StatusCode::OK);
    assert!(html.contains("You can repeat the call."), "{html}");
    assert!(!html.contains("Obtain new ones"), "{html}");
    let passed = node.call(&session, RAM, "CreateUser", &user).await;
    assert_eq!(passed.status, StatusCode::OK, "{}", passed.text);
}
