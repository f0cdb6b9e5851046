//! Who may do what: every operation for every role, and tokens that are made, used, guessed and ended.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
};

use akgate_admin::AdminSettings;
use akgate_api::operators::{Right, Role};
use akgate_net::peer::Peer;
use akgate_state::operators::{
    login::{LoginFault, authenticate_token},
    token::OperatorToken,
};
use axum::body::Body;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use tower::ServiceExt;

use crate::{
    desk::{Desk, assert_problem},
    harness::NOW,
};

const NOBODY: &str = "019ac000-0000-7000-8000-000000000000";

/// Every operation, and what it needs. Each body is one that goes as far as to look for what it names.
fn operations() -> Vec<(Method, String, Value, Right)> {
    let reason = || json!({ "reason": "test" });
    vec![
        (
            Method::GET,
            "/admin/v1/leak-reports".into(),
            Value::Null,
            Right::Read,
        ),
        (
            Method::POST,
            "/admin/v1/leak-reports".into(),
            json!({ "access_key_id": "LTAI5tFakeNobody", "source": "test", "reference": "r" }),
            Right::Act,
        ),
        (
            Method::GET,
            "/admin/v1/deliveries".into(),
            Value::Null,
            Right::Read,
        ),
        (
            Method::POST,
            format!("/admin/v1/deliveries/{NOBODY}:undo"),
            reason(),
            Right::Act,
        ),
        (
            Method::GET,
            "/admin/v1/restrictions".into(),
            Value::Null,
            Right::Read,
        ),
        (
            Method::GET,
            format!("/admin/v1/restrictions/{NOBODY}"),
            Value::Null,
            Right::Read,
        ),
        (
            Method::GET,
            format!("/admin/v1/restrictions/{NOBODY}/timeline"),
            Value::Null,
            Right::Read,
        ),
        (
            Method::GET,
            format!("/admin/v1/restrictions/{NOBODY}/descendants"),
            Value::Null,
            Right::Read,
        ),
        (
            Method::POST,
            format!("/admin/v1/restrictions/{NOBODY}:restrict_descendants"),
            json!({ "reason": "test" }),
            Right::Act,
        ),
        (
            Method::POST,
            format!("/admin/v1/restrictions/{NOBODY}:confirm"),
            json!({ "ticket": "T-1" }),
            Right::Act,
        ),
        (
            Method::POST,
            format!("/admin/v1/restrictions/{NOBODY}:lift"),
            json!({ "reason": "test", "resolution": "Rotated" }),
            Right::Act,
        ),
        (
            Method::GET,
            "/admin/v1/approvals".into(),
            Value::Null,
            Right::Read,
        ),
        (
            Method::GET,
            format!("/admin/v1/approvals/{NOBODY}"),
            Value::Null,
            Right::Read,
        ),
        (
            Method::POST,
            format!("/admin/v1/approvals/{NOBODY}:approve"),
            json!({}),
            Right::Approve,
        ),
        (
            Method::POST,
            format!("/admin/v1/approvals/{NOBODY}:reject"),
            json!({ "remark": "test" }),
            Right::Approve,
        ),
        (
            Method::POST,
            format!("/admin/v1/approvals/{NOBODY}:withdraw"),
            Value::Null,
            Right::Act,
        ),
        (
            Method::GET,
            "/admin/v1/nodes".into(),
            Value::Null,
            Right::Read,
        ),
        (
            Method::GET,
            "/admin/v1/letters".into(),
            Value::Null,
            Right::Read,
        ),
        (
            Method::GET,
            "/admin/v1/keys/LTAI5tFakeNobody/activity".into(),
            Value::Null,
            Right::Read,
        ),
        (
            Method::GET,
            format!("/admin/v1/decisions/{NOBODY}"),
            Value::Null,
            Right::Read,
        ),
        (
            Method::PUT,
            "/admin/v1/accounts/nobody/profile".into(),
            json!({ "profile": null }),
            Right::Act,
        ),
        (
            Method::GET,
            "/admin/v1/policy/observed".into(),
            Value::Null,
            Right::Read,
        ),
        (
            Method::GET,
            "/admin/v1/tasks".into(),
            Value::Null,
            Right::Read,
        ),
        (
            Method::POST,
            format!("/admin/v1/tasks/{NOBODY}:close"),
            json!({ "remark": "test" }),
            Right::Act,
        ),
        (
            Method::GET,
            "/admin/v1/operators".into(),
            Value::Null,
            Right::Manage,
        ),
        (
            Method::POST,
            "/admin/v1/operators".into(),
            json!({ "name": "ada", "role": "viewer" }),
            Right::Manage,
        ),
        (
            Method::POST,
            "/admin/v1/operators/nobody/tokens".into(),
            json!({ "role": "viewer" }),
            Right::Manage,
        ),
        (
            Method::POST,
            "/admin/v1/operators/nobody:revoke".into(),
            Value::Null,
            Right::Manage,
        ),
        (
            Method::POST,
            "/admin/v1/tokens/nobody:revoke".into(),
            Value::Null,
            Right::Manage,
        ),
        (Method::GET, "/admin/v1/me".into(), Value::Null, Right::Read),
        (
            Method::GET,
            "/admin/v1/events".into(),
            Value::Null,
            Right::Read,
        ),
        (
            Method::POST,
            "/admin/v1/hooks/nobody:retry".into(),
            Value::Null,
            Right::Act,
        ),
        (
            Method::GET,
            "/admin/v1/audit".into(),
            Value::Null,
            Right::Read,
        ),
        (
            Method::GET,
            "/admin/v1/accounts".into(),
            Value::Null,
            Right::Read,
        ),
        (
            Method::GET,
            "/admin/v1/accounts/nobody".into(),
            Value::Null,
            Right::Read,
        ),
        (
            Method::GET,
            "/admin/v1/keys".into(),
            Value::Null,
            Right::Read,
        ),
        (
            Method::GET,
            "/admin/v1/keys/LTAI5tFakeNobody".into(),
            Value::Null,
            Right::Read,
        ),
        (
            Method::GET,
            "/admin/v1/keys/LTAI5tFakeNobody/lineage".into(),
            Value::Null,
            Right::Read,
        ),
        (
            Method::GET,
            "/admin/v1/exceptions".into(),
            Value::Null,
            Right::Read,
        ),
        (
            Method::GET,
            format!("/admin/v1/exceptions/{NOBODY}"),
            Value::Null,
            Right::Read,
        ),
        (
            Method::GET,
            format!("/admin/v1/letters/{NOBODY}"),
            Value::Null,
            Right::Read,
        ),
        (
            Method::GET,
            "/admin/v1/policy".into(),
            Value::Null,
            Right::Read,
        ),
        (
            Method::GET,
            "/admin/v1/policy/check?product=RAM&action=GetUser".into(),
            Value::Null,
            Right::Read,
        ),
        (
            Method::GET,
            "/admin/v1/policy/diff".into(),
            Value::Null,
            Right::Read,
        ),
        (
            Method::GET,
            "/admin/v1/policy/replay?profile=strict".into(),
            Value::Null,
            Right::Read,
        ),
        (
            Method::PUT,
            "/admin/v1/accounts/nobody/self-remedy".into(),
            json!({ "allowed": null }),
            Right::Act,
        ),
        (
            Method::POST,
            "/admin/v1/keys/LTAI5tFakeNobody:disable".into(),
            reason(),
            Right::Act,
        ),
        (
            Method::POST,
            "/admin/v1/exceptions".into(),
            json!({ "access_key_id": "LTAI5tFakeNobody", "operations": ["RAM:GetUser"], "networks": ["10.0.0.1"], "hours": 1, "reason": "test" }),
            Right::Act,
        ),
        (
            Method::POST,
            format!("/admin/v1/exceptions/{NOBODY}:revoke"),
            Value::Null,
            Right::Act,
        ),
        (
            Method::POST,
            format!("/admin/v1/letters/{NOBODY}:resend"),
            Value::Null,
            Right::Act,
        ),
        (
            Method::POST,
            format!("/admin/v1/letters/{NOBODY}:cancel"),
            reason(),
            Right::Act,
        ),
        (
            Method::POST,
            "/admin/v1/policy:switch_mode".into(),
            json!({ "mode": null, "reason": "test" }),
            Right::Act,
        ),
        (
            Method::GET,
            "/v1/accounts/nobody/notices".into(),
            Value::Null,
            Right::Serve,
        ),
        (
            Method::POST,
            "/v1/bounces".into(),
            json!({ "email": "nobody@example.com", "reason": "test" }),
            Right::Serve,
        ),
    ]
}

