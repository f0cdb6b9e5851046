//! Telling credentials from other text.
#![no_main]

use akgate_rules::credentials::{Credential, find_credentials, read_credentials};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for credential in find_credentials(text).chain(read_credentials(text)) {
        let found = match &credential {
            Credential::Id(id) => id.as_str(),
            Credential::Secret(secret) => secret.expose(),
        };
        assert!(text.contains(found));
    }
});
