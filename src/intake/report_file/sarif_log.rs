//! A SARIF log, or an array of them: results, and what their run says about all of them.

use std::{collections::VecDeque, io::BufRead};

use serde_json::Value;

use super::{
    entry::ReportEntry,
    json::{EntryPath, JsonEntries, JsonEvent, PathStep},
    sarif::SarifRun,
};
use akgate_scan::SecretLengths;
use akgate_state::directory::import::{InvalidLine, describe_json_error};

/// How many results wait for what their run says after them; of more, the first are read without it.
const MAX_WAITING: usize = 20_000;

const RUN: [PathStep; 2] = [PathStep::Member("runs"), PathStep::Array];

/// The parts of a run, by their index; the same again inside of an array of logs.
const PARTS: [EntryPath; 8] = [
    &[RUN[0], RUN[1], PathStep::Member("results"), PathStep::Array],
    &[RUN[0], RUN[1], PathStep::Member("originalUriBaseIds")],
    &[RUN[0], RUN[1], PathStep::Member("versionControlProvenance")],
    &[
        RUN[0],
        RUN[1],
        PathStep::Member("artifacts"),
        PathStep::Array,
    ],
    &[
        PathStep::Array,
        RUN[0],
        RUN[1],
        PathStep::Member("results"),
        PathStep::Array,
    ],
    &[
        PathStep::Array,
        RUN[0],
        RUN[1],
        PathStep::Member("originalUriBaseIds"),
    ],
    &[
        PathStep::Array,
        RUN[0],
        RUN[1],
        PathStep::Member("versionControlProvenance"),
    ],
    &[
        PathStep::Array,
        RUN[0],
        RUN[1],
        PathStep::Member("artifacts"),
        PathStep::Array,
    ],
];

/// A result that was not looked at yet.
struct WaitingResult {
    line: u64,
    text: Vec<u8>,
}

struct LogReader<R> {
    events: JsonEntries<R>,
    lengths: SecretLengths,
    run: SarifRun,
    waiting: VecDeque<WaitingResult>,
    /// Whether the run of what waits has ended.
    is_complete: bool,
    /// How deep `runs[*]` is.
    run_depth: usize,
    rejected: VecDeque<ReportEntry>,
}

/// Reads a log to its end.
pub(super) fn read_log<'r>(
    input: impl BufRead + 'r,
    lengths: SecretLengths,
) -> Box<dyn Iterator<Item = ReportEntry> + 'r> {
    Box::new(LogReader {
        events: JsonEntries::new(input, PARTS.to_vec(), false),
        lengths,
        run: SarifRun::default(),
        waiting: VecDeque::new(),
        is_complete: false,
        run_depth: 2,
        rejected: VecDeque::new(),
    })
}

impl<R: BufRead> LogReader<R> {
    fn read(&self, result: WaitingResult) -> ReportEntry {
        let told = serde_json::from_slice::<Value>(&result.text)
            .map_err(|fault| describe_json_error(&fault))
            .and_then(|value| {
                let mut reports = Vec::new();
                for finding in self.run.findings(&value)? {
                    reports.extend(finding.reports(self.lengths)?);
                }
                Ok(reports)
            });
        match told {
            Ok(reports) => ReportEntry::Reports(reports),
            Err(reason) => ReportEntry::Rejected {
                bad: InvalidLine {
                    line: result.line,
                    reason,
                },
                text: result.text,
            },
        }
    }

    fn take(&mut self, part: usize, line: u64, text: Vec<u8>) {
        if part >= PARTS.len() / 2 {
            self.run_depth = 3;
        }
        let value = || serde_json::from_slice::<Value>(&text).unwrap_or_default();
        match part % 4 {
            0 => self.waiting.push_back(WaitingResult { line, text }),
            1 => self.run.set_bases(value()),
            2 => self.run.set_provenance(&value()),
            _ => self.run.add_artifact(&value()),
        }
    }
}

impl<R: BufRead> Iterator for LogReader<R> {
    type Item = ReportEntry;

    fn next(&mut self) -> Option<ReportEntry> {
        loop {
            if self.is_complete || self.waiting.len() > MAX_WAITING {
                if let Some(result) = self.waiting.pop_front() {
                    return Some(self.read(result));
                }
                self.run = SarifRun::default();
                self.is_complete = false;
            }
            if let Some(rejected) = self.rejected.pop_front() {
                return Some(rejected);
            }
            match self.events.next() {
                Some(JsonEvent::Entry(part, line, text)) => self.take(part, line, text),
                Some(JsonEvent::End(depth)) => self.is_complete |= depth == self.run_depth,
                Some(JsonEvent::Invalid(bad, text)) => {
                    self.is_complete = true;
                    self.rejected.push_back(ReportEntry::Rejected { bad, text });
                }
                None if self.waiting.is_empty() => return None,
                None => self.is_complete = true,
            }
        }
    }
}
