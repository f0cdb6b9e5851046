//! Report files of every format: the first byte chooses.
#![no_main]

use akgate_intake::report_file::{OpenedReport, ReportEntry, ReportFormat};
use akgate_scan::SecretLengths;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((first, file)) = data.split_first() else {
        return;
    };
    let format = ReportFormat::ALL[usize::from(*first) % ReportFormat::ALL.len()];
    let mut entries = 0;
    for entry in format.entries(file, SecretLengths::default()) {
        entries += 1;
        if let ReportEntry::Rejected { bad, .. } = entry {
            assert!(!bad.to_string().contains('\n'));
        }
    }
    assert!(entries <= file.len() + 1);
    let opened = OpenedReport::new(file).unwrap();
    std::io::copy(&mut std::io::Read::take(opened.input, 1 << 20), &mut std::io::sink()).ok();
});
