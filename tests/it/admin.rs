//! The admin API and the owner's pages, as their clients see them.

use akgate::app::IntakeSettings;
use akgate_rules::{
    access_key::{AccessKeyId, AccessKeySecret},
    leak::LeakPlace,
};
use akgate_state::{
    audit::Actor,
    clock::Clock,
    directory::contacts::{self, Language},
    leaks::{
        deliveries::DeliveryOrigin,
        record::{Delivery, LeakReport, ReportGrounds, SuspicionPolicy, record_reports},
    },
    outbox::{
        LetterKind, lease_letters,
        links::{self, LinkPurpose},
    },
};
use axum::body::Body;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use time::Duration;
use tower::ServiceExt;

use crate::{
    desk::{Desk, assert_problem},
    harness::{ACCOUNT, NOW},
};

#[tokio::test]
async fn request_without_a_sufficient_token_is_refused() {
    let desk = Desk::new().await;
    let last = if desk.operator.ends_with('x') {
        'y'
    } else {
        'x'
    };
    let wrong = format!("{}{last}", &desk.operator[..60]);
    for (token, status) in [
        ("", 401),
        ("nonsense", 401),
        (wrong.as_str(), 401),
        (desk.viewer.as_str(), 403),
    ] {
        let (got, kind, body) = desk
            .ask(token, Method::POST, "leak-reports", Some(json!({})))
            .await;
        assert_eq!(got.as_u16(), status, "{body}");
        assert_problem(got, &kind, &body);
    }
}

#[tokio::test]
async fn bad_input_gets_a_problem_that_names_the_remedy() {
    let desk = Desk::new().await;
    for (method, path, body, said) in [
        (
            Method::POST,
            "leak-reports",
            Some(json!({"access_key_id": "a b", "source": "s", "reference": "r"})),
            "128 characters",
        ),
        (
            Method::POST,
            "leak-reports",
            Some(json!({"access_key_id": "a", "sauce": "s"})),
            "unknown field `sauce`",
        ),
        (
            Method::POST,
            "leak-reports",
            Some(json!({"access_key_id": "a", "source": "", "reference": "r"})),
            "`source` must have 1 to 64",
        ),
        (
            Method::GET,
            "restrictions?state=Open",
            None,
            "Imposed, Confirmed or Lifted",
        ),
        (Method::GET, "restrictions?page_size=0", None, "1 to 500"),
        (
            Method::GET,
            "restrictions?stat=Imposed",
            None,
            "unknown field",
        ),
        (Method::GET, "restrictions/nonsense", None, "UUID"),
        (
            Method::GET,
            "letters?state=Lost",
            None,
            "Due, Sent or Failed",
        ),
        (Method::GET, "restrictions?access_key_id=%00", None, "NUL"),
        (Method::GET, "leak-reports?source=a%00", None, "NUL"),
        (
            Method::PUT,
            "accounts/%00/profile",
            Some(json!({ "profile": null })),
            "NUL",
        ),
        (Method::GET, "nowhere", None, "/admin/v1"),
        (Method::DELETE, "restrictions", None, "methods"),
        (
            Method::POST,
            "restrictions/019ac000-0000-7000-8000-000000000000:free",
            Some(json!({})),
            ":lift",
        ),
    ] {
        let (status, kind, body) = desk.ask(&desk.operator, method, path, body).await;
        assert!(status.is_client_error(), "{path}: {status}");
        assert_problem(status, &kind, &body);
        assert!(
            body["detail"].as_str().unwrap().contains(said),
            "{path}: {body}"
        );
    }
}

