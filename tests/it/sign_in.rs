//! Signing in at a provider: the whole road by the command line, and everything that a provider or somebody in between
//! may get wrong. The provider here signs what the test wants; one that is certified is in tests/interop/sign_in.

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use akgate_admin::{
    AdminSettings,
    oidc::sign_in::SignInService,
    oidc::{self, OidcProvider},
};
use akgate_api::operators::Role;
use akgate_net::{https, peer::Peer};
use akgate_state::{audit::Actor, operators::store};
use axum::{
    Form, Json, Router,
    body::Body,
    extract::{Query, State},
    routing::{get, post},
};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::KeyPair;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use time::Duration;
use tower::ServiceExt;
use zeroize::Zeroizing;

use crate::{
    desk::{Desk, kind},
    harness::NOW,
    process::{AKGATE, Scratch},
};

const SECRET: &str = "fake client+secret";

/// What the provider has been told, and what it says.
struct Told {
    key: KeyPair,
    issuer: Mutex<String>,
    /// Of the last person at its page.
    nonce: Mutex<String>,
    challenge: Mutex<String>,
    redirect_uri: Mutex<String>,
    /// What the next ID token says, and how it is signed.
    claims: Mutex<Value>,
    header: Mutex<Header>,
    /// What it tells besides, where it has an endpoint for that.
    user_info: Mutex<Option<Value>>,
    asked: AtomicUsize,
    looked_at: AtomicUsize,
}

struct TestProvider {
    told: Arc<Told>,
    issuer: String,
}

impl TestProvider {
    async fn new() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some("k1".into());
        let told = Arc::new(Told {
            key: KeyPair::generate().unwrap(),
            issuer: Mutex::new(issuer.clone()),
            nonce: Mutex::default(),
            challenge: Mutex::default(),
            redirect_uri: Mutex::default(),
            claims: Mutex::default(),
            header: Mutex::new(header),
            user_info: Mutex::default(),
            asked: AtomicUsize::new(0),
            looked_at: AtomicUsize::new(0),
        });
        let app = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/auth", get(authorize))
            .route("/token", post(tokens))
            .route("/keys", get(keys))
            .route("/me", get(user_info))
            .with_state(Arc::clone(&told));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let provider = Self { told, issuer };
        provider.says(&json!({ "email": "olga@example.com", "email_verified": true }));
        provider
    }

    /// What the next ID token says beside what makes it good.
    fn says(&self, more: &Value) {
        let now = NOW.unix_timestamp();
        let mut claims = json!({
            "iss": self.issuer, "aud": "akgate", "sub": "u-1", "iat": now, "exp": now + 300,
        });
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        *self.told.claims.lock().unwrap() = claims;
    }

    fn settings(&self, claim: &str) -> AdminSettings {
        let provider = oidc::OidcSettings {
            issuer: self.issuer.clone(),
            client_id: "akgate".into(),
            client_secret: Some(Zeroizing::new(SECRET.into())),
            scopes: "openid email".into(),
            claim: claim.into(),
        };
        AdminSettings {
            sign_in: Some(Arc::new(SignInService {
                provider: OidcProvider::new(provider, https::client_config(None).unwrap()),
                lasts: Duration::hours(12),
            })),
            ..AdminSettings::default()
        }
    }
}

async fn metadata(State(told): State<Arc<Told>>) -> Json<Value> {
    told.looked_at.fetch_add(1, Ordering::SeqCst);
    let issuer = told.issuer.lock().unwrap().clone();
    let user_info = told.user_info.lock().unwrap().is_some();
    Json(json!({
        "userinfo_endpoint": user_info.then(|| format!("{issuer}/me")),
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/auth?tenant=a"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
    }))
}

/// A person signs in at once and is sent back.
async fn authorize(
    State(told): State<Arc<Told>>,
    Query(asked): Query<std::collections::HashMap<String, String>>,
) -> axum::response::Redirect {
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "akgate"),
        ("scope", "openid email"),
        ("code_challenge_method", "S256"),
        ("tenant", "a"),
    ] {
        assert_eq!(asked[name], value);
    }
    told.nonce.lock().unwrap().clone_from(&asked["nonce"]);
    told.challenge
        .lock()
        .unwrap()
        .clone_from(&asked["code_challenge"]);
    told.redirect_uri
        .lock()
        .unwrap()
        .clone_from(&asked["redirect_uri"]);
    let back = format!(
        "{}?code=good&state={}",
        asked["redirect_uri"], asked["state"]
    );
    axum::response::Redirect::to(&back)
}