/// The path as the description has it.
fn described(path: &str) -> String {
    let path = path.split('?').next().unwrap();
    let parts = path.split('/').map(|part| {
        let (thing, verb) = part
            .split_once(':')
            .map_or((part, String::new()), |(thing, verb)| {
                (thing, format!(":{verb}"))
            });
        match thing {
            NOBODY | "nobody" | "LTAI5tFakeNobody" => format!("{{}}{verb}"),
            _ => part.to_owned(),
        }
    });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn operation_is_open_to_its_roles_alone() {
    let desk = Desk::new().await;
    let tokens = [
        (Role::Service, &desk.service),
        (Role::Viewer, &desk.viewer),
        (Role::Operator, &desk.operator),
        (Role::Approver, &desk.approver),
        (Role::Admin, &desk.admin),
    ];
    let mut tried = HashSet::new();
    for (method, path, body, right) in operations() {
        tried.insert((method.to_string().to_lowercase(), described(&path)));
        let body = (!body.is_null()).then_some(body);
        for (role, token) in tokens {
            let (status, kind, answer) = desk.ask(token, method.clone(), &path, body.clone()).await;
            assert_ne!(
                status,
                StatusCode::UNAUTHORIZED,
                "{role} {method} {path}: {answer}"
            );
            let is_open = status != StatusCode::FORBIDDEN;
            assert_eq!(
                is_open,
                role.may(right),
                "{role} {method} {path}: {status} {answer}"
            );
            assert!(
                !status.is_server_error(),
                "{role} {method} {path}: {answer}"
            );
            if !is_open {
                assert_problem(status, &kind, &answer);
            }
        }
        let (status, ..) = desk.ask("", method.clone(), &path, body).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path}");
    }
    let api = akgate_admin::openapi_description();
    let (mut missing, mut open) = (Vec::new(), Vec::new());
    for (path, item) in api["paths"].as_object().unwrap() {
        let braces = without_names(path);
        for (method, operation) in item.as_object().unwrap() {
            if operation["security"] == json!([{}]) {
                open.push(format!("{method} {path}"));
            } else if !tried.contains(&(method.clone(), braces.clone())) {
                missing.push(format!("{method} {path}"));
            }
        }
    }
    assert_eq!(
        missing,
        Vec::<String>::new(),
        "operations that the table does not have"
    );
    // Its own rules: tests/it/sign_in.rs.
    assert_eq!(open, ["get /admin/v1/sign-in", "post /admin/v1/sign-in"]);
}

