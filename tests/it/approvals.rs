//! Four eyes: what one operator asks for, another decides, once, in time, and by the facts of that moment.

use std::sync::Arc;

use akgate_api::{keys::KeyStatus, operators::Role};
use akgate_state::{
    approval_decisions,
    audit::Actor,
    directory::contacts::{self, Language},
    keys::lifecycle::commit_key_status,
    leaks::{
        deliveries::{self, DeliveryOrigin},
        record::{Delivery, LeakReport, ReportGrounds, SuspicionPolicy, record_reports},
    },
};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use time::Duration;
use uuid::Uuid;

use crate::{
    desk::{Desk, assert_problem, token},
    harness::{ACCOUNT, NOW, id, ring},
};

const KEY: &str = "LTAI5tFakeAlice";

/// A desk where a key that works is restricted; returns the restriction.
async fn desk() -> (Desk, String) {
    let desk = Desk::new().await;
    desk.node.key(KEY, Some("alice")).await;
    let (_, restriction) = desk.report(KEY, "finding-1").await;
    (desk, restriction)
}

fn how(active_key: bool, no_confirmation: bool) -> Value {
    json!({
        "resolution": "AcceptedRisk",
        "reason": "the owner cannot be reached",
        "accept_active_key": active_key,
        "accept_no_confirmation": no_confirmation,
    })
}

/// The owner disables the key.
async fn set_inactive(desk: &Desk) {
    commit_key_status(&desk.node.pool, &id(KEY), KeyStatus::Inactive, NOW)
        .await
        .unwrap();
}

async fn ask_to_lift(desk: &Desk, restriction: &str) -> String {
    let path = format!("restrictions/{restriction}:lift");
    let (status, waits) = desk.post(&path, how(true, true)).await;
    assert_eq!(status, 202, "{waits}");
    waits["approval_id"].as_str().unwrap().to_owned()
}

/// Decides; returns the status, and the type of the problem or the state of the request.
async fn decide(desk: &Desk, token: &str, id: &str, verb: &str) -> (u16, String) {
    let body = match verb {
        "approve" => Some(json!({ "remark": "looked at it" })),
        "reject" => Some(json!({ "remark": "ask the owner first" })),
        _ => None,
    };
    let path = format!("approvals/{id}:{verb}");
    let (status, kind, answer) = desk.ask(token, Method::POST, &path, body).await;
    if !status.is_success() {
        assert_problem(status, &kind, &answer);
    }
    let said = answer["type"]
        .as_str()
        .or(answer["state"].as_str())
        .unwrap();
    (
        status.as_u16(),
        said.trim_start_matches("urn:akgate:problem:").to_owned(),
    )
}

