//! Signed requests as bytes, ready to be sent: each with a nonce of its own.

use akgate_client::signer::{SigningCredentials, hmac_sha256_hex};
use akgate_rules::request::{RawRequest, parameters::percent_encode};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

/// How a request is signed and sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// ACS3-HMAC-SHA256, parameters in the query.
    Acs3Get,
    /// ACS3-HMAC-SHA256, 1 KiB of form.
    Acs3Post,
    /// RPC with HMAC-SHA1, parameters in the query.
    RpcGet,
    /// RPC with HMAC-SHA1, 1 KiB of form.
    RpcPost,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Acs3Get, Self::Acs3Post, Self::RpcGet, Self::RpcPost];

    /// For people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Acs3Get => "ACS3 GET",
            Self::Acs3Post => "ACS3 POST 1 KiB",
            Self::RpcGet => "RPC GET",
            Self::RpcPost => "RPC POST 1 KiB",
        }
    }
}

/// What is called, and by whom.
#[derive(Debug, Clone)]
pub struct Call {
    /// The key.
    pub key: SigningCredentials,
    /// The action, of RAM.
    pub action: &'static str,
    /// How it is signed.
    pub kind: Kind,
}

const VERSION: &str = "2015-05-01";

/// What a host is called in the requests: it is signed.
const HOST: &str = "ram.bench.test";

impl Call {
    /// A request, signed now.
    #[must_use]
    pub fn request(&self, now: OffsetDateTime) -> Vec<u8> {
        match self.kind {
            Kind::Acs3Get | Kind::Acs3Post => self.acs3(now),
            Kind::RpcGet | Kind::RpcPost => self.rpc(now),
        }
    }

    fn acs3(&self, now: OffsetDateTime) -> Vec<u8> {
        let (method, query, body) = match self.kind {
            Kind::Acs3Post => ("POST", String::new(), filler()),
            _ => ("GET", "UserName=bench".to_owned(), String::new()),
        };
        let hash = hex::encode(Sha256::digest(&body));
        let mut headers = vec![
            ("host", HOST.to_owned()),
            ("x-acs-action", self.action.to_owned()),
            ("x-acs-content-sha256", hash.clone()),
            ("x-acs-date", date(now)),
            ("x-acs-signature-nonce", Uuid::new_v4().simple().to_string()),
            ("x-acs-version", VERSION.to_owned()),
        ];
        if !body.is_empty() {
            headers.push(("content-type", FORM.to_owned()));
        }
        headers.sort();
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let lines: String = headers
            .iter()
            .map(|(name, value)| format!("{name}:{value}\n"))
            .collect();
        let canonical = format!("{method}\n/\n{query}\n{lines}\n{names}\n{hash}");
        let to_sign = format!(
            "ACS3-HMAC-SHA256\n{}",
            hex::encode(Sha256::digest(canonical))
        );
        let signature = hmac_sha256_hex(&self.key.access_key_secret, &to_sign);
        let authorization = format!(
            "ACS3-HMAC-SHA256 Credential={},SignedHeaders={names},Signature={signature}",
            self.key.access_key_id
        );
        headers.push(("authorization", authorization));
        headers.push(("accept", "application/json".to_owned()));
        written(method, &target(&query), &headers, &body)
    }

    fn rpc(&self, now: OffsetDateTime) -> Vec<u8> {
        let mut parameters = vec![
            ("AccessKeyId", self.key.access_key_id.clone()),
            ("Action", self.action.to_owned()),
            ("Format", "JSON".to_owned()),
            ("SignatureMethod", "HMAC-SHA1".to_owned()),
            ("SignatureNonce", Uuid::new_v4().simple().to_string()),
            ("SignatureVersion", "1.0".to_owned()),
            ("Timestamp", date(now)),
            ("UserName", "bench".to_owned()),
            ("Version", VERSION.to_owned()),
        ];
        let method = match self.kind {
            Kind::RpcPost => {
                parameters.push(("Comments", "x".repeat(700)));
                "POST"
            }
            _ => "GET",
        };
        parameters.sort();
        let canonical = joined(&parameters);
        let to_sign = format!("{method}&%2F&{}", percent_encode(&canonical));
        parameters.push((
            "Signature",
            hmac_sha1(&format!("{}&", self.key.access_key_secret), &to_sign),
        ));
        let text = joined(&parameters);
        let host = ("host", HOST.to_owned());
        match self.kind {
            Kind::RpcPost => {
                let headers = [host, ("content-type", FORM.to_owned())];
                written(method, "/", &headers, &text)
            }
            _ => written(method, &target(&text), &[host], ""),
        }
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

/// 1 KiB of form.
fn filler() -> String {
    format!("UserName=bench&Comments={}", "x".repeat(1000))
}

fn target(query: &str) -> String {
    format!("/?{query}")
}

fn joined(parameters: &[(&str, String)]) -> String {
    parameters
        .iter()
        .map(|(name, value)| format!("{}={}", percent_encode(name), percent_encode(value)))
        .collect::<Vec<_>>()
        .join("&")
}

fn date(now: OffsetDateTime) -> String {
    let whole = now.replace_nanosecond(0).unwrap_or(now);
    whole.format(&Rfc3339).unwrap_or_default()
}

fn hmac_sha1(key: &str, text: &str) -> String {
    // An HMAC takes a key of any length.
    Hmac::<Sha1>::new_from_slice(key.as_bytes())
        .map(|mac| STANDARD.encode(mac.chain_update(text).finalize().into_bytes()))
        .unwrap_or_default()
}

fn written(method: &str, target: &str, headers: &[(&str, String)], body: &str) -> Vec<u8> {
    let mut text = format!("{method} {target} HTTP/1.1\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if method == "POST" {
        text.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    text.push_str(body);
    text.into_bytes()
}

/// A request as a server hands it on.
#[must_use]
pub fn raw(bytes: &[u8]) -> Option<RawRequest> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let mut request = http::Request::builder()
        .method(first.next()?)
        .uri(first.next()?);
    for line in lines {
        let (name, value) = line.split_once(": ")?;
        request = request.header(name, value);
    }
    let (head, ()) = request.body(()).ok()?.into_parts();
    Some(RawRequest {
        head,
        body: Bytes::from(body.to_owned()),
    })
}
