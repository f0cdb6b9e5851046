//! Faults are reported in the order of `docs/faults.md`.

use akgate_gateway::wire;
use akgate_net::received_body::BodyLimits;
use akgate_rules::{
    access_key::AccessKeySecret,
    fault::Fault,
    request::ApiRequest,
    signature::{self, freshness},
};
use bytes::Bytes;
use time::macros::datetime;

/// A request that can still be spoiled: method, target parameters, headers, body.
#[derive(Clone)]
struct Draft {
    method: &'static str,
    origin: &'static str,
    parameters: Vec<(&'static str, &'static str)>,
    headers: Vec<(&'static str, &'static str)>,
    body: String,
}

impl Draft {
    fn set(&mut self, name: &'static str, value: &'static str) {
        self.remove(name);
        self.parameters.push((name, value));
    }

    fn remove(&mut self, name: &'static str) {
        self.parameters.retain(|(existing, _)| *existing != name);
    }

    fn judge(&self) -> Result<(), Fault> {
        let query: Vec<String> = self
            .parameters
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut raw = format!(
            "{} {}/?{} HTTP/1.1\r\nhost: a\r\n",
            self.method,
            self.origin,
            query.join("&")
        );
        for (name, value) in &self.headers {
            raw.push_str(&format!("{name}: {value}\r\n"));
        }
        if self
            .headers
            .iter()
            .all(|(name, _)| *name != "transfer-encoding")
        {
            raw.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        raw.push_str("\r\n");
        raw.push_str(&self.body);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let raw = runtime.block_on(wire::read_single_request(
            Bytes::from(raw),
            BodyLimits {
                bytes: 64,
                ..BodyLimits::default()
            },
        ))?;
        let request = ApiRequest::parse(&raw)?;
        let claim = request
            .claim
            .as_ref()
            .ok_or(Fault::Missing("AccessKeyId"))?;
        freshness::check_freshness(claim.signed_at, datetime!(2026-11-24 12:00:00 UTC))?;
        if claim.access_key_id.is_session() && claim.security_token.is_none() {
            return Err(Fault::Missing("SecurityToken"));
        }
        signature::verify_signature(request, &AccessKeySecret::new("FakeSecret".into())).map(|_| ())
    }
}

/// Adds one fault.
type Spoil = fn(&mut Draft);

/// The spoilings, from the last fault of the table to the first: each must hide all before it.
fn spoilings() -> Vec<(usize, Spoil)> {
    vec![
        (22, |_| {}),
        (21, |draft| draft.set("AccessKeyId", "STS.FakeForTestsOnly")),
        (20, |draft| draft.set("Timestamp", "2026-11-24T11:44:59Z")),
        (19, |draft| draft.set("Timestamp", "yesterday")),
        (18, |draft| draft.remove("SignatureNonce")),
        (17, |draft| draft.set("Signature", "***")),
        (16, |draft| draft.set("SignatureVersion", "2.0")),
        (15, |draft| draft.set("SignatureMethod", "HMAC-NONE")),
        (14, |draft| draft.remove("AccessKeyId")),
        (13, |draft| draft.remove("Version")),
        (12, |draft| draft.remove("Action")),
        (11, |draft| draft.method = "DELETE"),
        (10, |draft| {
            draft.headers.push(("x-acs-date", "2026-11-24T12:00:00Z"));
        }),
        (9, |draft| draft.set("SignatureType", "BEARERTOKEN")),
        (8, |draft| draft.parameters.push(("format", "JSON"))),
        (7, |draft| draft.parameters.push(("UserName", "%zz"))),
        (6, |draft| {
            let utf16 = "application/x-www-form-urlencoded; charset=utf-16";
            draft.headers.push(("content-type", utf16));
        }),
        (5, |draft| draft.headers.push(("content-encoding", "gzip"))),
        (4, |draft| draft.method = "PROPFIND"),
        (3, |draft| {
            draft.headers.push(("transfer-encoding", "chunked"));
            draft.body = format!("41\r\n{}\r\n0\r\n\r\n", "a".repeat(65));
        }),
        (2, |draft| draft.origin = "http://b"),
        (1, |draft| draft.body.clear()),
    ]
}

fn draft() -> Draft {
    Draft {
        method: "POST",
        origin: "",
        parameters: vec![
            ("Action", "CreateUser"),
            ("Version", "2015-05-01"),
            ("Format", "JSON"),
            ("AccessKeyId", "LTAI5tFakeKeyForTestsOnly01"),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("SignatureNonce", "1"),
            ("Timestamp", "2026-11-24T12:00:00Z"),
            ("Signature", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ],
        headers: Vec::new(),
        body: String::new(),
    }
}

#[test]
fn fault_hides_those_after_it_in_the_table() {
    let page = include_str!("../../docs/faults.md");
    let (table, _) = page.split_once("## In the gateway").unwrap();
    let codes: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains('`'))
        .map(|line| line.split('`').nth(1).unwrap())
        .collect();
    let spoilings = spoilings();
    assert_eq!(codes.len(), spoilings.len());
    let mut draft = draft();
    for (row, spoil) in spoilings {
        spoil(&mut draft);
        let fault = draft.judge().unwrap_err();
        assert_eq!(fault.code(), codes[row - 1], "row {row}: {fault:?}");
    }
}

#[test]
fn fault_has_a_code_and_a_message_without_secrets() {
    let fault = draft().judge().unwrap_err();
    assert!(
        fault
            .message()
            .contains("server string to sign is:POST&%2F&")
    );
    assert!(!fault.message().contains("FakeSecret"));
    assert!(
        !format!("{fault:?}").contains("CreateUser"),
        "an echo must not reach a log"
    );
}