async fn state(desk: &Desk, restriction: &str) -> String {
    let view = desk.get(&format!("restrictions/{restriction}")).await;
    view["state"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn lift_without_confirmation_or_of_a_working_key_needs_approval() {
    let (desk, restriction) = desk().await;
    let path = format!("restrictions/{restriction}:lift");
    for (active_key, no_confirmation, expected) in [
        (false, false, "not-confirmed"),
        (true, false, "not-confirmed"),
        (false, true, "key-active"),
    ] {
        let (status, problem) = desk.post(&path, how(active_key, no_confirmation)).await;
        assert_eq!(status, 409);
        assert_eq!(problem["type"], format!("urn:akgate:problem:{expected}"));
    }
    let id = ask_to_lift(&desk, &restriction).await;
    assert_eq!(
        state(&desk, &restriction).await,
        "Imposed",
        "nothing is done yet"
    );
    let waiting = desk.get("approvals?state=Pending").await;
    let one = &waiting["approvals"][0];
    assert_eq!(
        [
            "approval_id",
            "kind",
            "subject_id",
            "access_key_id",
            "requested_by",
            "reason"
        ]
        .map(|name| one[name].as_str().unwrap()),
        [
            &id[..],
            "Lift",
            &restriction,
            KEY,
            "operator:olga",
            "the owner cannot be reached"
        ]
    );
    // The same again is the same request, and another operator's is none of one's own.
    assert_eq!(ask_to_lift(&desk, &restriction).await, id);
    let (status, _, problem) = desk
        .ask(&desk.admin, Method::POST, &path, Some(how(true, true)))
        .await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(problem["type"], "urn:akgate:problem:already-requested");
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains(&id) && detail.contains("operator:olga"),
        "{detail}"
    );

    assert_eq!(
        decide(&desk, &desk.approver, &id, "approve").await,
        (200, "Approved".into())
    );
    let lifted = desk.get(&format!("restrictions/{restriction}")).await;
    assert_eq!(
        [
            "state",
            "resolution",
            "lifted_by",
            "approved_by",
            "lift_reason"
        ]
        .map(|name| lifted[name].as_str().unwrap()),
        [
            "Lifted",
            "AcceptedRisk",
            "operator:olga",
            "operator:anna",
            "the owner cannot be reached"
        ]
    );
    assert_eq!(
        decide(&desk, &desk.approver, &id, "approve").await,
        (409, "approval-not-pending".into())
    );
    // One record for each change, and the lift's names both.
    let audited: Vec<(String, String, Option<String>)> = sqlx::query_as(
        "SELECT action, actor, detail->>'approved_by'
         FROM audit_records
         WHERE action <> 'AddOperator'
         ORDER BY audit_id",
    )
    .fetch_all(&desk.node.pool)
    .await
    .unwrap();
    let olga = "operator:olga".to_owned();
    let lift = (
        "Lift".to_owned(),
        olga.clone(),
        Some("operator:anna".to_owned()),
    );
    assert!(
        audited.contains(&("RequestApproval".to_owned(), olga, None)),
        "{audited:?}"
    );
    assert_eq!(
        audited.iter().filter(|one| **one == lift).count(),
        1,
        "{audited:?}"
    );
}

#[tokio::test]
async fn requester_cannot_approve_with_any_token_and_others_cannot_withdraw() {
    let (desk, restriction) = desk().await;
    let path = format!("restrictions/{restriction}:lift");
    let (status, _, waits) = desk
        .ask(&desk.approver, Method::POST, &path, Some(how(true, true)))
        .await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let id = waits["approval_id"].as_str().unwrap();
    assert_eq!(
        decide(&desk, &desk.approver, id, "approve").await,
        (409, "own-approval".into())
    );
    let (_, _, other) = desk
        .ask(
            &desk.admin,
            Method::POST,
            "operators/anna/tokens",
            Some(json!({ "role": "approver" })),
        )
        .await;
    let other = other["token"].as_str().unwrap();
    assert_eq!(
        decide(&desk, other, id, "approve").await,
        (409, "own-approval".into())
    );
    assert_eq!(
        decide(&desk, &desk.approver, id, "reject").await,
        (409, "own-approval".into())
    );
    for token in [&desk.operator, &desk.viewer] {
        assert_eq!(
            decide(&desk, token, id, "approve").await,
            (403, "forbidden".into())
        );
    }
    assert_eq!(
        decide(&desk, &desk.operator, id, "withdraw").await,
        (409, "not-your-approval".into())
    );
    assert_eq!(
        decide(&desk, other, id, "withdraw").await,
        (200, "Withdrawn".into())
    );
    assert_eq!(
        decide(&desk, &desk.admin, id, "approve").await,
        (409, "approval-not-pending".into())
    );
    assert_eq!(state(&desk, &restriction).await, "Imposed");
}

#[tokio::test]
async fn approval_ends_by_rejection_by_expiry_and_with_its_requester() {
    let (desk, restriction) = desk().await;
    let id = ask_to_lift(&desk, &restriction).await;
    assert_eq!(
        decide(&desk, &desk.approver, &id, "reject").await,
        (200, "Rejected".into())
    );
    assert_eq!(
        decide(&desk, &desk.admin, &id, "approve").await,
        (409, "approval-not-pending".into())
    );

    let id = ask_to_lift(&desk, &restriction).await;
    desk.node.clock.advance(Duration::hours(24));
    assert_eq!(
        decide(&desk, &desk.approver, &id, "approve").await,
        (409, "approval-expired".into())
    );
    let shown = desk.get(&format!("approvals/{id}")).await;
    assert_eq!(shown["state"], "Expired");
    assert_eq!(
        desk.get("approvals?state=Pending").await["approvals"],
        json!([])
    );
    let anew = ask_to_lift(&desk, &restriction).await;
    assert_ne!(anew, id);

    let (status, ..) = desk
        .ask(&desk.admin, Method::POST, "operators/olga:revoke", None)
        .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        decide(&desk, &desk.approver, &anew, "approve").await,
        (409, "requester-revoked".into())
    );
    assert_eq!(state(&desk, &restriction).await, "Imposed");
}

