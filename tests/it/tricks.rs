//! Tricks that broke other gateways, each on a request that is validly signed.

use akgate_rules::{
    fault::Fault,
    request::{
        reserved::ReservedNames,
        style::{CallStyle, check_style},
    },
    signature::CredentialHandling,
};

use crate::captures::{CAPTURES, Capture, read};

fn capture(part: &str) -> &'static Capture {
    CAPTURES
        .iter()
        .find(|capture| capture.name.ends_with(part) && capture.expect == "valid")
        .unwrap_or_else(|| panic!("no capture ends with {part}"))
}

fn acs3() -> &'static Capture {
    capture("tea_openapi-py--0.4.6__acs3-hmac-sha256__create_access_key_postquery")
}

fn rpc() -> &'static Capture {
    capture("pop-core-1.8.0__rpc-v1-hmac-sha1__create_access_key_get")
}

fn roa() -> &'static Capture {
    capture("pop-core-1.8.0__roa-v1-hmac-sha1__roa_get")
}

/// The request with one more header, unsigned.
fn with_header(capture: &Capture, header: &str) -> Vec<u8> {
    let text = String::from_utf8(capture.raw()).unwrap();
    text.replacen("\r\n", &format!("\r\n{header}\r\n"), 1)
        .into_bytes()
}

/// The request with more text at the end of its query.
fn with_query(capture: &Capture, more: &str) -> Vec<u8> {
    let text = String::from_utf8(capture.raw()).unwrap();
    let (target, rest) = text.split_once(" HTTP/1.1").unwrap();
    let joint = if target.contains('?') { "&" } else { "?" };
    format!("{target}{joint}{more} HTTP/1.1{rest}").into_bytes()
}

fn fault(capture: &Capture, raw: &[u8]) -> Fault {
    match capture.judge(raw, capture.signed_at()) {
        Err(fault) => fault,
        Ok(_) => panic!("{} passed: {}", capture.name, String::from_utf8_lossy(raw)),
    }
}

#[test]
fn unsigned_acs_header_is_refused_wherever_headers_are_signed() {
    for capture in [acs3(), roa()] {
        for header in [
            "x-acs-extra: 1",
            "x-acs-security-token: fake",
            "x-acs-region-id: cn-hangzhou",
        ] {
            fault(capture, &with_header(capture, header));
        }
    }
}

#[test]
fn unsigned_header_never_steers_a_request_signed_in_parameters() {
    for header in [
        "x-acs-security-token: fake",
        "x-acs-accesskey-id: LTAI5tOther",
        "x-acs-signature-nonce: 2",
        "x-acs-signature-type: BEARERTOKEN",
        "x-acs-date: 2026-11-24T00:00:00Z",
        "authorization: acs LTAI5tOther:AAAA",
        "authorization: Bearer fake",
    ] {
        fault(rpc(), &with_header(rpc(), header));
    }
    let text = String::from_utf8(rpc().raw()).unwrap();
    for (twin, other) in [
        ("x-acs-action", "DeleteUser"),
        ("x-acs-version", "2019-08-15"),
    ] {
        let changed: Vec<String> = text
            .split("\r\n")
            .map(|line| match line.split_once(':') {
                Some((name, _)) if name.eq_ignore_ascii_case(twin) => format!("{name}: {other}"),
                _ => line.to_owned(),
            })
            .collect();
        let fault = fault(rpc(), changed.join("\r\n").as_bytes());
        assert!(matches!(fault, Fault::InvalidParameter { name, .. } if name == twin));
    }
}

#[test]
fn hop_by_hop_header_is_neither_forwarded_nor_signable() {
    for capture in [acs3(), rpc(), roa()] {
        for header in [
            "x-akgate-identity: forged",
            "x_akgate_identity: forged",
            "x-forwarded-for: 192.0.2.1",
            "connection: x-akgate-identity",
            "upgrade: h2c",
            "cookie: a=b",
            "x-http-method-override: DELETE",
        ] {
            let before = capture.judge(&capture.raw(), capture.signed_at()).unwrap();
            let Ok(after) = capture.judge(&with_header(capture, header), capture.signed_at())
            else {
                continue;
            };
            assert_eq!(
                after.print(CredentialHandling::Keep),
                before.print(CredentialHandling::Keep)
            );
            assert_eq!(
                after.print(CredentialHandling::Drop),
                before.print(CredentialHandling::Drop)
            );
        }
    }
    let text = String::from_utf8(acs3().raw()).unwrap();
    for name in [
        "x-akgate-identity",
        "content-length",
        "expect",
        "x-forwarded-for",
        "transfer-encoding",
    ] {
        let signed = text.replace(
            "SignedHeaders=accept",
            &format!("SignedHeaders={name};accept"),
        );
        assert_ne!(signed, text);
        let fault = fault(acs3(), signed.as_bytes());
        assert!(matches!(fault, Fault::InvalidParameter { name: named, .. } if named == name));
    }
}

