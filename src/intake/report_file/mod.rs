//! Reads report files of scanners entry by entry, so that their size does not matter: gitleaks JSON, SARIF, TruffleHog
//! NDJSON, and CSV and NDJSON of our own. An entry that cannot be read is reported; the others are still read.

mod entry;
mod gitleaks;
mod json;
mod plain;
mod sarif;
mod trufflehog;

use std::io::{self, BufRead, Cursor, Read};

use serde::de::DeserializeOwned;

pub use self::entry::ReportEntry;
use self::{
    entry::{ENTRY_TOO_LONG, EntryReports, MAX_ENTRY_BYTES},
    json::{ArrayElements, PathStep},
};
use akgate_state::directory::import::{InvalidLine, describe_json_error};

akgate_rules::text_enum! {
    /// The format of a file.
    pub enum ReportFormat {
        /// A JSON array of gitleaks' findings
        Gitleaks = "gitleaks",
        /// SARIF 2.1.0, of any scanner
        Sarif = "sarif",
        /// A TruffleHog finding per line, JSON
        Trufflehog = "trufflehog",
        /// A header line, then a finding per line
        Csv = "csv",
        /// A JSON object per line
        Ndjson = "ndjson",
    }
}

/// How many bytes are read to detect the format.
const DETECTION_BYTES: u64 = 64 << 10;

impl ReportFormat {
    /// The default name of the source: the scanner.
    #[must_use]
    pub fn source(self) -> &'static str {
        match self {
            Self::Gitleaks => "gitleaks",
            Self::Sarif => "sarif",
            Self::Trufflehog => "trufflehog",
            Self::Csv | Self::Ndjson => "import",
        }
    }

    /// Detects the format from the beginning of a file, and returns it with a reader of the whole file. `None` if no
    /// format matches.
    ///
    /// # Errors
    /// The input cannot be read.
    pub fn detect(mut input: impl BufRead) -> io::Result<(Option<Self>, impl BufRead)> {
        let mut head = Vec::new();
        input
            .by_ref()
            .take(DETECTION_BYTES)
            .read_to_end(&mut head)?;
        let format = Self::of(&String::from_utf8_lossy(&head));
        Ok((format, Cursor::new(head).chain(input)))
    }

    fn of(head: &str) -> Option<Self> {
        let head = head.trim_start_matches('\u{feff}').trim_start();
        let line = head.lines().next().unwrap_or_default();
        if head.starts_with('[') || line.trim() == "null" {
            return Some(Self::Gitleaks);
        }
        if head.starts_with('{') {
            return if line.contains("\"DetectorName\"") || line.contains("\"SourceMetadata\"") {
                Some(Self::Trufflehog)
            } else if line.contains("\"access_key_id\"") || line.contains("\"access_key_secret\"") {
                Some(Self::Ndjson)
            } else {
                head.contains("\"runs\"").then_some(Self::Sarif)
            };
        }
        let mut names = line.split(',').map(|name| name.trim().trim_matches('"'));
        let is_ours = names.any(|name| matches!(name, "access_key_id" | "access_key_secret"));
        is_ours.then_some(Self::Csv)
    }

    /// Reads a file of this format.
    pub fn pieces<'r>(
        self,
        input: impl BufRead + 'r,
    ) -> Box<dyn Iterator<Item = ReportEntry> + 'r> {
        match self {
            Self::Gitleaks => read_json_array(
                input,
                &[PathStep::Array],
                gitleaks::GitleaksFinding::reports,
            ),
            Self::Sarif => read_json_array(input, sarif::RESULTS_PATH, sarif::SarifResult::reports),
            Self::Trufflehog => read_json_lines(input, trufflehog::TrufflehogFinding::reports),
            Self::Ndjson => read_json_lines(input, plain::PlainFinding::reports),
            Self::Csv => plain::read_csv(input),
        }
    }
}

fn parse_entry<T: DeserializeOwned>(
    line: u64,
    text: &[u8],
    reports: fn(T) -> EntryReports,
) -> ReportEntry {
    let told = serde_json::from_slice(text)
        .map_err(|fault| describe_json_error(&fault))
        .and_then(reports);
    match told {
        Ok(reports) => ReportEntry::Reports(reports),
        Err(reason) => ReportEntry::Rejected {
            bad: InvalidLine { line, reason },
            text: text.to_vec(),
        },
    }
}

fn read_json_array<'r, T: DeserializeOwned + 'r>(
    input: impl BufRead + 'r,
    path: &'static [PathStep],
    reports: fn(T) -> EntryReports,
) -> Box<dyn Iterator<Item = ReportEntry> + 'r> {
    let pieces = ArrayElements::new(input, path).map(move |element| match element {
        Ok((line, text)) => parse_entry(line, &text, reports),
        Err(bad) => ReportEntry::Rejected {
            bad,
            text: Vec::new(),
        },
    });
    Box::new(pieces)
}

fn read_json_lines<'r, T: DeserializeOwned + 'r>(
    mut input: impl BufRead + 'r,
    reports: fn(T) -> EntryReports,
) -> Box<dyn Iterator<Item = ReportEntry> + 'r> {
    let mut line = 0;
    let mut broken = false;
    let next = move || {
        loop {
            if broken {
                return None;
            }
            line += 1;
            let mut text = Vec::new();
            let limit = MAX_ENTRY_BYTES as u64 + 1;
            let reason = match input.by_ref().take(limit).read_until(b'\n', &mut text) {
                Ok(0) => return None,
                Ok(read) if read > MAX_ENTRY_BYTES => {
                    broken = skip_line(&mut input).is_err();
                    text.clear();
                    Some(ENTRY_TOO_LONG.to_owned())
                }
                Ok(_) => None,
                Err(fault) => {
                    broken = true;
                    Some(format!("cannot be read: {fault}"))
                }
            };
            if let Some(reason) = reason {
                let bad = InvalidLine { line, reason };
                return Some(ReportEntry::Rejected { bad, text });
            }
            let text = text.trim_ascii();
            if !text.is_empty() {
                return Some(parse_entry(line, text, reports));
            }
        }
    };
    Box::new(std::iter::from_fn(next))
}

fn skip_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        let (used, is_over) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        input.consume(used);
        if is_over {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests;