#[tokio::test]
async fn approval_checks_current_facts_and_covers_only_what_was_requested() {
    let (desk, restriction) = desk().await;
    // Asked for a pair that works no more: approval of that is none of a pair that works again.
    let status = |status: &'static str| {
        let pool = desk.node.pool.clone();
        async move {
            sqlx::query("UPDATE access_keys SET status = $1 WHERE access_key_id = $2")
                .bind(status)
                .bind(KEY)
                .execute(&pool)
                .await
                .unwrap();
        }
    };
    status("Inactive").await;
    let path = format!("restrictions/{restriction}:lift");
    let (_, waits) = desk.post(&path, how(false, true)).await;
    let id = waits["approval_id"].as_str().unwrap().to_owned();
    status("Active").await;
    assert_eq!(
        decide(&desk, &desk.approver, &id, "approve").await,
        (409, "key-active".into())
    );
    assert_eq!(
        desk.get(&format!("approvals/{id}")).await["state"],
        "Pending"
    );
    // Asked for anew with more, the old request is over.
    let more = ask_to_lift(&desk, &restriction).await;
    assert_eq!(
        decide(&desk, &desk.approver, &id, "approve").await,
        (409, "approval-not-pending".into())
    );
    assert_eq!(
        decide(&desk, &desk.approver, &more, "approve").await,
        (200, "Approved".into())
    );
    assert_eq!(state(&desk, &restriction).await, "Lifted");
}

#[tokio::test]
async fn undo_that_lifts_a_restriction_needs_approval() {
    let desk = Desk::new().await;
    let pool = &desk.node.pool;
    let mut undo = Vec::new();
    for (name, count) in [("none", 0), ("one", 1)] {
        let by = Actor::Source(name.into());
        let batch = deliveries::begin_delivery(pool, name, &by, NOW)
            .await
            .unwrap();
        let delivery = Delivery {
            source: name,
            actor: &by,
            grounds: ReportGrounds::Decision,
            suspicions: SuspicionPolicy::default(),
            descendants: akgate_rules::lineage::DescendantPolicy::default(),
            ledger: Some(DeliveryOrigin::Existing(batch)),
        };
        let report = |n| LeakReport {
            access_key_id: Some(id(&format!("LTAI5tFake{name}{n}"))),
            ..LeakReport::default()
        };
        let reports: Vec<LeakReport> = (0..count).map(report).collect();
        record_reports(pool, &ring(), &delivery, &reports, NOW)
            .await
            .unwrap();
        undo.push(format!("deliveries/{batch}:undo"));
    }
    let reason = || json!({ "reason": "an inventory" });
    let (status, undone) = desk.post(&undo[0], reason()).await;
    assert_eq!((status, &undone["lifted"]), (200, &json!(0)));
    let (status, waits) = desk.post(&undo[1], reason()).await;
    assert_eq!(
        (status, waits["kind"].as_str()),
        (202, Some("UndoDelivery"))
    );
    let in_force = async || -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM restrictions WHERE state <> 'Lifted'")
            .fetch_one(pool)
            .await
            .unwrap()
    };
    assert_eq!(in_force().await, 1);
    desk.approve(&waits).await;
    assert_eq!(in_force().await, 0);
    let approved: Vec<Option<String>> =
        sqlx::query_scalar("SELECT DISTINCT approved_by FROM restrictions ORDER BY 1")
            .fetch_all(pool)
            .await
            .unwrap();
    assert_eq!(approved, [Some("operator:anna".to_owned())]);
}

#[tokio::test]
async fn operator_who_recorded_the_confirmation_does_not_lift_alone() {
    let (desk, restriction) = desk().await;
    let (status, _) = desk
        .post(
            &format!("restrictions/{restriction}:confirm"),
            json!({ "ticket": "T-1" }),
        )
        .await;
    assert_eq!(status, 200);
    set_inactive(&desk).await;
    let path = format!("restrictions/{restriction}:lift");
    let (status, waits) = desk.post(&path, how(false, false)).await;
    assert_eq!((status, waits["kind"].as_str()), (202, Some("Lift")));
    assert_eq!(state(&desk, &restriction).await, "Confirmed");
    // Anybody else needs nobody, and olga's request has become pointless.
    let (status, _, lifted) = desk
        .ask(&desk.approver, Method::POST, &path, Some(how(false, false)))
        .await;
    assert_eq!(
        (status, lifted["state"].as_str()),
        (StatusCode::OK, Some("Lifted"))
    );
    let id = waits["approval_id"].as_str().unwrap();
    let void = desk.get(&format!("approvals/{id}")).await;
    assert_eq!(
        ["state", "decided_by", "remark"].map(|name| void[name].as_str().unwrap()),
        ["Void", "akgate", "The restriction is lifted."]
    );
    assert_eq!(
        decide(&desk, &desk.approver, id, "approve").await,
        (409, "approval-not-pending".into())
    );
}

