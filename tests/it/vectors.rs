//! Published worked examples, checked from the first stage that each carries.

use std::{collections::BTreeMap, fs};

use akgate_rules::{
    identity::{Identity, IdentityFault},
    mac_key::MacKey,
    request::parameters::Parameters,
    signature::rpc,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use sm3::Sm3;
use time::OffsetDateTime;
use zeroize::Zeroizing;

#[derive(Debug, Deserialize)]
struct Vector {
    name: String,
    scheme: String,
    #[serde(default)]
    method: String,
    params: Option<BTreeMap<String, String>>,
    canonical_request: Option<String>,
    hashed_canonical_request: Option<String>,
    string_to_sign: String,
    #[serde(default)]
    access_key_secret: String,
    signature: String,
}

#[test]
fn published_examples_match_stage_by_stage() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/vectors/official_vectors.json"
    );
    let vectors: Vec<Vector> = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert_eq!(vectors.len(), 26);
    for vector in &vectors {
        if let Some(params) = &vector.params {
            let parameters = Parameters::collect(params.clone().into_iter().collect()).unwrap();
            let canonical = rpc::canonical_form(&vector.method, &parameters);
            assert_eq!(
                canonical.string_to_sign, vector.string_to_sign,
                "{}",
                vector.name
            );
        }
        if let (Some(request), Some(hash)) =
            (&vector.canonical_request, &vector.hashed_canonical_request)
        {
            assert_eq!(
                &hex::encode(Sha256::digest(request)),
                hash,
                "{}",
                vector.name
            );
            assert_eq!(vector.string_to_sign, format!("ACS3-HMAC-SHA256\n{hash}"));
        }
        let (secret, text) = (
            vector.access_key_secret.as_str(),
            vector.string_to_sign.as_str(),
        );
        let signature = match vector.scheme.as_str() {
            "rpc-v1-hmac-sha1" => STANDARD.encode(mac::<Hmac<Sha1>>(&format!("{secret}&"), text)),
            "roa-v1-hmac-sha1" => STANDARD.encode(mac::<Hmac<Sha1>>(secret, text)),
            "acs3-hmac-sha256" | "hmac-sha256" => hex::encode(mac::<Hmac<Sha256>>(secret, text)),
            "acs3-hmac-sm3" => hex::encode(mac::<Hmac<Sm3>>(secret, text)),
            "hash-sm3" => hex::encode(Sm3::digest(text)),
            other => panic!("{}: {other}", vector.name),
        };
        assert_eq!(signature, vector.signature, "{}", vector.name);
    }
}

fn mac<M: Mac + KeyInit>(key: &str, text: &str) -> Vec<u8> {
    M::new_from_slice(key.as_bytes())
        .unwrap()
        .chain_update(text)
        .finalize()
        .into_bytes()
        .to_vec()
}

#[derive(Debug, Deserialize)]
struct IdentityVectors {
    key: String,
    vectors: Vec<IdentityVector>,
}

#[derive(Debug, Deserialize)]
struct IdentityVector {
    name: String,
    header: String,
    method: String,
    target: String,
    body: String,
    now: i64,
    outcome: String,
    principal: String,
}

/// The same vectors judge the code of docs/upstream.md: `tests/interop/upstream`.
#[test]
fn identity_header_is_judged_as_upstreams_judge_it() {
    let given: IdentityVectors =
        serde_json::from_str(include_str!("../vectors/identity.json")).unwrap();
    let key = <[u8; 32]>::try_from(hex::decode(&given.key).unwrap()).unwrap();
    let key = MacKey::new(Zeroizing::new(key));
    assert_eq!(given.vectors.len(), 23);
    for vector in &given.vectors {
        let request = (
            vector.method.as_str(),
            vector.target.as_str(),
            vector.body.as_bytes(),
        );
        let now = OffsetDateTime::from_unix_timestamp(vector.now).unwrap();
        let outcome = match Identity::open(&vector.header, &key, request, now) {
            Ok(identity) => {
                let principal = identity.principal.unwrap_or_default();
                assert_eq!(principal, vector.principal, "{}", vector.name);
                "accepted"
            }
            Err(IdentityFault::Malformed) => "malformed",
            Err(IdentityFault::Forged) => "forged",
            Err(IdentityFault::Stale) => "stale",
            Err(IdentityFault::OtherRequest) => "other request",
        };
        assert_eq!(outcome, vector.outcome, "{}", vector.name);
    }
}