/// The names of parameters left out.
fn without_names(path: &str) -> String {
    let mut parts = path.split('{');
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        text += "{}";
        text += part.split_once('}').unwrap().1;
    }
    text
}

/// Asks from an address.
async fn from(desk: &Desk, ip: &str, token: &str, at: OffsetDateTime) -> (u16, Option<u64>) {
    desk.node.clock.set(at);
    let mut request = Request::get("/admin/v1/me")
        .header("authorization", format!("Bearer {token}"))
        .body(Body::empty())
        .unwrap();
    request.extensions_mut().insert(Peer {
        ip: ip.parse().unwrap(),
        tls: true,
    });
    let answer = desk
        .node
        .node
        .admin(true, AdminSettings::default())
        .unwrap()
        .oneshot(request)
        .await
        .unwrap();
    let after = answer.headers().get("retry-after");
    let after = after.map(|value| value.to_str().unwrap().parse().unwrap());
    (answer.status().as_u16(), after)
}

/// A token of the same id with another secret.
fn wrong(token: &str, n: u32) -> String {
    let (body, _) = token.split_at(15);
    let text = format!("{body}{n:040}");
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut checksum = Vec::new();
    for _ in 0..6 {
        let alphabet = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        checksum.push(alphabet[(rest % 62) as usize]);
        rest /= 62;
    }
    checksum.reverse();
    text + std::str::from_utf8(&checksum).unwrap()
}

#[tokio::test]
async fn token_is_locked_to_strangers_after_five_guesses_and_works_for_its_operator() {
    let desk = Desk::new().await;
    let (home, thief) = ("192.0.2.1", "198.51.100.1");
    assert_eq!(from(&desk, home, &desk.admin, NOW).await.0, 200);
    for n in 0..5 {
        assert_eq!(
            from(&desk, thief, &wrong(&desk.admin, n), NOW).await.0,
            401,
            "{n}"
        );
    }
    // Not looked at any more, from anywhere else: not even the right one.
    let minute = NOW + Duration::MINUTE;
    for ip in [thief, "198.51.100.2", "2001:db8::1"] {
        assert_eq!(
            from(&desk, ip, &wrong(&desk.admin, 9), minute).await,
            (429, Some(840))
        );
        assert_eq!(from(&desk, ip, &desk.admin, minute).await, (429, Some(840)));
    }
    // The one whose token it is goes on, and so does every other token.
    assert_eq!(from(&desk, home, &desk.admin, minute).await.0, 200);
    assert_eq!(from(&desk, thief, &desk.viewer, minute).await.0, 200);
    let later = NOW + Duration::minutes(15);
    assert_eq!(from(&desk, "198.51.100.2", &desk.admin, later).await.0, 200);
}

