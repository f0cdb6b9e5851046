//! A git history or diff as git prints it: `git log -p` with any of `-z`, `-m`, `--cc`, `--graph`, `--oneline` and
//! `--color`, `git show`, `git diff`, `git format-patch`.
//!
//! A finding has the commit, the file and the file's line. What stands only on lines that no commit adds (context and
//! removed lines of a part of a history) is told at the end.

mod header;
mod path;

use std::{
    borrow::Cow,
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    io::{self, BufRead, Read},
};

use time::OffsetDateTime;

use self::{
    header::{Form, Header, HunkCounts, read_header, without_colours},
    path::ChangedFile,
};
use crate::{
    instant::parse_instant,
    judge::Judged,
    shape::{Credential, SecretLengths},
    stream::{ScanFinding, WindowScanner},
};

pub(crate) use self::header::is_history;

/// Longer lines are taken in pieces, in bytes.
const MAX_LINE: u64 = 1 << 20;

/// How many findings of lines that no commit adds are kept until the end.
const MAX_HELD: usize = 100_000;

/// What becomes of a line's findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineKind {
    Added,
    /// Context, or removed: another commit has added it.
    Other,
    Message,
}

/// Lines that follow each other in a file.
#[derive(Debug, Clone, Copy)]
struct LineRun {
    /// The first one, counted in what is searched together.
    start: u64,
    /// Its number in the file.
    line: u64,
    kind: LineKind,
}

/// Reads a history line by line.
struct HistoryReader<'f> {
    form: Form,
    scanner: WindowScanner,
    lines: Vec<LineRun>,
    /// How many lines are searched together so far.
    count: u64,
    commit: Option<String>,
    date: Option<OffsetDateTime>,
    file: ChangedFile,
    hunk: Option<Hunk>,
    /// What was found on added lines, as hashes.
    added: HashSet<u64>,
    hasher: RandomState,
    held: Vec<ScanFinding>,
    found: &'f mut dyn FnMut(ScanFinding),
}

/// A hunk whose lines are not all read.
struct Hunk {
    counts: HunkCounts,
    old: u64,
    new: u64,
}

/// Searches a history to its end.
///
/// # Errors
/// The input cannot be read.
pub(crate) fn scan_history(
    mut input: impl BufRead,
    form: Form,
    lengths: SecretLengths,
    found: &mut dyn FnMut(ScanFinding),
) -> io::Result<()> {
    let mut reader = HistoryReader {
        form,
        scanner: WindowScanner::new(lengths),
        lines: Vec::new(),
        count: 0,
        commit: None,
        date: None,
        file: ChangedFile::default(),
        hunk: None,
        added: HashSet::new(),
        hasher: RandomState::new(),
        held: Vec::new(),
        found,
    };
    let mut line = Vec::new();
    let mut outcome = Ok(());
    loop {
        line.clear();
        match input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) => reader.line(&line),
            Err(fault) => {
                outcome = Err(fault);
                break;
            }
        }
    }
    reader.finish();
    outcome
}

