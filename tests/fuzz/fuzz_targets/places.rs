//! What letters and pages show of a place: no link, no secret, one line.
#![no_main]

use akgate_rules::{access_key::{AccessKeyId, AccessKeySecret}, evidence, leak::LeakPlace, secret_fragments::SecretFragments};
use libfuzzer_sys::fuzz_target;

const SECRET: &str = "FakeSecretForTestsOnly0123abcD";

fuzz_target!(|data: (&str, &str, &str)| {
    let (url, commit, path) = data;
    let key = AccessKeyId::parse("LTAI5tFakeKeyForTestsOnly01").unwrap();
    let secret = AccessKeySecret::new(SECRET.to_owned());
    let place = LeakPlace::new(Some(url), Some(commit), Some(path)).without(&SecretFragments::of([&secret]));
    let Some(shown) = evidence::describe_location(&place, &key) else {
        return;
    };
    assert!(shown.chars().count() < 1000);
    let lower = shown.to_ascii_lowercase();
    assert!(!lower.contains("http://") && !lower.contains("https://") && !lower.contains("www."));
    assert!(!shown.contains(|c: char| c.is_control()));
    for window in SECRET.as_bytes().windows(8) {
        assert!(!shown.as_bytes().windows(8).any(|part| part == window));
    }
});
