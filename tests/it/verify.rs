//! `akgate verify`, as a person and as a program would use it.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use crate::captures::{CAPTURES, Capture, write};

fn capture(part: &str) -> &'static Capture {
    CAPTURES
        .iter()
        .find(|capture| capture.name.contains(part))
        .unwrap()
}

fn verify(raw: &[u8], arguments: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_akgate"))
        .arg("verify")
        .args(arguments)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A child that refuses its arguments reads nothing.
    let _ = child.stdin.take().unwrap().write_all(raw);
    child.wait_with_output().unwrap()
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

fn at(capture: &Capture) -> String {
    use time::format_description::well_known::Rfc3339;
    capture.signed_at().format(&Rfc3339).unwrap()
}

#[test]
fn verify_of_a_valid_request_exits_0_and_shows_the_forwarded_request() {
    let capture = capture("tea_openapi-py--0.4.6__acs3-hmac-sha256__create_access_key_postquery");
    let at = at(capture);
    let arguments = [
        "--secret",
        &capture.access_key_secret,
        "--at",
        &at,
        "--json",
    ];
    let output = verify(&capture.raw(), &arguments);
    assert_eq!(output.status.code(), Some(0));
    let report = json(&output);
    assert_eq!(report["verdict"], "valid");
    assert_eq!(report["scheme"], "acs3-hmac-sha256");
    assert_eq!(report["product"], "RAM");
    assert_eq!(report["action"], "CreateAccessKey");
    assert_eq!(report["effect"], "Mutate(Credential)");
    assert!(report["fault"].is_null());
    let headers = report["forwarded"]["headers"].as_array().unwrap();
    assert!(headers.iter().all(|header| header[0] != "host"));
    assert!(headers.iter().any(|header| header[0] == "authorization"));
}

#[test]
fn verify_of_a_refused_request_exits_1_and_hides_the_right_signature() {
    let capture = capture("pop-core-1.8.0__rpc-v1-hmac-sha1__create_access_key_get");
    let right = capture.judge(&capture.raw(), capture.signed_at()).unwrap();
    let right = write(
        &right.print(akgate_rules::signature::CredentialHandling::Keep),
        "a",
    );
    let right = String::from_utf8(right).unwrap();
    let right = right
        .split("Signature=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap();
    let spoiled = String::from_utf8(capture.raw())
        .unwrap()
        .replace(right, "AAAAAAAAAAAAAAAAAAAAAAAAAAA%3D");
    let at = at(capture);
    for form in [&["--json"][..], &[]] {
        let arguments = [
            &["--secret", &capture.access_key_secret, "--at", &at][..],
            form,
        ]
        .concat();
        let output = verify(spoiled.as_bytes(), &arguments);
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("SignatureDoesNotMatch"), "{said}");
        let bare = right.trim_end_matches("%3D");
        assert!(!said.contains(bare), "{said}");
    }
}

#[test]
fn session_needs_its_own_security_token() {
    let capture = capture("create_access_key_postquery__sts");
    let at = at(capture);
    let base = [
        "--secret",
        &capture.access_key_secret,
        "--at",
        &at,
        "--json",
    ];
    let taken = verify(&capture.raw(), &base);
    assert_eq!(json(&taken)["verdict"], "valid");
    let issued = [&base[..], &["--security-token", &capture.security_token]].concat();
    assert_eq!(json(&verify(&capture.raw(), &issued))["verdict"], "valid");
    let other = [&base[..], &["--security-token", "another"]].concat();
    let refused = json(&verify(&capture.raw(), &other));
    assert_eq!(
        refused["fault"]["code"],
        "InvalidSecurityToken.MismatchWithAccessKey"
    );
}

#[test]
fn string_to_sign_of_a_client_is_compared_to_the_first_differing_byte() {
    let capture = capture("assume_role_provider_policy_spaces");
    let folder = std::env::temp_dir().join(format!("akgate-verify-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("client-string");
    let at = "2026-11-23T21:03:47Z";
    let base = ["--secret", &capture.access_key_secret, "--at", at];
    let ours = json(&verify(&capture.raw(), &[&base[..], &["--json"]].concat()));
    let ours = ours["string_to_sign"].as_str().unwrap();
    let theirs = ours.replace("%2520", "%252B");
    std::fs::write(&file, &theirs).unwrap();
    let with = [&base[..], &["--client-string", file.to_str().unwrap()]].concat();
    let said = String::from_utf8(verify(&capture.raw(), &with).stdout).unwrap();
    let first = ours
        .bytes()
        .zip(theirs.bytes())
        .position(|(a, b)| a != b)
        .unwrap();
    assert!(
        said.contains(&format!("differs from ours at byte {first}")),
        "{said}"
    );
    assert!(
        said.contains("known bug: the client signs a space as +"),
        "{said}"
    );
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn verify_with_wrong_usage_exits_2() {
    for arguments in [
        &[][..],
        &["--secret", "a", "--at", "noon"],
        &["--secret-file", "/nowhere"],
    ] {
        assert_eq!(
            verify(b"", arguments).status.code(),
            Some(2),
            "{arguments:?}"
        );
    }
}
