//! Report files of every form: the first byte chooses.
#![no_main]

use akgate_intake::report_file::{ReportFormat, ReportEntry};
use libfuzzer_sys::fuzz_target;

const FORMATS: [ReportFormat; 5] = [
    ReportFormat::Gitleaks,
    ReportFormat::Sarif,
    ReportFormat::Trufflehog,
    ReportFormat::Csv,
    ReportFormat::Ndjson,
];

fuzz_target!(|data: &[u8]| {
    let Some((first, file)) = data.split_first() else {
        return;
    };
    let format = FORMATS[usize::from(*first) % FORMATS.len()];
    let mut pieces = 0;
    for piece in format.pieces(file) {
        pieces += 1;
        if let ReportEntry::Rejected { bad, .. } = piece {
            assert!(!bad.to_string().contains('\n'));
        }
    }
    assert!(pieces <= file.len() + 1);
    let (_, whole) = ReportFormat::detect(file).unwrap();
    let read = std::io::Read::bytes(whole).count();
    assert_eq!(read, file.len());
});