#[tokio::test]
async fn report_counts_once_by_its_reference_even_after_a_lift() {
    let desk = Desk::new().await;
    desk.node.key("LTAI5tFakeAlice", Some("alice")).await;
    let (status, first) = desk.report("LTAI5tFakeAlice", "finding-1").await;
    assert_eq!(status, 201);
    assert_eq!(
        desk.report("LTAI5tFakeAlice", "finding-1").await,
        (200, first.clone())
    );
    // Another finding joins the restriction.
    assert_eq!(
        desk.report("LTAI5tFakeAlice", "finding-2").await,
        (201, first.clone())
    );

    let lift = format!("restrictions/{first}:lift");
    let reason =
        json!({ "resolution": "Rotated", "reason": "cleaned up", "accept_active_key": true });
    assert_eq!(desk.post(&lift, reason.clone()).await.0, 409);
    let confirm = format!("restrictions/{first}:confirm");
    assert_eq!(desk.post(&confirm, json!({ "ticket": "T-1" })).await.0, 200);
    assert_eq!(desk.post(&confirm, json!({ "ticket": "T-1" })).await.0, 409);
    let unaware = json!({ "resolution": "Rotated", "reason": "cleaned up" });
    let active = desk.post(&lift, unaware).await;
    assert_eq!(
        (active.0, active.1["type"].as_str()),
        (409, Some("urn:akgate:problem:key-active"))
    );
    let (status, waits) = desk.post(&lift, reason.clone()).await;
    assert_eq!((status, waits["state"].as_str()), (202, Some("Pending")));
    desk.approve(&waits).await;
    let lifted = desk.get(&format!("restrictions/{first}")).await;
    assert_eq!(
        ["state", "lifted_by", "approved_by", "resolution"]
            .map(|name| lifted[name].as_str().unwrap()),
        ["Lifted", "operator:olga", "operator:anna", "Rotated"]
    );
    assert_eq!(desk.post(&lift, reason).await.0, 409);

    let again = json!({
        "access_key_id": "LTAI5tFakeAlice",
        "source": "github",
        "reference": "finding-1",
    });
    let (status, problem) = desk.post("leak-reports", again).await;
    assert_eq!(
        (status, problem["type"].as_str()),
        (409, Some("urn:akgate:problem:report-already-lifted"))
    );
    let key = "restrictions?access_key_id=LTAI5tFakeAlice&state=Imposed";
    assert_eq!(desk.get(key).await["restrictions"], json!([]));
    let (status, second) = desk.report("LTAI5tFakeAlice", "finding-3").await;
    assert_eq!(status, 201);
    assert_ne!(second, first);
}

#[tokio::test]
async fn unknown_key_is_restricted_without_a_letter_or_a_stored_secret() {
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
    desk.node.key("LTAI5tFakeAlice", Some("alice")).await;
    desk.report("LTAI5tFakeNobody", "finding-1").await;
    assert_eq!(desk.get("letters").await["letters"], json!([]));
    desk.report("LTAI5tFakeAlice", "finding-2").await;
    let letters = desk.get("letters?state=Due").await;
    assert_eq!(letters["letters"].as_array().unwrap().len(), 1);
    assert_eq!(letters["letters"][0]["kind"], "Imposed");
    let restrictions = desk.get("restrictions").await;
    let unknown = &restrictions["restrictions"][1];
    assert_eq!(unknown["account_id"], Value::Null);
    // Not in any row of any table of akgate's.
    for table in ["audit_records", "leak_reports", "letters", "restrictions"] {
        let dump: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "SELECT t::text FROM {table} t"
        )))
        .fetch_all(&desk.node.pool)
        .await
        .unwrap();
        assert!(!dump.is_empty(), "{table}");
        assert!(!dump.join("\n").contains("FakeLeakedSecret"), "{table}");
    }
    assert_eq!(desk.node.database.send_letters().await, ["Imposed"]);
}

#[tokio::test]
async fn lists_are_paged_without_gaps_or_repeats() {
    let desk = Desk::new().await;
    for n in 0..7 {
        desk.report(&format!("LTAI5tFake{n}"), &format!("finding-{n}"))
            .await;
    }
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = desk.get(&format!("restrictions?page_size=3{token}")).await;
        for one in page["restrictions"].as_array().unwrap() {
            seen.push(one["access_key_id"].as_str().unwrap().to_owned());
        }
        match page["next_page_token"].as_str() {
            Some(next) => token = format!("&page_token={next}"),
            None => break,
        }
    }
    let newest_first: Vec<String> = (0..7).rev().map(|n| format!("LTAI5tFake{n}")).collect();
    assert_eq!(seen, newest_first);
}

/// A page of the public listener: status, headers, text.
async fn page(desk: &Desk, method: Method, path: &str) -> (u16, http::HeaderMap, String) {
    ask_page(desk, method, path, "").await
}

