//! Prints findings, and what was not searched.

use std::io::{self, Write};

use akgate_rules::access_key::{AccessKeyId, AccessKeySecret};
use akgate_scan::{InputSink, ScanFinding, Skipped};
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// What was searched and found.
#[derive(Default)]
pub(super) struct ScanTally {
    pub files: u64,
    pub findings: u64,
    /// Files and folders that could not be read.
    pub unread: u64,
    /// What was left out: links, archives that cannot be unpacked, devices.
    pub skipped: u64,
    /// Git repositories, whose history was not searched.
    pub repositories: u64,
}

/// Prints findings as they come, and counts.
pub(super) struct FindingPrinter<'w, O, E> {
    pub report: bool,
    pub verbose: bool,
    pub tally: ScanTally,
    pub out: &'w mut O,
    pub err: &'w mut E,
}

/// The output for an import.
#[derive(Serialize)]
struct ReportLine<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key_secret: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_seen: Option<String>,
}

impl<O: Write, E: Write> FindingPrinter<'_, O, E> {
    /// Something cannot be read: it is named in any case.
    pub fn unread(&mut self, what: &str) -> io::Result<()> {
        self.tally.unread += 1;
        writeln!(self.err, "{what}")
    }

    /// Something was not searched.
    pub fn left_out(&mut self, path: &str, why: &str) -> io::Result<()> {
        self.tally.skipped += 1;
        match self.verbose {
            true => writeln!(self.err, "{path}: not searched: {why}"),
            false => Ok(()),
        }
    }

    fn print_report(&mut self, finding: &ScanFinding) -> io::Result<()> {
        let first_seen = finding
            .first_seen
            .and_then(|at: OffsetDateTime| at.format(&Rfc3339).ok());
        let reported = ReportLine {
            access_key_id: finding.credential.id().map(AccessKeyId::as_str),
            access_key_secret: finding.credential.secret().map(AccessKeySecret::expose),
            commit: finding.commit.as_deref(),
            path: finding.path.as_deref(),
            first_seen,
        };
        serde_json::to_writer(&mut *self.out, &reported)?;
        writeln!(self.out)
    }
}

impl<O: Write, E: Write> InputSink for FindingPrinter<'_, O, E> {
    fn found(&mut self, finding: ScanFinding) -> io::Result<()> {
        self.tally.findings += 1;
        if self.report {
            return self.print_report(&finding);
        }
        let what = match finding.credential.id() {
            Some(id) => format!("AccessKeyId {}", id.masked()),
            None => "AccessKeySecret ******".to_owned(),
        };
        let place = match &finding.path {
            Some(path) => format!("{path}:{}", finding.line),
            None => "message".to_owned(),
        };
        match &finding.commit {
            Some(commit) => writeln!(self.out, "{place}: {what} (commit {commit})"),
            None => writeln!(self.out, "{place}: {what}"),
        }
    }

    fn skipped(&mut self, path: &str, why: Skipped) -> io::Result<()> {
        self.left_out(path, &why.to_string())
    }
}
