//! Raw requests of real clients, and the same spoiled.

use std::{fs, path::Path, sync::LazyLock};

use akgate_gateway::wire;
use akgate_net::received_body::BodyLimits;
use akgate_rules::{
    access_key::{AccessKeySecret, SecurityToken},
    fault::Fault,
    request::ApiRequest,
    signature::{self, CredentialHandling, Scheme, SignedPrint, VerifiedRequest, freshness},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::Deserialize;
use time::OffsetDateTime;
use tokio::runtime::{Builder, Runtime};

/// One request of one client version, with the key that signed it.
#[derive(Debug, Clone, Deserialize)]
pub struct Capture {
    #[serde(skip)]
    pub name: String,
    pub scheme: String,
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body_base64: String,
    pub access_key_id: String,
    pub access_key_secret: String,
    pub security_token: String,
    pub expect: String,
    #[serde(default)]
    pub raw_request_base64: String,
    #[serde(default)]
    pub expected_code: String,
    #[serde(default)]
    pub base: String,
}

pub static CAPTURES: LazyLock<Vec<Capture>> = LazyLock::new(|| load("captures"));

fn load(folder: &str) -> Vec<Capture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(folder);
    let mut captures: Vec<Capture> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let mut capture: Capture = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            capture.name = path.file_stem().unwrap().to_string_lossy().into_owned();
            capture
        })
        .collect();
    captures.sort_by(|a, b| a.name.cmp(&b.name));
    captures
}

impl Capture {
    /// The bytes on the wire; a spoiled capture has none of its own and is written from its parts.
    pub fn raw(&self) -> Vec<u8> {
        if !self.raw_request_base64.is_empty() {
            return STANDARD.decode(&self.raw_request_base64).unwrap();
        }
        let body = STANDARD.decode(&self.body_base64).unwrap();
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            let framing = ["content-length", "transfer-encoding"];
            if !framing.contains(&name.to_ascii_lowercase().as_str()) {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        text.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        [text.into_bytes(), body].concat()
    }

    pub fn secret(&self) -> AccessKeySecret {
        AccessKeySecret::new(self.access_key_secret.clone())
    }

    /// When the client signed.
    pub fn signed_at(&self) -> OffsetDateTime {
        let request = read(&self.raw()).unwrap();
        request.claim.unwrap().signed_at
    }

    /// The gateway's road from bytes to what would be forwarded, with a directory that knows one key.
    pub fn judge(&self, raw: &[u8], now: OffsetDateTime) -> Result<VerifiedRequest, Fault> {
        let request = read(raw)?;
        let Some(claim) = &request.claim else {
            return Err(Fault::Missing("AccessKeyId"));
        };
        freshness::check_freshness(claim.signed_at, now)?;
        if claim.access_key_id.as_str() != self.access_key_id {
            return Err(Fault::AccessKeyNotFound);
        }
        let issued = (!self.security_token.is_empty())
            .then(|| SecurityToken::new(self.security_token.clone()));
        if claim.security_token != issued {
            return Err(Fault::SecurityTokenMismatch);
        }
        signature::verify_signature(request, &self.secret())
    }
}

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().enable_time().build().unwrap();
}

pub fn read(raw: &[u8]) -> Result<ApiRequest, Fault> {
    let bytes = Bytes::copy_from_slice(raw);
    let raw = RUNTIME.with(|runtime| {
        runtime.block_on(wire::read_single_request(bytes, BodyLimits::default()))
    })?;
    ApiRequest::parse(&raw)
}

/// When a request that may not even be readable was signed.
fn own_time(capture: &Capture) -> OffsetDateTime {
    read(&capture.raw())
        .ok()
        .and_then(|request| request.claim)
        .map_or(OffsetDateTime::UNIX_EPOCH, |claim| claim.signed_at)
}

/// A printed request as bytes, sent to `host` unless the signed one is kept.
pub fn write(printed: &SignedPrint, host: &str) -> Vec<u8> {
    let mut text = format!("{} {} HTTP/1.1\r\n", printed.method, printed.target);
    if printed.headers.iter().all(|(name, _)| name != "host") {
        text.push_str(&format!("host: {host}\r\n"));
    }
    for (name, value) in &printed.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    [text.into_bytes(), printed.body.to_vec()].concat()
}

fn is_verified_here(capture: &Capture) -> bool {
    capture.expect == "valid" && capture.scheme != "acs3-rsa-sha256"
}

