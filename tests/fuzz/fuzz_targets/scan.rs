//! Texts and histories that are scanned.
#![no_main]

use akgate::command::scan::text::Scanner;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let lines = text.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
    for finding in Scanner::new("-", text) {
        assert!(finding.unwrap().line <= lines);
    }
});
