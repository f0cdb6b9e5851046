//! Texts that sources and scanners call credentials, through every decoder.
#![no_main]

use akgate_scan::{SecretLengths, text::{Vouch, find_credentials}};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for vouch in [Vouch::Nobody, Vouch::Scanner, Vouch::Source] {
        let found = find_credentials(text, vouch, SecretLengths::with([28]));
        for (index, credential) in found.iter().enumerate() {
            assert!(!found.iter().take(index).any(|known| known.equals(credential)));
        }
    }
});