async fn tokens(
    State(told): State<Arc<Told>>,
    headers: HeaderMap,
    Form(form): Form<std::collections::HashMap<String, String>>,
) -> (StatusCode, Json<Value>) {
    told.asked.fetch_add(1, Ordering::SeqCst);
    let basic = BASE64_STANDARD.encode("akgate:fake+client%2Bsecret");
    assert_eq!(headers["authorization"], format!("Basic {basic}"));
    assert_eq!(form["grant_type"], "authorization_code");
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"]));
    let is_good = form["code"] == "good"
        && challenge == *told.challenge.lock().unwrap()
        && form["redirect_uri"] == *told.redirect_uri.lock().unwrap();
    if !is_good {
        let refused = json!({ "error": "invalid_grant", "error_description": "no" });
        return (StatusCode::BAD_REQUEST, Json(refused));
    }
    let mut claims = told.claims.lock().unwrap().clone();
    if claims.get("nonce").is_none() {
        claims["nonce"] = told.nonce.lock().unwrap().clone().into();
    }
    let header = told.header.lock().unwrap().clone();
    let key = match header.alg {
        // Whoever knows the public key could sign so.
        Algorithm::HS256 => EncodingKey::from_secret(told.key.public_key_raw()),
        _ => EncodingKey::from_ec_der(told.key.serialized_der()),
    };
    let id_token = encode(&header, &claims, &key).unwrap();
    (
        StatusCode::OK,
        Json(json!({ "id_token": id_token, "access_token": "fake-access-token" })),
    )
}

async fn user_info(State(told): State<Arc<Told>>, headers: HeaderMap) -> Json<Value> {
    assert_eq!(headers["authorization"], "Bearer fake-access-token");
    Json(told.user_info.lock().unwrap().clone().unwrap())
}

async fn keys(State(told): State<Arc<Told>>) -> Json<Value> {
    let point = told.key.public_key_raw();
    let part = |range| BASE64_URL_SAFE_NO_PAD.encode(&point[range]);
    Json(json!({ "keys": [
        { "kty": "new", "kid": "of a kind that nobody knows" },
        { "kty": "EC", "crv": "P-256", "kid": "k1", "use": "sig", "x": part(1..33), "y": part(33..65) },
    ] }))
}

fn text(n: u8) -> String {
    BASE64_URL_SAFE_NO_PAD.encode([n; 32])
}

const REDIRECT: &str = "http://127.0.0.1:4711/signed-in";

/// Whoever asks, with an address of their own.
async fn ask(
    desk: &Desk,
    settings: &AdminSettings,
    request: Request<Body>,
    from: &str,
) -> (StatusCode, Value) {
    let mut request = request;
    request.extensions_mut().insert(Peer {
        ip: from.parse().unwrap(),
        tls: true,
    });
    let admin = desk.node.node.admin(true, settings.clone()).unwrap();
    let answer = admin.oneshot(request).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

fn to_page(redirect: &str) -> Request<Body> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query
        .append_pair("redirect_uri", redirect)
        .append_pair("state", &text(1))
        .append_pair("nonce", &text(2))
        .append_pair(
            "code_challenge",
            &BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(text(3))),
        );
    let path = format!("/admin/v1/sign-in?{}", query.finish());
    Request::get(path).body(Body::empty()).unwrap()
}

fn to_redeem(code: &str, verifier: &str) -> Request<Body> {
    let body = json!({
        "code": code, "code_verifier": verifier, "nonce": text(2), "redirect_uri": REDIRECT,
    });
    Request::post("/admin/v1/sign-in")
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .unwrap()
}

/// A person at the provider's page, as the browser goes there.
async fn visit(desk: &Desk, settings: &AdminSettings) {
    let (status, page) = ask(desk, settings, to_page(REDIRECT), "192.0.2.1").await;
    assert_eq!(status, StatusCode::OK, "{page}");
    browse(page["authorization_url"].as_str().unwrap()).await;
}