async fn send_form(desk: &Desk, path: &str, form: &str) -> (u16, http::HeaderMap, String) {
    ask_page(desk, Method::POST, path, form).await
}

async fn ask_page(
    desk: &Desk,
    method: Method,
    path: &str,
    form: &str,
) -> (u16, http::HeaderMap, String) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(form.to_owned()))
        .unwrap();
    let public = desk.node.public(IntakeSettings::default());
    let answer = public.oneshot(request).await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    (
        status,
        headers,
        String::from_utf8_lossy(&bytes).into_owned(),
    )
}

#[tokio::test]
async fn confirmation_link_works_once_and_only_by_post() {
    let desk = Desk::new().await;
    let node = &desk.node;
    for (email, language) in [
        ("owner@example.com", Language::English),
        ("zhuren@example.com", Language::Chinese),
    ] {
        contacts::commit_contact(&node.pool, ACCOUNT, email, language, NOW)
            .await
            .unwrap();
    }
    node.key("LTAI5tFakeAlice", Some("<b>alice</b>")).await;
    let (_, restriction) = desk.report("LTAI5tFakeAlice", "finding-1").await;
    let letters = lease_letters(&node.pool, NOW, Duration::minutes(2), 10)
        .await
        .unwrap();
    assert_eq!(letters.len(), 2);
    let mut paths = Vec::new();
    for letter in &letters {
        assert_eq!(letter.kind, LetterKind::Imposed);
        let link = links::issue_link(&node.pool, &node.ring, letter, LinkPurpose::Confirm, NOW)
            .await
            .unwrap();
        paths.push((letter.language, format!("/confirm/{}", link.token)));
    }
    for (language, path) in &paths {
        for method in [Method::HEAD, Method::GET] {
            for _ in 0..50 {
                let (status, headers, text) = page(&desk, method.clone(), path).await;
                assert_eq!(status, 200);
                assert_eq!(headers["cache-control"], "no-store");
                assert_eq!(headers["referrer-policy"], "no-referrer");
                assert!(
                    headers["content-security-policy"]
                        .to_str()
                        .unwrap()
                        .contains("default-src 'none'")
                );
                if method == Method::GET {
                    assert!(text.contains(&format!("lang=\"{language}\"")), "{text}");
                    assert!(text.contains("github[.]com"), "{text}");
                    assert!(!text.contains("FakeLeakedSecret"), "{text}");
                    assert!(text.contains("&lt;b&gt;alice") && !text.contains("LTAI5tFakeAlice"));
                }
            }
        }
    }
    let state = async || desk.get(&format!("restrictions/{restriction}")).await["state"].clone();
    assert_eq!(state().await, "Imposed");
    let (_, first) = &paths[0];
    // A robot that sends the form as it is says nothing, and a reason that is not given is none.
    for (form, missing) in [
        ("", "Please tick what you have done"),
        ("done=Nothing", "Please say why"),
    ] {
        let (status, _, text) = send_form(&desk, first, form).await;
        assert_eq!(status, 422, "{form}");
        assert!(text.contains(missing), "{text}");
        assert_eq!(state().await, "Imposed", "{form}");
    }
    assert_eq!(send_form(&desk, first, "done=Rotated").await.0, 200);
    assert_eq!(state().await, "Confirmed");
    // What a mail program takes for a part of the link does not count, and a used link shows how things stand.
    for end in ["", ".", ")", "%3E", "%20", ",", "/", "%E3%80%82"] {
        let (status, _, text) = page(&desk, Method::GET, &format!("{first}{end}")).await;
        assert_eq!(status, 200, "{end}");
        assert!(text.contains("The clean-up is confirmed"), "{text}");
        assert!(text.contains("is still active"), "{text}");
        assert!(text.contains(", by you"), "{text}");
    }
    let (status, _, text) = send_form(&desk, first, "done=Rotated").await;
    assert!(
        status == 200 && text.contains("The clean-up is confirmed"),
        "a link confirms once: {text}"
    );
    let (_, second) = &paths[1];
    let (status, _, text) = send_form(&desk, second, "done=Rotated").await;
    assert_eq!(status, 200);
    assert!(text.contains("已确认泄露处理完毕"), "{text}");
    assert_eq!(state().await, "Confirmed");
    assert_eq!(
        page(&desk, Method::GET, "/admin/v1/restrictions").await.0,
        404
    );
    // Both hear of the confirmation.
    let due = desk.get("letters").await;
    let confirmed = due["letters"].as_array().unwrap().iter();
    assert_eq!(
        confirmed.filter(|one| one["kind"] == "Confirmed").count(),
        2
    );
    assert_eq!(
        desk.node.database.send_letters().await,
        ["Confirmed", "Confirmed", "Imposed", "Imposed"]
    );
}