#[tokio::test]
async fn token_is_locked_after_ten_guesses_from_its_operators_own_address() {
    let desk = Desk::new().await;
    let home = "192.0.2.1";
    assert_eq!(from(&desk, home, &desk.admin, NOW).await.0, 200);
    // Five where it is familiar, five as from anywhere.
    for n in 0..10 {
        assert_eq!(
            from(&desk, home, &wrong(&desk.admin, n), NOW).await.0,
            401,
            "{n}"
        );
    }
    assert_eq!(from(&desk, home, &wrong(&desk.admin, 11), NOW).await.0, 429);
}

#[tokio::test]
async fn source_address_is_locked_after_a_hundred_wrong_tokens() {
    let desk = Desk::new().await;
    let thief = "2001:db8:1:2::1";
    let nobodys = |n: u32| wrong(&format!("akg_{n:010}_{:046}", 0), n);
    for n in 0..100 {
        assert_eq!(from(&desk, thief, &nobodys(n), NOW).await.0, 401, "{n}");
    }
    // Neighbours in the same network are the same source; others are not.
    assert_eq!(
        from(&desk, "2001:db8:1:2:ffff::9", &nobodys(101), NOW)
            .await
            .0,
        429
    );
    assert_eq!(
        from(&desk, "2001:db8:1:3::1", &nobodys(102), NOW).await.0,
        401
    );
    assert_eq!(
        from(&desk, "2001:db8:1:3::1", &desk.viewer, NOW).await.0,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_guesses_are_counted_before_they_are_checked() {
    let desk = Desk::new().await;
    let ip: IpAddr = "198.51.100.1".parse().unwrap();
    let guesses = (0..40).map(|n| {
        let (pool, token) = (desk.node.pool.clone(), wrong(&desk.admin, n));
        tokio::spawn(async move {
            let token = OperatorToken::parse(&token).unwrap();
            authenticate_token(&pool, &token, ip, NOW)
                .await
                .unwrap_err()
        })
    });
    let mut looked_at = 0;
    for guess in guesses.collect::<Vec<_>>() {
        match guess.await.unwrap() {
            LoginFault::Wrong => looked_at += 1,
            LoginFault::TooMany { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(looked_at, 5);
}

#[tokio::test]
async fn admin_adds_operator_whose_token_expires() {
    let desk = Desk::new().await;
    let add = |body: Value| desk.ask(&desk.admin, Method::POST, "operators", Some(body));
    let (status, _, made) =
        add(json!({ "name": "otto", "role": "operator", "token_days": 7.0 })).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with(&format!("akg_{}_", made["token_id"].as_str().unwrap())));
    let home = "192.0.2.1";
    assert_eq!(
        from(&desk, home, token, NOW + Duration::days(6)).await.0,
        200
    );
    desk.node.clock.set(NOW);

    for (body, status) in [
        (json!({ "name": "otto", "role": "viewer" }), 409),
        (json!({ "name": "a/b", "role": "viewer" }), 400),
        (json!({ "name": "olaf", "role": "king" }), 400),
        (
            json!({ "name": "olaf", "role": "viewer", "token_days": 0 }),
            400,
        ),
        (
            json!({ "name": "olaf", "role": "viewer", "token_days": 367 }),
            400,
        ),
        // What the server decides cannot be sent along.
        (
            json!({ "name": "olaf", "role": "viewer", "operator_id": "x", "token": "y" }),
            400,
        ),
    ] {
        let (got, kind, answer) = add(body.clone()).await;
        assert_eq!(got.as_u16(), status, "{body}: {answer}");
        assert_problem(got, &kind, &answer);
    }

    // A token that may do less than its operator, and none that may do more.
    let make = |role: &str| {
        let body = json!({ "role": role });
        desk.ask(
            &desk.admin,
            Method::POST,
            "operators/otto/tokens",
            Some(body),
        )
    };
    assert_eq!(make("approver").await.0, StatusCode::CONFLICT);
    assert_eq!(make("service").await.0, StatusCode::CONFLICT);
    let (status, _, less) = make("viewer").await;
    assert_eq!(status, StatusCode::CREATED, "{less}");
    let less = less["token"].as_str().unwrap();
    let report = json!({ "access_key_id": "LTAI5tFakeOtto", "source": "s", "reference": "r" });
    let report = |token| desk.ask(token, Method::POST, "leak-reports", Some(report.clone()));
    assert_eq!(report(less).await.0, StatusCode::FORBIDDEN);
    assert_eq!(report(token).await.0, StatusCode::CREATED);

    // Nobody sees a token again, nor what is kept of it.
    let (_, _, list) = desk
        .ask(&desk.admin, Method::GET, "operators?page_size=100", None)
        .await;
    assert!(
        !list.to_string().contains("akg_") && !list.to_string().contains("sha256"),
        "{list}"
    );
    let names: Vec<&str> = list["operators"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["ada", "anna", "message-centre", "olga", "otto", "victor"]
    );
    let otto = &list["operators"][4]["tokens"];
    assert_eq!(otto.as_array().unwrap().len(), 2);
    let audited: Vec<String> = sqlx::query_scalar("SELECT action || ' ' || actor FROM audit_records WHERE actor = 'operator:ada' ORDER BY audit_id")
        .fetch_all(&desk.node.pool)
        .await
        .unwrap();
    assert_eq!(
        audited,
        ["AddOperator operator:ada", "IssueToken operator:ada"]
    );

    // It ends, and stays so, though the clock steps back.
    for at in [NOW + Duration::days(7), NOW] {
        assert_eq!(from(&desk, home, token, at).await.0, 401);
    }
}

#[tokio::test]
async fn revoked_operator_and_token_stop_working_at_once() {
    let desk = Desk::new().await;
    let me = |token: &str| {
        let token = token.to_owned();
        let desk = &desk;
        async move { desk.ask(&token, Method::GET, "me", None).await }
    };
    let (_, _, olga) = me(&desk.operator).await;
    assert_eq!(
        (olga["name"].as_str(), olga["role"].as_str()),
        (Some("olga"), Some("operator"))
    );
    let own = olga["token"]["token_id"].as_str().unwrap().to_owned();

    // An admin ends an operator with all tokens.
    let revoke = |token: &str, path: String| {
        let token = token.to_owned();
        let desk = &desk;
        async move { desk.ask(&token, Method::POST, &path, None).await }
    };
    assert_eq!(
        revoke(&desk.admin, "operators/victor:revoke".into())
            .await
            .0,
        StatusCode::OK
    );
    let (status, _, said) = me(&desk.viewer).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(
        said["detail"].as_str().unwrap().contains("revoked"),
        "{said}"
    );
    assert_eq!(
        revoke(&desk.admin, "operators/victor:revoke".into())
            .await
            .0,
        StatusCode::NOT_FOUND
    );

    // Everybody ends the token that they hold, and no other.
    let (_, _, anna) = me(&desk.approver).await;
    let annas = anna["token"]["token_id"].as_str().unwrap().to_owned();
    assert_eq!(
        revoke(&desk.operator, format!("tokens/{annas}:revoke"))
            .await
            .0,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        revoke(&desk.operator, format!("tokens/{own}:revoke"))
            .await
            .0,
        StatusCode::OK
    );
    assert_eq!(me(&desk.operator).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(me(&desk.approver).await.0, StatusCode::OK);

    // The last admin stays.
    let (status, kind, last) = revoke(&desk.admin, "operators/ada:revoke".into()).await;
    assert_problem(status, &kind, &last);
    assert_eq!(last["type"], "urn:akgate:problem:last-admin");
    assert_eq!(me(&desk.admin).await.0, StatusCode::OK);
}

#[tokio::test]
async fn token_shows_its_last_use() {
    let desk = Desk::new().await;
    let later = NOW + Duration::hours(3);
    assert_eq!(from(&desk, "192.0.2.7", &desk.viewer, later).await.0, 200);
    let (_, _, list) = desk.ask(&desk.admin, Method::GET, "operators", None).await;
    let used: HashMap<&str, &Value> = list["operators"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["name"].as_str().unwrap(), &one["tokens"][0]))
        .collect();
    assert_eq!(used["victor"]["last_used_from"], "192.0.2.7");
    assert!(
        used["victor"]["last_used_at"]
            .as_str()
            .unwrap()
            .starts_with("20")
    );
    assert_eq!(used["olga"]["last_used_at"], Value::Null);
}