#[test]
fn parameter_in_two_places_is_refused_and_named() {
    for (capture, more, named) in [
        (rpc(), "Action=ListUsers", "Action"),
        (rpc(), "action=ListUsers", "action"),
        (rpc(), "%41ction=ListUsers", "Action"),
        (rpc(), "AccessKeyId=LTAI5tOther", "AccessKeyId"),
        (acs3(), "Action=ListUsers", "Action"),
        (acs3(), "Version=2015-05-01", "Version"),
        (acs3(), "AccessKeyId=LTAI5tOther", "AccessKeyId"),
        (acs3(), "Signature=AAAA", "Signature"),
        (acs3(), "SecurityToken=fake", "SecurityToken"),
        (roa(), "SignatureNonce=1", "SignatureNonce"),
    ] {
        let fault = fault(capture, &with_query(capture, more));
        let Fault::InvalidParameter { name, .. } = &fault else {
            panic!("{more}: {fault:?}");
        };
        assert!(name.eq_ignore_ascii_case(named), "{more}: {name}");
    }
}

#[test]
fn unsupported_algorithm_is_refused_and_named() {
    let text = String::from_utf8(acs3().raw()).unwrap();
    for name in [
        "ACS3-HMAC-SHA1",
        "acs3-hmac-sha256",
        "ACS3-HMAC-NONE",
        "ACS4-HMAC-SHA256",
        "Basic",
    ] {
        let changed = text.replace("ACS3-HMAC-SHA256 ", &format!("{name} "));
        assert_eq!(
            fault(acs3(), changed.as_bytes()),
            Fault::InvalidSignatureMethod(name.to_owned())
        );
    }
    let text = String::from_utf8(rpc().raw()).unwrap();
    for name in ["HMAC-NONE", "hmac-sha1", "SHA256withRSA"] {
        let changed = text.replace(
            "SignatureMethod=HMAC-SHA1",
            &format!("SignatureMethod={name}"),
        );
        assert_eq!(
            fault(rpc(), changed.as_bytes()),
            Fault::InvalidSignatureMethod(name.to_owned())
        );
    }
}

#[test]
fn two_parameters_folded_into_one_name_do_not_share_a_signature() {
    // The SDKs for Python, Node and Go sign names as they are: `a=1&b=2` and one parameter named
    // `a=1&b` would have the same canonical query.
    let mut folded = 0;
    for capture in CAPTURES
        .iter()
        .filter(|capture| capture.expect == "valid" && capture.scheme == "acs3-hmac-sha256")
    {
        let text = String::from_utf8(capture.raw()).unwrap();
        let Some((start, rest)) = text.split_once('?') else {
            continue;
        };
        let Some((query, rest)) = rest.split_once(' ') else {
            continue;
        };
        for (at, _) in query.match_indices('&') {
            let (before, after) = query.split_at(at);
            let from = before.rfind('&').map_or(0, |at| at + 1);
            let name = format!("{}%26{}", before[from..].replace('=', "%3D"), &after[1..]);
            let changed = format!("{start}?{}{name} {rest}", &before[..from]);
            fault(capture, changed.as_bytes());
            folded += 1;
        }
    }
    assert!(folded > 100, "{folded}");
}

