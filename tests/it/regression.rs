//! Faults that were found and mended, each with the test that fails if it comes back.
//!
//! A test that needs the helpers of its own file stays there and is listed in [`ELSEWHERE`].

use std::net::IpAddr;

use akgate_client::signer::{ApiCall, sign_request};
use akgate_rules::access_key::AccessKeyId;
use akgate_state::{
    calls::batch::CountKey,
    operators::{login::authenticate_token, token::OperatorToken},
};
use axum::body::Body;
use http::{Method, StatusCode};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use crate::{
    desk::Desk,
    harness::{Behind, NOW, TestNode, in_origin_form},
    road::{RAM, create_user, forbidden, passed},
    sources::{ALICE, Post},
};

/// File, test, and what went wrong.
const ELSEWHERE: [(&str, &str, &str); 9] = [
    (
        "tests/it/letters/smtp.rs",
        "abandoned_letter_does_not_disturb_the_next",
        "a send that was cut short left its connection in the pool in mid-conversation: a refused letter counted as sent",
    ),
    (
        "tests/it/letters/smtp.rs",
        "refused_letter_fails_and_a_refused_sender_is_retried",
        "a 5xx from a server that lets nobody in ended every letter",
    ),
    (
        "tests/it/letters/owner.rs",
        "shadow_mode_sends_no_letters",
        "owners were told of a restriction that refused nothing",
    ),
    (
        "tests/it/window.rs",
        "stalled_intent_does_not_carry_a_decision_past_a_change",
        "the intent's revision was compared with what the node knew when it was written, not when it decided",
    ),
    (
        "tests/it/window.rs",
        "failover_that_lost_commits_leaves_no_trace_of_them_and_hides_nothing_new",
        "a failover gave the revisions of lost commits to other changes",
    ),
    (
        "tests/it/approvals.rs",
        "lift_without_confirmation_or_of_a_working_key_needs_approval",
        "an operator's request ended the pending one of another operator",
    ),
    (
        "src/owners/letters/letter/tests.rs",
        "letter_contains_no_template_markup",
        "the Chinese letter about a suspicion showed a mark of its template",
    ),
    (
        "src/rules/evidence.rs",
        "shown_place_contains_no_credential",
        "a key in the address where it was found was shown whole",
    ),
    (
        "src/intake/report_file/tests.rs",
        "error_contains_nothing_of_the_file",
        "an error quoted member names and values of the report file",
    ),
];

#[test]
fn listed_test_exists() {
    for (file, name, fault) in ELSEWHERE {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = std::fs::read_to_string(path).unwrap();
        assert!(
            text.contains(&format!("fn {name}(")),
            "{file}: {name}: {fault}"
        );
    }
}

/// PostgreSQL keeps no NUL: the call was answered as if the database were away.
#[tokio::test]
async fn nul_in_a_query_is_no_outage() {
    let node = TestNode::new(Behind::Sandbox).await;
    let root = node.key("LTAI5tFakeRoot", None).await;
    let reply = node
        .call(&root, RAM, "CreateUser", &[("UserName", "a\0b")])
        .await;
    assert_eq!(reply.status.as_u16(), 400, "{}", reply.text);
    let mut request = sign_request(
        "http://gateway.test",
        &root,
        ApiCall {
            version: RAM,
            action: "CreateUser",
            parameters: &[("UserName", "ua")],
        },
        NOW,
    )
    .unwrap()
    .map(Body::new);
    let odd = http::HeaderValue::from_bytes(b"caf\xe9 \x09 agent").unwrap();
    request.headers_mut().insert("user-agent", odd);
    let reply = node.send(in_origin_form(request)).await;
    assert_eq!(reply.status.as_u16(), 200, "{}", reply.text);
}

/// The admin API answered 503 to a NUL in a query, for the same reason.
#[tokio::test]
async fn nul_in_an_admin_query_is_refused_with_a_reason() {
    let desk = Desk::new().await;
    for path in ["restrictions?access_key_id=%00", "leak-reports?source=a%00"] {
        let (status, _, problem) = desk.ask(&desk.viewer, Method::GET, path, None).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
        assert!(
            problem["detail"].as_str().unwrap().contains("NUL"),
            "{problem}"
        );
    }
}

/// JSON Schema takes 7.0 for an integer; the API refused it.
#[tokio::test]
async fn whole_number_with_a_fraction_of_zero_is_an_integer() {
    let desk = Desk::new().await;
    for (days, expected) in [(json!(7.0), 201), (json!(7.5), 400)] {
        let new = json!({ "name": "otto", "role": "operator", "token_days": days });
        let made = desk.ask(&desk.admin, Method::POST, "operators", Some(new));
        let (status, _, answer) = made.await;
        assert_eq!(status, expected, "{days}: {answer}");
    }
}

/// A node kept what it knew when a restored database began again at an earlier revision.
#[tokio::test]
async fn revision_that_goes_backwards_reloads_everything() {
    let node = TestNode::new(Behind::Yes).await;
    let key = node.key("LTAI5tFakeAlice", Some("alice")).await;
    node.report("LTAI5tFakeAlice").await;
    node.node.feed().poll().await.unwrap();
    assert_eq!(create_user(&node, &key, "x").await, forbidden());
    for statement in [
        "DELETE FROM operator_tasks",
        "DELETE FROM leak_reports",
        "DELETE FROM restrictions",
        "UPDATE access_keys SET revision = 1",
        "UPDATE registry_revision SET revision = 1",
    ] {
        sqlx::query(statement).execute(&node.pool).await.unwrap();
    }
    node.node.feed().poll().await.unwrap();
    assert_eq!(node.node.feed().revision(), 1);
    assert_eq!(create_user(&node, &key, "x").await, passed());
    // And a restriction of the new history, whose number the old one had used.
    node.report("LTAI5tFakeAlice").await;
    node.node.feed().poll().await.unwrap();
    assert_eq!(create_user(&node, &key, "x").await, forbidden());
}

