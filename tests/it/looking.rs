//! What an operator finds, and how: restrictions by what is known of them, keys and where they come from, accounts,
//! letters, and the policy with what it would have done.

use akgate_state::{
    clock::Clock,
    directory::contacts::{self, Language},
};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use time::Duration;

use crate::{
    desk::{Desk, assert_problem, kind},
    harness::{ACCOUNT, Behind},
    road::{assume, role},
};

const KEY: &str = "LTAI5tFakeAlice";
const RAM: &str = "2015-05-01";

async fn found(desk: &Desk, query: &str) -> Vec<String> {
    let list = desk.get(&format!("restrictions?{query}")).await;
    let found = list["restrictions"].as_array().unwrap().iter();
    found
        .map(|one| one["access_key_id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn restriction_is_found_by_a_prefix_of_any_identifier() {
    let desk = Desk::new().await;
    desk.node.key(KEY, Some("alice")).await;
    desk.node.key("LTAI5tFakeBob", Some("bob")).await;
    let (_, restriction) = desk.report(KEY, "finding-7").await;
    let body = json!({
        "access_key_id": "LTAI5tFakeBob",
        "source": "paste",
        "reference": "100%_sure",
        "url": "http://paste.example/1",
    });
    assert_eq!(desk.post("leak-reports", body).await.0, 201);
    let confirm = format!("restrictions/{restriction}:confirm");
    desk.post(&confirm, json!({ "ticket": "HOTLINE-42" })).await;

    let (alice, bob) = (vec![KEY.to_owned()], vec!["LTAI5tFakeBob".to_owned()]);
    let both = [bob.clone(), alice.clone()].concat();
    for (query, expected) in [
        ("q=LTAI5tFakeA", &alice),
        ("q=LTAI5tFake", &both),
        ("q=alice", &alice),
        ("q=bo", &bob),
        ("q=HOTLINE", &alice),
        ("q=finding-7", &alice),
        ("q=github.com/example", &alice),
        ("q=https://github.com/example", &alice),
        ("q=http://paste", &bob),
        // A percent sign is one, and an underscore too.
        ("q=100%25_", &bob),
        ("q=%25", &vec![]),
        ("q=_", &vec![]),
        ("q=mallory", &vec![]),
        ("q=LTAI5tFake&state=Confirmed", &alice),
    ] {
        assert_eq!(&found(&desk, query).await, expected, "{query}");
    }
    for query in [
        format!("q={}", &ACCOUNT[..6]),
        format!("account_id={ACCOUNT}"),
    ] {
        assert_eq!(found(&desk, &query).await, both, "{query}");
    }
    let first = desk.get("restrictions?q=LTAI5tFake&page_size=1").await;
    let token = first["next_page_token"].as_str().unwrap();
    let next = format!("q=LTAI5tFake&page_size=1&page_token={token}");
    assert_eq!(found(&desk, &next).await, alice);
    for wrong in ["q=", "q=%20", "q=a%0Ab"] {
        let path = format!("restrictions?{wrong}");
        let (status, kind, problem) = desk.ask(&desk.viewer, Method::GET, &path, None).await;
        assert_problem(status, &kind, &problem);
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}");
    }
}

#[tokio::test]
async fn lineage_shows_ancestors_and_descendants_of_a_key() {
    let desk = Desk::behind(Behind::Sandbox).await;
    let node = &desk.node;
    let root = node.key("LTAI5tFakeRoot", None).await;
    let alice = node.key(KEY, Some("alice")).await;
    let arn = role(node, &root, "r").await;
    let made = node
        .call(&alice, RAM, "CreateUser", &[("UserName", "carol")])
        .await;
    assert_eq!(made.status, StatusCode::OK);
    let made = node
        .call(&alice, RAM, "CreateAccessKey", &[("UserName", "carol")])
        .await;
    let carol = made.body["AccessKey"]["AccessKeyId"]
        .as_str()
        .unwrap()
        .to_owned();
    let first = assume(node, &alice, &arn).await;
    let second = assume(node, &first, &arn).await;
    desk.report(KEY, "r-1").await;

    let lineage = async |id: &str| -> Vec<(i64, String, Option<String>)> {
        let answer = desk.get(&format!("keys/{id}/lineage")).await;
        let relatives = answer["relatives"].as_array().unwrap().iter();
        relatives
            .map(|one| {
                let text = |name: &str| one[name].as_str().map(str::to_owned);
                let distance = one["distance"].as_i64().unwrap();
                (
                    distance,
                    text("access_key_id").unwrap(),
                    text("restriction"),
                )
            })
            .collect()
    };
    let imposed = || Some("Imposed".to_owned());
    let of = |distance, id: &str, restriction| (distance, id.to_owned(), restriction);
    assert_eq!(
        lineage(&second.access_key_id).await,
        [
            of(-2, KEY, imposed()),
            of(-1, &first.access_key_id, None),
            of(0, &second.access_key_id, None),
        ]
    );
    let mut of_root = lineage(KEY).await;
    assert_eq!(of_root.remove(0), of(0, KEY, imposed()));
    let mut expected = vec![
        of(1, &carol, None),
        of(1, &format!("user:{ACCOUNT}/carol"), None),
        of(1, &first.access_key_id, None),
        of(2, &second.access_key_id, None),
    ];
    expected.sort();
    assert_eq!(of_root, expected);
    assert_eq!(
        lineage("LTAI5tFakeNobody").await,
        [of(0, "LTAI5tFakeNobody", None)]
    );

    let shown = desk.get(&format!("keys/{KEY}")).await;
    assert_eq!(
        (&shown["created_keys"], &shown["sessions"]),
        (&json!(1), &json!(2))
    );
    let listed = desk.get("keys?restricted=true").await;
    assert_eq!(listed["keys"].as_array().unwrap().len(), 1);
    assert_eq!(listed["keys"][0]["restriction"], "Imposed");
    let text = desk.get("keys").await.to_string() + &shown.to_string();
    assert!(!text.contains("FakeSecret"), "{text}");
    let (status, _, problem) = desk
        .ask(&desk.viewer, Method::GET, "keys/LTAI5tFakeNobody", None)
        .await;
    assert_eq!((status.as_u16(), kind(&problem)), (404, "not-found"));
}

#[tokio::test]
async fn account_shows_its_settings_and_counts() {
    let desk = Desk::new().await;
    desk.node.key(KEY, Some("alice")).await;
    desk.node.key("LTAI5tFakeBob", Some("bob")).await;
    desk.report(KEY, "r-1").await;
    let account = desk.get(&format!("accounts/{ACCOUNT}")).await;
    assert_eq!(
        (&account["keys"], &account["restrictions"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(
        (&account["profile"], &account["self_remedy"]),
        (&Value::Null, &Value::Null)
    );
    let own = async || {
        desk.get("accounts?own=true").await["accounts"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(own().await, 0);
    let path = format!("accounts/{ACCOUNT}/profile");
    let strict = Some(json!({ "profile": "strict" }));
    desk.ask(&desk.operator, Method::PUT, &path, strict).await;
    assert_eq!(own().await, 1);
    let (status, _, problem) = desk
        .ask(&desk.viewer, Method::GET, "accounts/nobody", None)
        .await;
    assert_eq!((status.as_u16(), kind(&problem)), (404, "not-found"));
}

#[tokio::test]
async fn letter_retry_and_cancellation_are_recorded() {
    let desk = Desk::new().await;
    desk.node.key(KEY, Some("alice")).await;
    let now = desk.node.clock.now();
    contacts::commit_contact(
        &desk.node.pool,
        ACCOUNT,
        "owner@example.com",
        Language::English,
        now,
    )
    .await
    .unwrap();
    desk.report(KEY, "r-1").await;
    let letters = desk.get("letters").await;
    let id = letters["letters"][0]["letter_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let (resend, cancel) = (
        format!("letters/{id}:resend"),
        format!("letters/{id}:cancel"),
    );
    let why = json!({ "reason": "the owner was called" });

    let (status, problem) = desk.post(&resend, json!({})).await;
    assert_eq!((status, kind(&problem)), (409, "letter-due"));
    let (status, failed) = desk.post(&cancel, why.clone()).await;
    assert_eq!((status, failed["state"].as_str()), (200, Some("Failed")));
    let said = "stopped by operator:olga: the owner was called";
    assert_eq!(failed["last_error"], said);
    let (status, problem) = desk.post(&cancel, why).await;
    assert_eq!((status, kind(&problem)), (409, "letter-settled"));

    let (status, again) = desk.post(&resend, json!({})).await;
    assert_eq!((status, again["state"].as_str()), (201, Some("Due")));
    let new = again["letter_id"].as_str().unwrap();
    assert_ne!(new, id);
    for member in ["restriction_id", "kind", "email"] {
        assert_eq!(again[member], failed[member], "{member}");
    }
    assert_eq!(desk.get(&format!("letters/{new}")).await, again);
    let actions: Vec<String> = sqlx::query_scalar(
        "SELECT action FROM audit_records WHERE action LIKE '%Letter' ORDER BY audit_id",
    )
    .fetch_all(&desk.node.pool)
    .await
    .unwrap();
    assert_eq!(actions, ["CancelLetter", "ResendLetter"]);
    let (status, problem) = desk
        .post(
            "letters/019ac000-0000-7000-8000-000000000000:resend",
            json!({}),
        )
        .await;
    assert_eq!((status, kind(&problem)), (404, "not-found"));
    assert_eq!(desk.node.database.send_letters().await, ["Imposed"]);
}

#[tokio::test]
async fn policy_is_shown_checked_compared_and_replayed() {
    let desk = Desk::behind(Behind::Sandbox).await;
    let node = &desk.node;
    let alice = node.key(KEY, Some("alice")).await;
    let bob = node.key("LTAI5tFakeBob", Some("bob")).await;
    for _ in 0..3 {
        node.call(&alice, RAM, "ListUsers", &[]).await;
        node.call(&bob, RAM, "CreateGroup", &[("GroupName", "g")])
            .await;
    }
    node.clock.advance(Duration::hours(2));
    desk.report(KEY, "r-1").await;
    node.call(&alice, RAM, "ListUsers", &[]).await;
    node.call(&alice, RAM, "CreateUser", &[("UserName", "x")])
        .await;
    node.node.recorder().flush().await.unwrap();

    let policy = desk.get("policy").await;
    assert_eq!(
        (&policy["mode"], &policy["profile"]),
        (&json!("enforce"), &json!("mutations"))
    );
    let refused = |profile: &str| policy["refused"][profile].as_u64().unwrap();
    assert!(0 < refused("mutations") && refused("mutations") < refused("strict"));

    let check = desk.get("policy/check?product=ram&action=ListUsers").await;
    assert_eq!(check["effect"], "Read");
    assert_eq!(check["version"], RAM);
    assert_eq!(
        check["restricted"],
        json!({ "mutations": "allow", "strict": "refuse" })
    );
    for (query, expected, said) in [
        (
            "product=RAM&version=2019-08-15&action=ListUsers",
            404,
            "RAM has version 2015-05-01",
        ),
        ("product=Ecs&action=RunInstances", 404, "give its `version`"),
        (
            "product=Ecs&version=2014&action=RunInstances",
            400,
            "must be a date",
        ),
        ("product=E.cs&action=RunInstances", 400, "`product`"),
        ("product=Ecs&action=Run.Instances", 400, "`action`"),
    ] {
        let path = format!("policy/check?{query}");
        let (status, _, problem) = desk.ask(&desk.viewer, Method::GET, &path, None).await;
        assert_eq!(status, expected);
        assert!(
            problem["detail"].as_str().unwrap().contains(said),
            "{problem}"
        );
    }

    let diff = desk.get("policy/diff").await;
    let differences = diff["differences"].as_array().unwrap();
    let named = |action: &str| differences.iter().find(|one| one["action"] == action);
    assert!(named("CreateUser").is_none());
    assert_eq!(named("ListUsers").unwrap()["strict"], "refuse");
    assert!(
        differences
            .iter()
            .all(|one| one["mutations"] != one["strict"])
    );

    let replay = async |query: &str| -> Vec<(String, String, i64, i64)> {
        let answer = desk.get(&format!("policy/replay?{query}")).await;
        assert_eq!(answer["is_truncated"], false);
        let calls = answer["calls"].as_array().unwrap().iter();
        calls
            .map(|one| {
                let text = |name: &str| one[name].as_str().unwrap().to_owned();
                let number = |name: &str| one[name].as_i64().unwrap();
                (
                    text("access_key_id"),
                    text("action"),
                    number("calls"),
                    number("refused"),
                )
            })
            .collect()
    };
    let row = |key: &str, action: &str, calls, refused| {
        (key.to_owned(), action.to_owned(), calls, refused)
    };
    let (create, list) = (row(KEY, "CreateUser", 1, 1), row(KEY, "ListUsers", 1, 0));
    assert_eq!(
        replay("profile=mutations").await,
        std::slice::from_ref(&create)
    );
    assert_eq!(replay("profile=strict").await, [create.clone(), list]);
    assert_eq!(
        replay("profile=mutations&keys=all").await,
        [row("LTAI5tFakeBob", "CreateGroup", 3, 0), create]
    );
    node.clock.advance(Duration::days(14) + Duration::HOUR);
    assert_eq!(replay("profile=strict&keys=all").await, []);
}