/// Follows one redirect; gives where to.
async fn browse(url: &str) -> String {
    let tls = https::client_config(None).unwrap();
    let client = https::BoundedClient::new(tls, std::time::Duration::from_secs(10), 1 << 20);
    let answer = client.send(http::Request::get(url), "").await.unwrap();
    let location = answer.headers().get("location");
    location.map_or_else(String::new, |to| to.to_str().unwrap().to_owned())
}

/// An operator who has no token.
async fn operator(desk: &Desk, name: &str, role: Role) {
    let body = json!({ "name": name, "role": role, "no_token": true });
    let (status, _, added) = desk
        .ask(&desk.admin, http::Method::POST, "operators", Some(body))
        .await;
    assert_eq!(
        (status, &added["token"]),
        (StatusCode::CREATED, &Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn operator_signs_in_by_browser_and_uses_the_token() {
    let desk = Desk::new().await;
    let provider = TestProvider::new().await;
    operator(&desk, "olga@example.com", Role::Operator).await;
    let server = desk.serve_as(provider.settings("email")).await;
    let scratch = Scratch::new();
    let kept = scratch.path().join("kept/token");
    let akgate = |line: &str| {
        let mut command = Command::new(AKGATE);
        command
            .args(line.split_whitespace())
            .env_clear()
            .env("HOME", scratch.path())
            .env("AKGATE_SERVER", &server)
            .env("AKGATE_TOKEN_FILE", &kept);
        command
    };
    let mut login = akgate("login").stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(login.stderr.take().unwrap());
    let mut line = String::new();
    let page = loop {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "no page is shown");
        if let Some(page) = line.trim().strip_prefix("http") {
            break format!("http{page}");
        }
    };
    // Somebody else on this machine guesses the port, not the state.
    let back = browse(&page).await;
    let forged = back.split("&state=").next().unwrap().to_owned() + "&state=x";
    browse(&forged).await;
    browse(&back).await;
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert!(login.wait().unwrap().success(), "{rest}");
    assert!(
        rest.contains("You are olga@example.com, operator until 2026-11-27T00:00:00Z."),
        "{rest}"
    );
    let mode = std::fs::metadata(&kept).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let me = akgate("operators me -o json").output().unwrap();
    let me: Value = serde_json::from_slice(&me.stdout).unwrap();
    assert_eq!(me["name"], "olga@example.com");
    assert_eq!(me["token"]["created_by"], "operator:olga@example.com");
    let audit = desk.get("audit").await;
    let signed_in = &audit["records"][0];
    assert_eq!(signed_in["action"], "SignIn");
    assert_eq!(signed_in["detail"]["token_id"], me["token"]["token_id"]);
    // When it has ended a while ago it is forgotten, with where it was used.
    let pool = desk.node.database.pool();
    let count = async || -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM operator_tokens WHERE token_id = $1")
            .bind(me["token"]["token_id"].as_str().unwrap())
            .fetch_one(pool)
            .await
            .unwrap()
    };
    let ended = NOW + Duration::hours(12);
    store::delete_expired_tokens(pool, ended + store::EXPIRED_TOKEN_RETENTION)
        .await
        .unwrap();
    assert_eq!(count().await, 1);
    let later = ended + store::EXPIRED_TOKEN_RETENTION + Duration::SECOND;
    store::delete_expired_tokens(pool, later).await.unwrap();
    assert_eq!(count().await, 0);
    let list = akgate("operators list")
        .env("AKGATE_TOKEN", &desk.admin)
        .output()
        .unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    assert!(
        list.contains("olga@example.com"),
        "without a token they are one all the same: {list}"
    );
}

#[tokio::test]
async fn id_token_counts_only_if_signed_current_and_issued_for_akgate() {
    let desk = Desk::new().await;
    let provider = TestProvider::new().await;
    operator(&desk, "olga@example.com", Role::Operator).await;
    let settings = provider.settings("email");
    let now = NOW.unix_timestamp();
    let olga = json!({ "email": "olga@example.com", "email_verified": true });
    let with = |name: &str, value: Value| {
        let mut claims = olga.clone();
        claims[name] = value;
        claims
    };
    let others = [
        (
            "from another issuer",
            with("iss", "https://evil.example".into()),
        ),
        ("client_id", with("aud", "other".into())),
        ("client_id", with("aud", json!(["akgate", "other"]))),
        ("client_id", with("azp", "other".into())),
        ("client_id", with("aud", json!([]))),
        ("not yet valid", with("exp", (now - 60).into())),
        ("not yet valid", with("iat", (now + 61).into())),
        ("not yet valid", with("nbf", (now + 61).into())),
        ("another request", with("nonce", text(9).into())),
        ("not verified", with("email_verified", false.into())),
        ("not verified", with("email_verified", Value::Null)),
        ("sends no claim `email`", with("email", Value::Null)),
        (
            "sends no claim `email`",
            with("email", json!(["olga@example.com"])),
        ),
        ("cannot be read", with("exp", "soon".into())),
    ];
    for (reason, claims) in others {
        visit(&desk, &settings).await;
        provider.says(&claims);
        let (status, problem) =
            ask(&desk, &settings, to_redeem("good", &text(3)), "192.0.2.1").await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{claims} {problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(reason), "{reason}: {detail}");
    }
    provider.says(&olga);
    let headers = [
        ("not signed with a key pair", Algorithm::HS256, Some("k1")),
        (
            "not signed by any of its keys",
            Algorithm::ES256,
            Some("k2"),
        ),
    ];
    for (reason, algorithm, kid) in headers {
        let mut header = Header::new(algorithm);
        header.kid = kid.map(str::to_owned);
        *provider.told.header.lock().unwrap() = header;
        visit(&desk, &settings).await;
        let (status, problem) =
            ask(&desk, &settings, to_redeem("good", &text(3)), "192.0.2.1").await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(reason), "{reason}: {detail}");
    }
    // And so it counts: without a key's id, within the leeway, for several where it was asked for by us.
    *provider.told.header.lock().unwrap() = Header::new(Algorithm::ES256);
    for good in [
        olga.clone(),
        with("exp", (now - 59).into()),
        with("iat", (now + 60).into()),
        with("email_verified", "true".into()),
        with("aud", json!(["akgate"])),
        json!({ "email": "olga@example.com", "email_verified": true, "aud": ["akgate", "x"], "azp": "akgate" }),
    ] {
        visit(&desk, &settings).await;
        provider.says(&good);
        let (status, receipt) =
            ask(&desk, &settings, to_redeem("good", &text(3)), "192.0.2.1").await;
        assert_eq!(status, StatusCode::CREATED, "{good} {receipt}");
    }
}