#[tokio::test]
async fn requests_that_the_facts_have_made_pointless_are_void() {
    let (desk, restriction) = desk().await;
    let lift = ask_to_lift(&desk, &restriction).await;
    let (status, disable) = desk
        .post(
            &format!("keys/{KEY}:disable"),
            json!({ "reason": "it is abused" }),
        )
        .await;
    assert_eq!(status, 202);
    let exception = json!({
        "access_key_id": KEY,
        "operations": ["RAM:CreateAccessKey"],
        "networks": ["192.0.2.0/24"],
        "hours": 1,
        "reason": "the pipeline",
    });
    let (status, exception) = desk.post("exceptions", exception).await;
    assert_eq!(status, 202);
    let state_of = async |id: &str| {
        let shown = desk.get(&format!("approvals/{id}")).await;
        shown["state"].as_str().unwrap().to_owned()
    };
    let [disable, exception] =
        [disable, exception].map(|one| one["approval_id"].as_str().unwrap().to_owned());
    set_inactive(&desk).await;
    assert_eq!(state_of(&disable).await, "Void");
    assert_eq!(state_of(&exception).await, "Pending");
    assert_eq!(
        decide(&desk, &desk.approver, &lift, "approve").await,
        (200, "Approved".into())
    );
    assert_eq!(state_of(&exception).await, "Void");
    assert_eq!(state_of(&lift).await, "Approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_approvers_lift_once() {
    let (desk, restriction) = desk().await;
    let id: Uuid = ask_to_lift(&desk, &restriction).await.parse().unwrap();
    let pool = desk.node.pool.clone();
    let approvers = (0..16).map(|n| {
        let pool = pool.clone();
        tokio::spawn(async move {
            let approver = akgate_state::audit::Actor::Operator(format!("approver{n}"));
            approval_decisions::grant_approval(&pool, id, &approver, None, NOW)
                .await
                .is_ok()
        })
    });
    let mut approved = 0;
    for approver in approvers.collect::<Vec<_>>() {
        approved += usize::from(approver.await.unwrap());
    }
    assert_eq!(approved, 1);
    let lifts: i64 = sqlx::query_scalar("SELECT count(*) FROM audit_records WHERE action = 'Lift'")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(lifts, 1);
}

/// Sixteen operators report and lift the same key at once: whoever comes first, the history is a line, and each step of
/// it is told of once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_operators_on_one_key_leave_a_linear_history() {
    let desk = Arc::new(Desk::new().await);
    contacts::commit_contact(
        &desk.node.pool,
        ACCOUNT,
        "owner@example.com",
        Language::English,
        NOW,
    )
    .await
    .unwrap();
    desk.node.key(KEY, Some("alice")).await;
    let mut tokens = Vec::new();
    for n in 0..16 {
        tokens.push(token(&desk.node, &format!("operator{n}"), Role::Approver).await);
    }
    let operators = tokens.into_iter().enumerate().map(|(n, token)| {
        let desk = Arc::clone(&desk);
        tokio::spawn(async move {
            for turn in 0..4 {
                let report = json!({ "access_key_id": KEY, "source": "test", "reference": format!("{n}-{turn}") });
                let (status, _, reported) = desk.ask(&token, Method::POST, "leak-reports", Some(report)).await;
                assert!(status.is_success(), "{reported}");
                let id = reported["restriction_id"].as_str().unwrap();
                let lift = format!("restrictions/{id}:lift");
                let (status, _, waits) = desk.ask(&token, Method::POST, &lift, Some(how(true, true))).await;
                assert!([202, 409].contains(&status.as_u16()), "{status} {waits}");
                let (_, _, open) = desk.ask(&token, Method::GET, "approvals?state=Pending", None).await;
                for one in open["approvals"].as_array().unwrap() {
                    let approve = format!("approvals/{}:approve", one["approval_id"].as_str().unwrap());
                    let (status, _, said) = desk.ask(&token, Method::POST, &approve, Some(json!({}))).await;
                    assert!([200, 409].contains(&status.as_u16()), "{status} {said}");
                }
            }
        })
    });
    for operator in operators.collect::<Vec<_>>() {
        operator.await.unwrap();
    }
    let history: Vec<(String, Uuid)> = sqlx::query_as(
        "SELECT action, restriction_id
         FROM audit_records
         WHERE action IN ('Impose', 'Lift')
         ORDER BY audit_id",
    )
    .fetch_all(&desk.node.pool)
    .await
    .unwrap();
    assert!(history.len() > 2, "{history:?}");
    for (n, (action, restriction)) in history.iter().enumerate() {
        let expected = if n % 2 == 0 { "Impose" } else { "Lift" };
        assert_eq!(action, expected, "{history:?}");
        if n % 2 == 1 {
            assert_eq!(history[n - 1].1, *restriction, "{history:?}");
        }
    }
    let letters: Vec<(String, Uuid, i64)> = sqlx::query_as(
        "SELECT kind, restriction_id, count(*)
         FROM letters
         WHERE kind IN ('Imposed', 'Lifted')
         GROUP BY kind, restriction_id",
    )
    .fetch_all(&desk.node.pool)
    .await
    .unwrap();
    let imposed = history
        .iter()
        .filter(|(action, _)| action == "Impose")
        .count();
    assert_eq!(
        letters
            .iter()
            .filter(|(kind, ..)| kind == "Imposed")
            .count(),
        imposed
    );
    for (kind, restriction, count) in letters {
        assert_eq!(count, 1, "{kind} {restriction}");
    }
    let sent = desk.node.database.send_letters().await;
    assert_eq!(sent.len(), history.len(), "{sent:?}");
}

