//! Keys and signatures as sources send them: a PEM text, then a signature.
#![no_main]

use akgate_intake::{VerifyingKey, is_der_signature, origin::KeyIdCheck};
use libfuzzer_sys::fuzz_target;

const PEM: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYAGMWO8XgCamYKMJS6jc/qgvSlAd
AjPuDPRcXU22YxgBrz+zoN19MzuRyW87qEt9/AmtoNP5GrobzUvQSyJFVw==
-----END PUBLIC KEY-----
";

fuzz_target!(|data: (&str, &[u8])| {
    let (pem, signature) = data;
    std::hint::black_box(VerifyingKey::from_pem(pem));
    let known = VerifyingKey::from_pem(PEM).unwrap();
    assert!(!known.verifies(b"nothing of this was ever signed", signature));
    std::hint::black_box((is_der_signature(signature), KeyIdCheck::Sha256Pem.holds(pem, pem)));
});
