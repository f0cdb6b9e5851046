//! A piece of a file of findings, and what all forms make of one.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use akgate_state::{directory::import::InvalidLine, leaks::record::LeakReport};

/// A piece of a file.
#[derive(Debug)]
pub enum ReportEntry {
    /// What it tells; nothing where it is of no AccessKey.
    Reports(Vec<LeakReport>),
    /// It cannot be read.
    Rejected {
        /// Where, and why.
        bad: InvalidLine,
        /// What it holds, as it stands in the file.
        text: Vec<u8>,
    },
}

/// The longest piece, in bytes: a finding takes some hundreds.
pub(super) const MAX_ENTRY_BYTES: usize = 4 << 20;

pub(super) const ENTRY_TOO_LONG: &str = "longer than 4 MiB";

/// What one piece tells, or what is wrong with it; never what it holds.
pub(super) type EntryReports = Result<Vec<LeakReport>, String>;

pub(super) fn parse_instant(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
}
