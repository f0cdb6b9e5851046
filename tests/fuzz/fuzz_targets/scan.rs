//! Files that are scanned: texts in any encoding, histories, archives.
#![no_main]

use std::io;

use akgate_scan::{InputBytes, InputSink, ScanFinding, SecretLengths, Skipped, scan_input};
use libfuzzer_sys::fuzz_target;

struct Lines(u64);

impl InputSink for Lines {
    fn found(&mut self, finding: ScanFinding) -> io::Result<()> {
        // Of an archive, the members have lines of their own.
        let is_member = finding.path.as_deref() != Some("-") || finding.commit.is_some();
        assert!(is_member || finding.line <= self.0);
        Ok(())
    }

    fn skipped(&mut self, _path: &str, _why: Skipped) -> io::Result<()> {
        Ok(())
    }
}

fuzz_target!(|file: &[u8]| {
    let is_packed = file.starts_with(&[0x1f, 0x8b]);
    let lines = file.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
    let mut sink = Lines(if is_packed { u64::MAX } else { lines });
    for anywhere in [false, true] {
        let input = InputBytes::Stream(Box::new(file));
        scan_input("-", input, SecretLengths::default(), anywhere, &mut sink).unwrap();
    }
});