/// Requests at the same time with a good token counted as guesses, and locked it.
#[tokio::test]
async fn valid_token_used_sixteen_times_at_once_from_a_new_address_is_not_locked() {
    let desk = Desk::new().await;
    let ip: IpAddr = "198.51.100.7".parse().unwrap();
    let uses = (0..16).map(|_| {
        let (pool, token) = (
            desk.node.pool.clone(),
            OperatorToken::parse(&desk.admin).unwrap(),
        );
        tokio::spawn(async move { authenticate_token(&pool, &token, ip, NOW).await })
    });
    for one in uses.collect::<Vec<_>>() {
        assert_eq!(one.await.unwrap().unwrap().name, "ada");
    }
}

/// The address was searched once for each secret: a large delivery took minutes.
#[tokio::test]
async fn delivery_with_many_secrets_in_one_place_stays_fast() {
    let post = Post::new().await;
    let alice = post.node.key(ALICE, Some("alice")).await;
    let secret = &alice.access_key_secret;
    let url = format!("https://h.example/{}{secret}", "x".repeat(2000));
    let mut elements: Vec<Value> = (0..7_000)
        .map(
            |n| json!({ "token": format!("FakeSecretOfNobody{n:010}xY"), "type": "t", "url": url }),
        )
        .collect();
    elements.push(json!({ "token": secret, "type": "t", "url": url }));
    let answer = post.deliver(&json!(elements)).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(post.restricted().await, [ALICE]);
    let kept: Option<String> =
        sqlx::query_scalar("SELECT url FROM leak_reports WHERE access_key_id IS NOT NULL")
            .fetch_one(&post.node.pool)
            .await
            .unwrap();
    assert!(kept.unwrap().ends_with("x******"), "it is cut, and clean");
}

/// A text that PostgreSQL does not take, or an index entry that is too long, kept every later record of the node from
/// being written.
#[tokio::test]
async fn record_that_cannot_be_written_is_dropped_alone() {
    let node = TestNode::new(Behind::Sandbox).await;
    let recorder = node.node.recorder();
    let count = |action: String| {
        recorder.forwarded(CountKey {
            access_key_id: AccessKeyId::parse("LTAI5tFakeAlice").unwrap(),
            hour: NOW.replace_time(time::Time::MIDNIGHT),
            product: "RAM".into(),
            version: RAM.into(),
            action,
        });
    };
    for n in 0..40 {
        count(format!("Good{n}"));
    }
    count("a\0b".into());
    let mut letters = StdRng::seed_from_u64(1);
    let long: String = (0..900_000)
        .map(|_| char::from(letters.random_range(b'a'..=b'z')))
        .collect();
    count(long);
    recorder.flush().await.unwrap();
    assert_eq!((recorder.dropped(), recorder.unwritten()), (2, 0));
    let kept: i64 =
        sqlx::query_scalar("SELECT count(*) FROM call_counts WHERE action LIKE 'Good%'")
            .fetch_one(node.database.pool())
            .await
            .unwrap();
    assert_eq!(kept, 40);
}

/// akgate learnt whose an access key is from whichever of `UserName` and `UserPrincipalName` it found, the upstream from its
/// own alone: a caller made a key that akgate took for somebody else's, or for the account's.
#[tokio::test]
async fn call_names_its_user_by_its_own_product_alone() {
    let node = TestNode::new(Behind::Sandbox).await;
    let root = node.key("LTAI5tFakeRoot", None).await;
    for user in ["low", "victim"] {
        let made = node
            .call(&root, RAM, "CreateUser", &[("UserName", user)])
            .await;
        assert_eq!(made.status, StatusCode::OK, "{user}");
    }
    let low = node.key("LTAI5tFakeLow", Some("low")).await;
    let stray = [
        (RAM, "CreateAccessKey", "UserPrincipalName", "victim@x"),
        (RAM, "CreateAccessKey", "UserPrincipalName", "@x"),
        (RAM, "CreateAccessKey", "username", "victim"),
        ("2019-08-15", "CreateAccessKey", "UserName", "victim"),
        ("2019-08-15", "CreateAccessKey", "UserId", "7"),
        ("2019-08-15", "DeleteUser", "UserName", "victim"),
        ("2019-08-15", "UpdateUser", "NewUserName", "victim"),
        (RAM, "UpdateAccessKey", "status", "Active"),
    ];
    for (version, action, name, value) in stray {
        let reply = node.call(&low, version, action, &[(name, value)]).await;
        assert_eq!(
            reply.status,
            StatusCode::BAD_REQUEST,
            "{action} {name}={value}"
        );
        assert_eq!(reply.body["Code"], "InvalidParameter");
    }
    let of_others: i64 = sqlx::query_scalar(
        "SELECT count(*)
         FROM access_keys
         JOIN principals USING (principal_id)
         WHERE access_key_id NOT IN ('LTAI5tFakeRoot', 'LTAI5tFakeLow')",
    )
    .fetch_one(&node.pool)
    .await
    .unwrap();
    assert_eq!(of_others, 0);
}
