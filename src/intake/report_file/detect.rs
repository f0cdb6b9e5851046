//! Recognises the format of a report file by its content.

use memchr::memmem;

use super::{format::ReportFormat, table::read_header};
use akgate_scan::unicode::decode_text;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detected {
    /// A report that can be read.
    Format(ReportFormat),
    /// A report that holds no secrets, and what to do instead.
    WithoutSecrets(&'static str),
    /// None that is known.
    Unknown,
}

/// Members that only one scanner writes, the most telling ones first: all of them must be there.
const JSON_MARKS: [(&[&str], ReportFormat); 19] = [
    (&["DetectorName"], ReportFormat::Trufflehog),
    (&["SourceMetadata"], ReportFormat::Trufflehog),
    (&["runs", "results"], ReportFormat::Sarif),
    (&["runs", "tool"], ReportFormat::Sarif),
    (&["runs", "version"], ReportFormat::Sarif),
    (&["entities_with_incidents"], ReportFormat::Ggshield),
    (&["vulnerabilities", "scan"], ReportFormat::Gitlab),
    (&["vulnerabilities", "version"], ReportFormat::Gitlab),
    (&["check_id"], ReportFormat::Semgrep),
    (&["failure_list"], ReportFormat::Talisman),
    (&["filePath", "messages"], ReportFormat::Secretlint),
    (&["rule", "finding", "snippet"], ReportFormat::Kingfisher),
    (&["provenance", "matches"], ReportFormat::Noseyparker),
    (&["secret_type"], ReportFormat::Github),
    (&["offender"], ReportFormat::Gitleaks),
    (&["RuleID"], ReportFormat::Gitleaks),
    (&["stringsFound", "printDiff"], ReportFormat::TrufflehogV2),
    (&["stringsFound", "branch"], ReportFormat::TrufflehogV2),
    (&["rule", "secret", "context"], ReportFormat::Trufflehog3),
];

/// The same where a mark may be in other files as well.
const WEAK_JSON_MARKS: [(&[&str], ReportFormat); 10] = [
    (&["strings_found"], ReportFormat::RustyHog),
    (&["stringsFound"], ReportFormat::RustyHog),
    (&["provenance", "snippet"], ReportFormat::Noseyparker),
    (&["rule_name", "match_content"], ReportFormat::Noseyparker),
    (&["findings", "bytes_scanned"], ReportFormat::Kingfisher),
    (&["results", "errors", "paths"], ReportFormat::Semgrep),
    (&["errors", "paths", "scanned"], ReportFormat::Semgrep),
    (&["runs"], ReportFormat::Sarif),
    (&["Secret", "File"], ReportFormat::Gitleaks),
    (&["summary", "results"], ReportFormat::Talisman),
];

const HASHES_ONLY: &str = "detect-secrets keeps only hashes of secrets: search the files with `akgate scan PATH --report`";

/// Recognises a file by its beginning.
pub(super) fn detect(head: &[u8]) -> Detected {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let text = head.trim_ascii_start();
    let line = text
        .split(|b| matches!(b, b'\n' | b'\r'))
        .next()
        .unwrap_or_default();
    if line.trim_ascii() == b"null" || is_empty_array(text) {
        return Detected::Format(ReportFormat::Gitleaks);
    }
    if has_json(text) {
        if has_member(text, "hashed_secret")
            || (has_member(text, "plugins_used") && has_member(text, "results"))
        {
            return Detected::WithoutSecrets(HASHES_ONLY);
        }
        let mut marks = JSON_MARKS.iter().chain(&WEAK_JSON_MARKS);
        let marked = marks.find(|(names, _)| names.iter().all(|name| has_member(text, name)));
        if let Some((_, format)) = marked {
            return Detected::Format(*format);
        }
        if members(text).any(|name| {
            super::plain::Role::of(name).is_some_and(super::plain::Role::shows_findings)
        }) {
            return Detected::Format(ReportFormat::Ndjson);
        }
        return Detected::Unknown;
    }
    let header = text
        .split(|b| matches!(b, b'\n' | b'\r'))
        .find(|line| !line.is_empty() && !line.to_ascii_lowercase().starts_with(b"sep="))
        .unwrap_or_default();
    let (roles, _) = read_header(&decode_text(header));
    let is_table = roles.iter().flatten().any(|role| role.shows_findings())
        || (roles.contains(&Some(super::plain::Role::Match)) && roles.iter().flatten().count() > 1);
    match is_table {
        true => Detected::Format(ReportFormat::Csv),
        false => Detected::Unknown,
    }
}

/// Whether a JSON value begins on one of the lines: lines of a log can stand before it.
fn has_json(text: &[u8]) -> bool {
    text.split(|b| *b == b'\n')
        .any(|line| matches!(line.first(), Some(b'{' | b'[')))
}

fn is_empty_array(text: &[u8]) -> bool {
    let rest = text.strip_prefix(b"[").map(<[u8]>::trim_ascii_start);
    rest.is_some_and(|rest| rest.starts_with(b"]"))
}

/// Whether a member of this name stands somewhere, and not as a part of a string.
pub(super) fn has_member(text: &[u8], name: &str) -> bool {
    let quoted = format!("\"{name}\"");
    memmem::find_iter(text, &quoted).any(|at| {
        let after = text.get(at + quoted.len()..).unwrap_or_default();
        let is_escaped = at.checked_sub(1).and_then(|at| text.get(at)) == Some(&b'\\');
        !is_escaped && after.trim_ascii_start().starts_with(b":")
    })
}

/// The names of members.
fn members(text: &[u8]) -> impl Iterator<Item = &str> {
    text.split(|b| *b == b'"')
        .filter_map(|part| std::str::from_utf8(part).ok())
}