#[tokio::test]
async fn stranger_gets_no_token_whatever_the_provider_asserts() {
    let desk = Desk::new().await;
    let provider = TestProvider::new().await;
    let settings = provider.settings("preferred_username");
    let sign_in = async |name: &str| {
        visit(&desk, &settings).await;
        provider.says(&json!({ "preferred_username": name }));
        ask(&desk, &settings, to_redeem("good", &text(3)), "192.0.2.1").await
    };
    let (status, receipt) = sign_in("anna").await;
    assert_eq!(
        (status, &receipt["role"]),
        (StatusCode::CREATED, &"approver".into())
    );
    let pool = desk.node.database.pool();
    store::revoke_operator(pool, "anna", &Actor::Akgate, NOW)
        .await
        .unwrap();
    for name in [
        "anna",
        "mallory",
        "message-centre",
        "ANNA",
        "ada ",
        "ada'--",
    ] {
        let (status, problem) = sign_in(name).await;
        assert_eq!(
            (status, kind(&problem)),
            (StatusCode::FORBIDDEN, "no-operator"),
            "{name}"
        );
    }
}

#[tokio::test]
async fn sign_in_redirects_browser_and_code_nowhere_else() {
    let desk = Desk::new().await;
    let provider = TestProvider::new().await;
    operator(&desk, "olga@example.com", Role::Operator).await;
    let settings = provider.settings("email");
    for elsewhere in [
        "https://evil.example/signed-in",
        "http://evil.example:4711/signed-in",
        "http://127.0.0.1.evil.example:4711/signed-in",
        "http://127.0.0.1@evil.example:4711/signed-in",
        "http://x@127.0.0.1:4711/signed-in",
        "http://127.0.0.1:4711/",
        "http://127.0.0.1:4711/signed-in?x=y",
        "http://127.0.0.1/signed-in",
        "http://localhost:4711/signed-in",
        "http://127.0.0.1:0/signed-in",
        "http://127.0.0.1:65536/signed-in",
        "http://127.0.0.1:+80/signed-in",
        "http://127.0.0.1:4711/signed-in#x",
        "",
    ] {
        let (status, problem) = ask(&desk, &settings, to_page(elsewhere), "192.0.2.1").await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{elsewhere} {problem}");
    }
    // Who has seen the code, but not what redeems it.
    visit(&desk, &settings).await;
    let (status, problem) = ask(&desk, &settings, to_redeem("good", &text(4)), "192.0.2.1").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("invalid_grant"),
        "{problem}"
    );
    let (status, _) = ask(&desk, &settings, to_redeem("good", "short"), "192.0.2.1").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    // However many come to the door, the provider is asked for itself once in a while, well or ill.
    assert_eq!(provider.told.looked_at.load(Ordering::SeqCst), 1);
    // A provider that calls itself something else is not the one that is configured.
    let other = TestProvider::new().await;
    *other.told.issuer.lock().unwrap() = provider.issuer.clone();
    let others = other.settings("email");
    for _ in 0..3 {
        let (status, problem) = ask(&desk, &others, to_page(REDIRECT), "192.0.2.1").await;
        assert_eq!(
            (status, kind(&problem)),
            (StatusCode::BAD_GATEWAY, "provider")
        );
    }
    assert_eq!(other.told.looked_at.load(Ordering::SeqCst), 1);
    // And none is asked where none is configured, or none answers.
    let (status, _) = ask(
        &desk,
        &AdminSettings::default(),
        to_page(REDIRECT),
        "192.0.2.1",
    )
    .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _) = ask(
        &desk,
        &AdminSettings::default(),
        to_redeem("good", &text(3)),
        "192.0.2.1",
    )
    .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn wrong_codes_are_counted_before_the_provider_is_asked() {
    let desk = Desk::new().await;
    let provider = TestProvider::new().await;
    operator(&desk, "olga@example.com", Role::Operator).await;
    let settings = provider.settings("email");
    visit(&desk, &settings).await;
    for _ in 0..100 {
        let (status, _) = ask(&desk, &settings, to_redeem("wrong", &text(3)), "192.0.2.7").await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(provider.told.asked.load(Ordering::SeqCst), 100);
    let (status, problem) = ask(&desk, &settings, to_redeem("good", &text(3)), "192.0.2.7").await;
    assert_eq!(
        (status, kind(&problem)),
        (StatusCode::TOO_MANY_REQUESTS, "too-many-guesses")
    );
    assert_eq!(provider.told.asked.load(Ordering::SeqCst), 100);
    // From elsewhere it is as before, and a good one is no guess.
    for _ in 0..2 {
        let (status, _) = ask(&desk, &settings, to_redeem("good", &text(3)), "192.0.2.8").await;
        assert_eq!(status, StatusCode::CREATED);
    }
}

#[tokio::test]
async fn claim_missing_from_the_id_token_is_read_from_user_info_of_the_same_subject() {
    let desk = Desk::new().await;
    let provider = TestProvider::new().await;
    operator(&desk, "olga@example.com", Role::Operator).await;
    provider.says(&json!({}));
    let olga = |subject: &str, verified: bool| json!({ "sub": subject, "email": "olga@example.com", "email_verified": verified });
    for (told, expected) in [
        (olga("u-1", true), StatusCode::CREATED),
        (olga("u-2", true), StatusCode::BAD_GATEWAY),
        (
            json!({ "email": "olga@example.com", "email_verified": true }),
            StatusCode::BAD_GATEWAY,
        ),
        (olga("u-1", false), StatusCode::UNAUTHORIZED),
        (json!({ "sub": "u-1" }), StatusCode::UNAUTHORIZED),
    ] {
        *provider.told.user_info.lock().unwrap() = Some(told.clone());
        let settings = provider.settings("email");
        visit(&desk, &settings).await;
        let (status, answer) =
            ask(&desk, &settings, to_redeem("good", &text(3)), "192.0.2.1").await;
        assert_eq!(status, expected, "{told} {answer}");
    }
}
