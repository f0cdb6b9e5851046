//! Reads report files of scanners entry by entry, so that their size does not matter: one file for each format. An entry
//! that cannot be read is reported; the others are still read.

mod detect;
mod entry;
mod fields;
mod finding;
mod format;
mod ggshield;
mod github;
mod gitlab;
mod gitleaks;
mod json;
mod kingfisher;
mod noseyparker;
mod plain;
mod rusty_hog;
mod sarif;
mod sarif_log;
mod secretlint;
mod semgrep;
mod table;
mod talisman;
mod trufflehog;
mod trufflehog3;
mod trufflehog_v2;

use std::io::{self, BufRead, BufReader, Cursor, Read};

use akgate_scan::{
    SecretLengths,
    unicode::{ByteOrder, Utf16Reader, decode_text},
};
use akgate_state::directory::import::{InvalidLine, describe_json_error};
use akgate_state::leaks::record::LeakReport;
use flate2::bufread::MultiGzDecoder;
use serde_json::Value;

pub use self::{detect::Detected, entry::ReportEntry, format::ReportFormat};
use self::{
    detect::has_member,
    finding::EntryFindings,
    json::{EntryPath, JsonEntries, JsonEvent, PathStep},
};

/// How many bytes are read to detect the format.
const DETECTION_BYTES: u64 = 64 << 10;

/// A report file as UTF-8, and what it is.
pub struct OpenedReport<'r> {
    /// What it is.
    pub detected: Detected,
    /// All of it, decompressed and decoded.
    pub input: Box<dyn BufRead + 'r>,
}

impl<'r> OpenedReport<'r> {
    /// Recognises what a file is: its compression, its encoding, its format.
    ///
    /// # Errors
    /// The input cannot be read.
    pub fn new(input: impl Read + 'r) -> io::Result<Self> {
        let (head, input) = read_head(Box::new(input))?;
        let (head, input) = match head.starts_with(&[0x1f, 0x8b]) {
            true => read_head(Box::new(MultiGzDecoder::new(BufReader::new(input))))?,
            false => (head, input),
        };
        let (head, input) = match ByteOrder::detect(&head) {
            Some(order) => read_head(Box::new(Utf16Reader::new(input, order)))?,
            None => (head, input),
        };
        Ok(Self {
            detected: detect::detect(&head),
            input: Box::new(BufReader::with_capacity(256 << 10, input)),
        })
    }
}

/// The beginning of an input, and a reader of the whole.
fn read_head<'r>(mut input: Box<dyn Read + 'r>) -> io::Result<(Vec<u8>, Box<dyn Read + 'r>)> {
    let mut head = Vec::new();
    input
        .by_ref()
        .take(DETECTION_BYTES)
        .read_to_end(&mut head)?;
    let whole = Cursor::new(head.clone()).chain(input);
    Ok((head, Box::new(whole)))
}

/// Every object of the stream, and those in arrays of it.
const OBJECTS: &[EntryPath] = &[&[], &[PathStep::Array]];

impl ReportFormat {
    /// The default name of the source: the scanner.
    #[must_use]
    pub fn source(self) -> &'static str {
        match self {
            Self::TrufflehogV2 => "trufflehog",
            Self::Csv | Self::Ndjson => "import",
            other => other.as_str(),
        }
    }

    /// Where entries stand in a document that holds them all, and the member that shows that it is one; empty if every
    /// file is.
    fn documents(self) -> (&'static str, &'static [EntryPath]) {
        use PathStep::{Array, Member};
        match self {
            Self::Gitlab => ("", &[&[Member("vulnerabilities"), Array]]),
            Self::Kingfisher => ("findings", &[&[Member("findings"), Array]]),
            Self::Ggshield => (
                "",
                &[
                    &[Member("entities_with_incidents"), Array],
                    &[Member("scans"), Array],
                ],
            ),
            Self::Semgrep | Self::Talisman => ("", &[&[Member("results"), Array], &[Array]]),
            _ => ("", &[]),
        }
    }

    fn findings(self) -> fn(&Value) -> EntryFindings {
        match self {
            Self::Gitleaks => gitleaks::findings,
            Self::Trufflehog => trufflehog::findings,
            Self::TrufflehogV2 => trufflehog_v2::findings,
            Self::Trufflehog3 => trufflehog3::findings,
            Self::Github => github::findings,
            Self::Gitlab => gitlab::findings,
            Self::Kingfisher => kingfisher::findings,
            Self::Noseyparker => noseyparker::findings,
            Self::Ggshield => ggshield::findings,
            Self::Semgrep => semgrep::findings,
            Self::RustyHog => rusty_hog::findings,
            Self::Talisman => talisman::findings,
            Self::Secretlint => secretlint::findings,
            // These are read by functions of their own.
            Self::Sarif | Self::Csv | Self::Ndjson => |_| Ok(Vec::new()),
        }
    }

    /// Reads a file of this format. A table is read as one, whichever scanner has written it.
    pub fn entries<'r>(
        self,
        mut input: impl BufRead + 'r,
        lengths: SecretLengths,
    ) -> Box<dyn Iterator<Item = ReportEntry> + 'r> {
        let head = input.fill_buf().unwrap_or_default().to_vec();
        let is_table = self == Self::Csv || detect::detect(&head) == Detected::Format(Self::Csv);
        if is_table {
            return table::read_table(input, lengths);
        }
        match self {
            Self::Sarif => sarif_log::read_log(input, lengths),
            Self::Ndjson => read_values(input, OBJECTS, false, move |value| {
                let members = value.as_object().ok_or("a field has the wrong type")?;
                plain::PlainFinding::of_object(members)?.reports(lengths)
            }),
            other => {
                let (mark, documents) = other.documents();
                let paths =
                    match !documents.is_empty() && (mark.is_empty() || has_member(&head, mark)) {
                        true => documents,
                        false => OBJECTS,
                    };
                let findings = other.findings();
                read_values(input, paths, true, move |value| {
                    let mut reports = Vec::new();
                    for finding in findings(value)? {
                        reports.extend(finding.reports(lengths)?);
                    }
                    Ok(reports)
                })
            }
        }
    }
}

/// Reads the objects that the paths lead to.
fn read_values<'r>(
    input: impl BufRead + 'r,
    paths: &[EntryPath],
    has_log: bool,
    reports: impl Fn(&Value) -> Result<Vec<LeakReport>, String> + 'r,
) -> Box<dyn Iterator<Item = ReportEntry> + 'r> {
    let events = JsonEntries::new(input, paths.to_vec(), has_log);
    Box::new(events.filter_map(move |event| match event {
        JsonEvent::End(_) => None,
        JsonEvent::Invalid(bad, text) => Some(ReportEntry::Rejected { bad, text }),
        JsonEvent::Entry(_, line, text) => {
            let read = parse_value(&text).and_then(|value| match value.is_object() {
                true => reports(&value),
                false => Err("a field has the wrong type".to_owned()),
            });
            Some(match read {
                Ok(reports) => ReportEntry::Reports(reports),
                Err(reason) => ReportEntry::Rejected {
                    bad: InvalidLine { line, reason },
                    text,
                },
            })
        }
    }))
}

/// A JSON value; in GBK if it is not UTF-8.
fn parse_value(text: &[u8]) -> Result<Value, String> {
    let read = match std::str::from_utf8(text) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_str(&decode_text(text)),
    };
    read.map_err(|fault| describe_json_error(&fault))
}

#[cfg(test)]
mod tests;