#[tokio::test]
async fn confirmation_link_expires_after_seven_days() {
    let desk = Desk::new().await;
    let node = &desk.node;
    contacts::commit_contact(
        &node.pool,
        ACCOUNT,
        "owner@example.com",
        Language::English,
        NOW,
    )
    .await
    .unwrap();
    node.key("LTAI5tFakeAlice", Some("alice")).await;
    let (_, restriction) = desk.report("LTAI5tFakeAlice", "finding-1").await;
    let letters = lease_letters(&node.pool, NOW, Duration::minutes(2), 10)
        .await
        .unwrap();
    let link = links::issue_link(
        &node.pool,
        &node.ring,
        &letters[0],
        LinkPurpose::Confirm,
        node.clock.now(),
    )
    .await
    .unwrap();
    node.clock.advance(links::LINK_LIFETIME);
    let path = format!("/confirm/{}", link.token);
    assert_eq!(page(&desk, Method::GET, &path).await.0, 404);
    assert_eq!(page(&desk, Method::POST, &path).await.0, 404);
    let shown = desk.get(&format!("restrictions/{restriction}")).await;
    assert_eq!(shown["state"], "Imposed");
    assert_eq!(desk.node.database.send_letters().await, ["Imposed"]);
}

#[tokio::test]
async fn service_token_reads_notices_and_reports_bounces_only() {
    let desk = Desk::new().await;
    let node = &desk.node;
    let service = desk.service.as_str();
    contacts::commit_contact(
        &node.pool,
        ACCOUNT,
        "owner@example.com",
        Language::English,
        NOW,
    )
    .await
    .unwrap();
    node.key("LTAI5tFakeAlice", Some("alice")).await;
    let (_, restriction) = desk.report("LTAI5tFakeAlice", "finding-1").await;

    let notices = format!("/v1/accounts/{ACCOUNT}/notices");
    let (status, _, body) = desk.ask(service, Method::GET, &notices, None).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let first = &body["notices"][0];
    assert_eq!(first["kind"], "Impose");
    assert_eq!(first["access_key"], "LT****");
    assert_eq!(first["restriction_id"], restriction);
    let after = format!("{notices}?after={}", first["notice_id"]);
    let (_, _, body) = desk.ask(service, Method::GET, &after, None).await;
    assert_eq!(body["notices"], json!([]));
    let (status, ..) = desk
        .ask(service, Method::GET, "/v1/accounts/1/notices", None)
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);

    let letters = lease_letters(&node.pool, NOW, Duration::minutes(2), 10)
        .await
        .unwrap();
    let sent = akgate_state::outbox::queue::Settlement::Sent;
    assert!(
        akgate_state::outbox::settle::settle_letter(&node.pool, &letters[0], &sent, NOW)
            .await
            .unwrap()
    );
    let bounce = |id: &str| json!({ "message_id": id, "diagnostic": "550 5.1.1\u{202e} unknown" });
    let id = format!("<{}@example.com>", letters[0].letter_id);
    for (id, wanted) in [
        (id.as_str(), StatusCode::NO_CONTENT),
        (id.as_str(), StatusCode::NOT_FOUND),
        ("<x@example.com>", StatusCode::NOT_FOUND),
    ] {
        let (status, ..) = desk
            .ask(service, Method::POST, "/v1/bounces", Some(bounce(id)))
            .await;
        assert_eq!(status, wanted, "{id}");
    }
    // Nobody is left: an operator's task, which an operator closes.
    let tasks = desk.get("tasks").await;
    assert_eq!(tasks["tasks"][0]["kind"], "Unreachable");
    let path = format!(
        "/admin/v1/tasks/{}:close",
        tasks["tasks"][0]["task_id"].as_str().unwrap()
    );
    let remark = Some(json!({ "remark": "called the owner" }));
    for (token, wanted) in [
        (service, StatusCode::FORBIDDEN),
        (&*desk.viewer, StatusCode::FORBIDDEN),
        (&*desk.operator, StatusCode::OK),
        (&*desk.operator, StatusCode::NOT_FOUND),
    ] {
        let (status, ..) = desk.ask(token, Method::POST, &path, remark.clone()).await;
        assert_eq!(status, wanted);
    }
    assert_eq!(desk.get("tasks").await["tasks"], json!([]));
    assert_eq!(
        desk.get("tasks?open=false").await["tasks"][0]["closed_by"],
        "operator:olga"
    );
    // Each to its own.
    let (status, ..) = desk
        .ask(service, Method::GET, "/admin/v1/restrictions", None)
        .await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, ..) = desk.ask(&desk.operator, Method::GET, &notices, None).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn delivery_is_listed_with_its_reports_and_undone_by_an_operator() {
    let desk = Desk::new().await;
    let alice = desk.node.key("LTAI5tFakeOfAlice1", Some("alice")).await;
    let report = |access_key_id: Option<&str>, file: &str| LeakReport {
        secret: access_key_id
            .is_none()
            .then(|| AccessKeySecret::new(alice.access_key_secret.clone())),
        access_key_id: access_key_id.map(|id| AccessKeyId::parse(id).unwrap()),
        place: LeakPlace::new(None, None, Some(file)),
        ..LeakReport::default()
    };
    let delivery = Delivery {
        source: "github",
        actor: &Actor::Source("github".into()),
        grounds: ReportGrounds::Proof,
        suspicions: SuspicionPolicy::default(),
        descendants: akgate_rules::lineage::DescendantPolicy::default(),
        ledger: Some(DeliveryOrigin::Body {
            sha256: &[7; 32],
            key_identifier: Some("90a4"),
        }),
    };
    let reports = [report(None, "a"), report(Some("LTAI5tFakeNobody1"), "b")];
    record_reports(&desk.node.pool, &desk.node.ring, &delivery, &reports, NOW)
        .await
        .unwrap();
    let proofs = |body: Value| -> Vec<String> {
        let reports = body["reports"].as_array().unwrap();
        let proof = |one: &Value| one["proof"].as_str().unwrap().to_owned();
        reports.iter().map(proof).collect()
    };
    assert_eq!(
        proofs(desk.get("leak-reports").await),
        ["Suspected", "Secret"]
    );
    for (filter, expected) in [
        ("proof=Suspected", vec!["Suspected"]),
        ("access_key_id=LTAI5tFakeOfAlice1", vec!["Secret"]),
        ("source=gitlab", vec![]),
        ("page_size=1", vec!["Suspected"]),
    ] {
        let reports = desk.get(&format!("leak-reports?{filter}")).await;
        assert_eq!(proofs(reports), expected, "{filter}");
    }
    let listed = desk.get("deliveries").await;
    let one = &listed["deliveries"][0];
    assert_eq!(
        (&one["reports"], &one["proven"], &one["restrictions"]),
        (&json!(2), &json!(1), &json!(1))
    );
    let undo = format!("deliveries/{}:undo", one["delivery_id"].as_str().unwrap());
    let reason = || Some(json!({ "reason": "a drill" }));
    let (refused, ..) = desk.ask(&desk.viewer, Method::POST, &undo, reason()).await;
    assert_eq!(refused, StatusCode::FORBIDDEN);
    assert_eq!(desk.post(&undo, json!({ "reason": "" })).await.0, 400);
    let (status, waits) = desk.post(&undo, reason().unwrap()).await;
    assert_eq!(status, 202);
    desk.approve(&waits).await;
    let name = [("UserName", "new")];
    let reply = desk
        .node
        .call(&alice, "2015-05-01", "CreateUser", &name)
        .await;
    assert_eq!(reply.status, StatusCode::OK, "enforced before the answer");
    let (status, problem) = desk.post(&undo, reason().unwrap()).await;
    assert_eq!(
        (status, problem["type"].as_str()),
        (409, Some("urn:akgate:problem:already-undone"))
    );
}
