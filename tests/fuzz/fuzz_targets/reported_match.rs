//! Bodies of signed deliveries.
#![no_main]

use akgate_intake::reported_match::{parse_matches, reports_from_token};
use akgate_scan::SecretLengths;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let Ok((matches, bad)) = parse_matches(body) else {
        return;
    };
    // As many as a whole parser sees.
    let all: Vec<serde_json::Value> = serde_json::from_slice(body).unwrap_or_default();
    assert!(all.is_empty() || all.len() == matches.len() + bad);
    for reported in &matches {
        let label = serde_json::to_value(reported.label([])).unwrap();
        assert_eq!(label["token_hash"].as_str().unwrap().len(), 64);
        assert!(reported.reports(SecretLengths::default()).len() <= body.len());
    }
    if let Ok(text) = std::str::from_utf8(body) {
        drop(reports_from_token(text, &akgate_rules::leak::LeakPlace::default(), SecretLengths::default()));
    }
});
