//! An entry of a report file, the common result of all formats.

use akgate_state::{directory::import::InvalidLine, leaks::record::LeakReport};

/// An entry of a file.
#[derive(Debug)]
pub enum ReportEntry {
    /// Its findings; none if it is not about an AccessKey.
    Reports(Vec<LeakReport>),
    /// It cannot be read.
    Rejected {
        /// Where, and why.
        bad: InvalidLine,
        /// Its text, as in the file.
        text: Vec<u8>,
    },
}

/// The longest entry, in bytes; a usual finding has some hundreds.
pub(super) const MAX_ENTRY_BYTES: usize = 4 << 20;

pub(super) const ENTRY_TOO_LONG: &str = "longer than 4 MiB";