#[test]
fn garbage_request_gets_a_clear_error() {
    let many: Vec<String> = (0..10_000).map(|n| format!("p{n}=1")).collect();
    for (raw, code) in [
        (with_query(rpc(), &many.join("&")), "InvalidRequest"),
        (with_query(rpc(), "a=%ff"), "InvalidParameter"),
        (with_query(rpc(), "a=%c0%af"), "InvalidParameter"),
        (with_query(rpc(), "a=%zz"), "InvalidParameter"),
        (with_query(rpc(), "a=%00"), "InvalidParameter"),
        (b"\x16\x03\x01\x02\x00".to_vec(), "InvalidRequest"),
        (b"GET / HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(), "MissingAction"),
        (
            b"POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 8\r\n\r\n{\"a\":1,}".to_vec(),
            "InvalidParameter",
        ),
        (
            b"POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 13\r\n\r\n{\"a\":1,\"a\":2}".to_vec(),
            "InvalidParameter",
        ),
    ] {
        let fault = read(&raw).unwrap_err();
        assert_eq!(fault.code(), code, "{}", String::from_utf8_lossy(&raw));
        assert!(!fault.message().is_empty());
    }
}

#[test]
fn target_of_65_000_bytes_is_read() {
    let padding = "a".repeat(65_000 - 1_000);
    let request = read(&with_query(rpc(), &format!("Padding={padding}"))).unwrap();
    assert_eq!(request.parameters().get("Padding"), Some(padding.as_str()));
}

/// What the gateway says of a request that is signed, about the form of RPC products and reserved names.
fn form_fault(raw: &[u8]) -> Option<Fault> {
    let request = read(raw).unwrap_or_else(|fault| panic!("{fault:?}"));
    let checked = check_style(&request, CallStyle::Rpc);
    checked
        .and_then(|()| ReservedNames::default().check(&request))
        .err()
}

#[test]
fn every_client_has_the_form_of_an_rpc_product() {
    let mut passed = 0;
    for capture in CAPTURES.iter().filter(|one| one.expect == "valid") {
        let Ok(request) = read(&capture.raw()) else {
            continue;
        };
        match form_fault(&capture.raw()) {
            None => passed += 1,
            Some(fault) => {
                assert_ne!(request.path, "/", "{}: {fault:?}", capture.name);
                assert_eq!(fault, Fault::ApiNotFound, "{}", capture.name);
            }
        }
    }
    assert!(passed > 280, "{passed}");
}

#[test]
fn call_that_an_upstream_could_take_for_another_is_refused() {
    let text = String::from_utf8(acs3().raw()).unwrap();
    assert_eq!(form_fault(text.as_bytes()), None);
    let path = text.replacen("POST /", "POST /actuator/shutdown", 1);
    assert_eq!(form_fault(path.as_bytes()), Some(Fault::ApiNotFound));
    let method = text.replacen("POST /", "PUT /", 1);
    assert_eq!(
        form_fault(method.as_bytes()),
        Some(Fault::UnsupportedHttpMethod)
    );
    for name in [
        "action",
        "Action[]",
        "Action%20",
        "version",
        "accesskeyid2=1&Signature_method",
        "x-acs-action",
        "X_ACS_Version",
        "callerUid",
        "caller-uid",
        "CALLERUID",
        "ak_mfa_present",
        "_method",
    ] {
        let fault = form_fault(&with_query(acs3(), &format!("{name}=1")));
        assert!(
            matches!(fault, Some(Fault::InvalidParameter { .. })),
            "{name}: {fault:?}"
        );
    }
    for name in [
        "x-original-url",
        "x-rewrite-url",
        "x-http-method-override",
        "x-acs-caller-uid",
        "x-acs-source-ip",
        "action",
        "version",
    ] {
        let signed = text.replace(
            "SignedHeaders=accept",
            &format!("SignedHeaders={name};accept"),
        );
        let signed = signed.replacen("\r\n", &format!("\r\n{name}: 1\r\n"), 1);
        let fault = form_fault(signed.as_bytes());
        let named =
            matches!(&fault, Some(Fault::InvalidParameter { name: named, .. }) if named == name);
        assert!(named, "{name}: {fault:?}");
    }
    for header in [
        "x_acs_action: DeleteUser",
        "x-acs_action: DeleteUser",
        "Content_Length: 1",
    ] {
        assert!(read(&with_header(acs3(), header)).is_err(), "{header}");
    }
}

#[test]
fn body_that_is_neither_form_nor_json_and_form_with_odd_bytes_are_refused() {
    let signed = "content-type;host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version";
    let post = |media: &str, body: &str| {
        format!(
            "POST / HTTP/1.1\r\nhost: a\r\nx-acs-action: ListUsers\r\nx-acs-version: 2015-05-01\r\n\
             x-acs-date: 2026-11-24T12:00:00Z\r\nx-acs-signature-nonce: 1\r\nx-acs-content-sha256: 00\r\n\
             content-type: {media}\r\ncontent-length: {}\r\n\
             authorization: ACS3-HMAC-SHA256 Credential=LTAI5tFake,SignedHeaders={signed},Signature=00\r\n\r\n{body}",
            body.len()
        )
    };
    let form = "application/x-www-form-urlencoded";
    for media in [form, "application/x-www-form-urlencoded; charset=UTF-8"] {
        assert_eq!(
            form_fault(post(media, "UserName=a").as_bytes()),
            None,
            "{media}"
        );
    }
    assert_eq!(
        form_fault(post("application/json", "{\"UserName\":\"a\"}").as_bytes()),
        None
    );
    for media in [
        "multipart/form-data; boundary=b",
        "text/plain",
        "application/json, text/plain",
        "application/jsonp",
    ] {
        let fault = form_fault(post(media, "--b\r\n").as_bytes());
        assert!(
            matches!(fault, Some(Fault::InvalidParameter { .. })),
            "{media}: {fault:?}"
        );
    }
    for body in [
        "a=b;Action=DeleteUser",
        "a=b\r\nAction=DeleteUser",
        "?a=b",
        "a=\u{e9}",
        "a=b c",
    ] {
        assert!(read(post(form, body).as_bytes()).is_err(), "{body}");
    }
}
