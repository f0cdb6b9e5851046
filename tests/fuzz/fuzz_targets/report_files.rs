//! Report files of every form: the first byte chooses.
#![no_main]

use akgate_intake::report_file::{Format, Piece};
use libfuzzer_sys::fuzz_target;

const FORMATS: [Format; 5] = [
    Format::Gitleaks,
    Format::Sarif,
    Format::Trufflehog,
    Format::Csv,
    Format::Ndjson,
];

fuzz_target!(|data: &[u8]| {
    let Some((first, file)) = data.split_first() else {
        return;
    };
    let format = FORMATS[usize::from(*first) % FORMATS.len()];
    let mut pieces = 0;
    for piece in format.pieces(file) {
        pieces += 1;
        if let Piece::Rejected { bad, .. } = piece {
            assert!(!bad.to_string().contains('\n'));
        }
    }
    assert!(pieces <= file.len() + 1);
    let (_, whole) = Format::detect(file).unwrap();
    let read = std::io::Read::bytes(whole).count();
    assert_eq!(read, file.len());
});