impl HistoryReader<'_> {
    fn line(&mut self, line: &[u8]) {
        let line = without_colours(line);
        let start = line.iter().position(|b| *b != 0).unwrap_or(line.len());
        let line = line.get(start..).unwrap_or_default();
        if self.hunk_line(line) {
            return;
        }
        let (header, width) = read_header(line, self.form);
        match header {
            Header::Commit(commit) => {
                self.leave();
                self.commit = Some(commit);
                self.date = None;
                // Of `--oneline`, the message stands on the same line.
                if self.form.is_oneline {
                    self.message(line);
                }
            }
            Header::Tag => {
                self.leave();
                self.commit = None;
                self.date = None;
                self.message(line);
            }
            Header::Diff(text) => {
                self.leave();
                self.form.width = width;
                self.file = ChangedFile::begin(text);
            }
            Header::Old(text) if self.file.is_begun() => self.file.set_old(text),
            Header::New(text) if self.file.is_begun() => self.file.set_new(text),
            Header::Hunk(counts, old, new) if self.file.is_begun() => {
                self.hunk = Some(Hunk { counts, old, new });
            }
            Header::Date(text) => {
                self.date = self
                    .date
                    .or_else(|| parse_instant(&String::from_utf8_lossy(text)));
                self.message(line);
            }
            Header::Old(_) | Header::New(_) | Header::Hunk(..) | Header::Other => {
                self.message(line);
            }
        }
    }

    /// Takes a line of a hunk; false if it is none.
    fn hunk_line(&mut self, line: &[u8]) -> bool {
        let Some(hunk) = &mut self.hunk else {
            return false;
        };
        let line = line.get(self.form.width..).unwrap_or_default();
        if line.starts_with(b"\\") {
            return true;
        }
        let parents = hunk.counts.parents();
        let (marks, text) = line.split_at_checked(parents).unwrap_or((line, b"\n"));
        if !marks
            .iter()
            .all(|b| matches!(b, b'+' | b'-' | b' ' | b'\n' | b'\r'))
        {
            self.hunk = None;
            return false;
        }
        let is_lost = marks.contains(&b'-');
        let (kind, number) = match is_lost {
            true => (LineKind::Other, hunk.old),
            false if marks.contains(&b'+') => (LineKind::Added, hunk.new),
            false => (LineKind::Other, hunk.new),
        };
        if is_lost || !marks.contains(&b'+') {
            hunk.old += 1;
        }
        hunk.new += u64::from(!is_lost);
        if !hunk.counts.take(marks) {
            self.hunk = None;
        }
        self.push(text, number, kind);
        true
    }

    /// A line that belongs to no file. In the header of a file, it says nothing.
    fn message(&mut self, line: &[u8]) {
        if !self.file.is_begun() {
            self.push(line, 0, LineKind::Message);
        }
    }

    fn push(&mut self, text: &[u8], line: u64, kind: LineKind) {
        self.count += 1;
        let continues = self.lines.last().is_some_and(|run| {
            run.kind == kind
                && (kind == LineKind::Message || run.line + (self.count - run.start) == line)
        });
        if !continues {
            self.lines.push(LineRun {
                start: self.count,
                line,
                kind,
            });
        }
        self.scanner.push(text);
        if !text.ends_with(b"\n") {
            self.scanner.push(b"\n");
        }
    }

    /// What was searched together ends: a file, a message.
    fn leave(&mut self) {
        for judged in self.scanner.finish() {
            self.report(judged);
        }
        self.lines.clear();
        self.count = 0;
        self.file = ChangedFile::default();
        self.hunk = None;
    }

    fn report(&mut self, judged: Judged) {
        let index = self.lines.partition_point(|run| run.start <= judged.line);
        let run = index.checked_sub(1).and_then(|index| self.lines.get(index));
        let (line, kind) = match run {
            Some(run) if run.kind != LineKind::Message => {
                (run.line + (judged.line - run.start), run.kind)
            }
            Some(_) | None => (judged.line, LineKind::Message),
        };
        let hash = self.hasher.hash_one(text_of(&judged.credential));
        let finding = ScanFinding {
            path: self.file.path().map(Cow::into_owned),
            line,
            commit: self.commit.clone(),
            first_seen: self.date,
            credential: judged.credential,
        };
        match kind {
            LineKind::Added | LineKind::Message => {
                self.added.insert(hash);
                (self.found)(finding);
            }
            LineKind::Other if self.held.len() < MAX_HELD => self.held.push(finding),
            LineKind::Other => (self.found)(finding),
        }
    }

    fn finish(&mut self) {
        self.leave();
        for finding in std::mem::take(&mut self.held) {
            let hash = self.hasher.hash_one(text_of(&finding.credential));
            if self.added.insert(hash) {
                (self.found)(finding);
            }
        }
    }
}

fn text_of(credential: &Credential) -> &str {
    match credential {
        Credential::Id(id) => id.as_str(),
        Credential::Secret(secret) => secret.expose(),
    }
}

#[cfg(test)]
mod tests;