#[test]
fn valid_capture_verifies_at_its_own_time() {
    let mut wrong = Vec::new();
    let mut verified = 0;
    for capture in CAPTURES.iter().filter(|capture| is_verified_here(capture)) {
        match capture.judge(&capture.raw(), capture.signed_at()) {
            Ok(proven) => {
                assert_eq!(
                    proven.request().scheme.name(),
                    capture.scheme,
                    "{}",
                    capture.name
                );
                verified += 1;
            }
            Err(fault) => wrong.push(format!("{}: {fault:?}", capture.name)),
        }
    }
    println!("{verified} captures verify");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(verified, 322);
}

#[test]
fn capture_that_cannot_be_verified_is_refused_with_its_code() {
    for capture in CAPTURES.iter().filter(|capture| !is_verified_here(capture)) {
        let Err(fault) = capture.judge(&capture.raw(), own_time(capture)) else {
            panic!("{} passed", capture.name);
        };
        let expected = match (capture.expect.as_str(), capture.scheme.as_str()) {
            ("valid", "acs3-rsa-sha256") | ("sdk-bug-v4" | "bearer-unsupported", _) => {
                "InvalidSignatureMethod"
            }
            ("sdk-bug-plus", _) => "SignatureDoesNotMatch",
            ("roa-body-unsigned", _) => "MissingContentMD5",
            other => panic!("{}: {other:?} is a new kind", capture.name),
        };
        assert_eq!(fault.code(), expected, "{}", capture.name);
        if expected == "InvalidSignatureMethod" {
            let named = ["ACS3-RSA-SHA256", "ACS4-HMAC-SHA256", "BEARERTOKEN"];
            assert!(
                named.iter().any(|name| fault.message().contains(name)),
                "{}: {}",
                capture.name,
                fault.message()
            );
        }
    }
}

#[test]
fn spoiled_capture_is_refused_with_its_code() {
    for capture in load("captures_negative") {
        // An expired one is years old on the clock of the day on which it was spoiled.
        let base = CAPTURES
            .iter()
            .find(|base| format!("{}.json", base.name) == capture.base);
        let now = base.map_or_else(|| own_time(&capture), Capture::signed_at);
        let fault = capture
            .judge(&capture.raw(), now)
            .err()
            .unwrap_or_else(|| panic!("{} passed", capture.name));
        assert!(
            capture.expected_code.contains(&*fault.code()),
            "{}: {} instead of {}",
            capture.name,
            fault.code(),
            capture.expected_code
        );
    }
}

#[test]
fn printed_request_parses_and_verifies_as_the_same_request() {
    for capture in CAPTURES.iter().filter(|capture| is_verified_here(capture)) {
        let now = capture.signed_at();
        let proven = capture.judge(&capture.raw(), now).unwrap();
        let printed = proven.print(CredentialHandling::Keep);
        let raw = write(&printed, "upstream.example");
        let again = capture
            .judge(&raw, now)
            .unwrap_or_else(|fault| panic!("{}: {fault:?}", capture.name));
        assert_eq!(
            again.print(CredentialHandling::Keep),
            printed,
            "{}",
            capture.name
        );
        // Accept is akgate's own where the caller signed none; what the caller signed is equal.
        let (mut once, mut twice) = (proven.request().clone(), again.request().clone());
        for request in [&mut once, &mut twice] {
            if matches!(request.scheme, Scheme::Acs3(_)) {
                // A raw spelling of a path is printed as it was signed.
                request.path = capture_path(&printed);
            }
        }
        assert_eq!(once, twice, "{}", capture.name);
    }
}

fn capture_path(printed: &SignedPrint) -> String {
    printed.target.split('?').next().unwrap().to_owned()
}

#[test]
fn printed_request_contains_no_dropped_credentials() {
    for capture in CAPTURES.iter().filter(|capture| is_verified_here(capture)) {
        let proven = capture.judge(&capture.raw(), capture.signed_at()).unwrap();
        let printed = write(&proven.print(CredentialHandling::Drop), "upstream.example");
        let text = String::from_utf8_lossy(&printed);
        assert!(!text.contains("authorization:"), "{}", capture.name);
        assert!(!text.contains("Signature="), "{}", capture.name);
        assert!(!text.contains("SecurityToken"), "{}", capture.name);
        assert!(!text.contains("x-acs-security-token:"), "{}", capture.name);
        assert_eq!(text.matches("host:").count(), 1, "{}", capture.name);
    }
}