#[tokio::test]
async fn timeline_lists_every_event_in_order() {
    let desk = Desk::new().await;
    contacts::commit_contact(
        &desk.node.pool,
        ACCOUNT,
        "owner@example.com",
        Language::English,
        NOW,
    )
    .await
    .unwrap();
    let alice = desk.node.key(KEY, Some("alice")).await;
    let body = json!({
        "access_key_id": KEY,
        "source": "github",
        "reference": "finding-1",
        "url": "https://github.com/example/app",
        "first_seen": "2026-11-25T12:00:00Z",
    });
    let (_, receipt) = desk.post("leak-reports", body).await;
    let restriction = receipt["restriction_id"].as_str().unwrap().to_owned();
    for name in ["a", "b"] {
        let reply = desk
            .node
            .call(&alice, "2015-05-01", "CreateUser", &[("UserName", name)])
            .await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN);
    }
    desk.node.clock.advance(Duration::HOUR);
    desk.post(
        &format!("restrictions/{restriction}:confirm"),
        json!({ "ticket": "T-1" }),
    )
    .await;
    desk.node.clock.advance(Duration::HOUR);
    let id = ask_to_lift(&desk, &restriction).await;
    desk.node.clock.advance(Duration::HOUR);
    decide(&desk, &desk.approver, &id, "approve").await;
    desk.node.node.recorder().flush().await.unwrap();
    let path = format!("restrictions/{restriction}/timeline");
    let told = |history: &Value| -> Vec<String> {
        let events = history["events"].as_array().unwrap().iter();
        let text = |event: &Value, name: &str| event[name].as_str().unwrap_or("-").to_owned();
        let line = |event| {
            ["event", "by", "detail"]
                .map(|name| text(event, name).split(" in ").next().unwrap().to_owned())
                .join(" | ")
        };
        events.map(line).collect()
    };
    let history = desk.get(&path).await;
    assert_eq!(
        told(&history),
        [
            "Found | github | https://github.com/example/app",
            "Reported | github | Decided",
            "Imposed | - | Reported",
            "Enforced | - | at 1 node",
            "CallsRefused | - | 2: CreateUser",
            "Confirmed | operator:olga | -",
            "ApprovalRequested | operator:olga | Lift: the owner cannot be reached",
            "ApprovalDecided | operator:anna | Lift: Approved",
            "Lifted | operator:olga | AcceptedRisk: the owner cannot be reached",
        ]
    );
    let newest = desk.get(&format!("{path}?page_size=1")).await;
    assert_eq!(newest["events"].as_array().unwrap().len(), 1);
    assert_eq!(newest["events"][0]["event"], "Lifted");
    let none = format!("restrictions/{}/timeline", Uuid::nil());
    let (status, ..) = desk.ask(&desk.viewer, Method::GET, &none, None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let sent = desk.node.database.send_letters().await;
    assert_eq!(sent, ["Confirmed", "Imposed", "Lifted"]);
}
