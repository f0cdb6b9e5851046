//! Searches a text of any size window by window, in bounded memory.

use std::io::{self, Read};

use memchr::memchr_iter;
use time::OffsetDateTime;

use crate::{
    judge::{Judge, Judged},
    search::search_block,
    shape::{Credential, SecretLengths},
};

/// How much is searched at once, in bytes.
const WINDOW: usize = 1 << 20;

/// How much of a window is searched again with the next one: what lies across the border is in one of them.
const OVERLAP: usize = 32 << 10;

/// A credential and its place.
#[derive(Debug)]
pub struct ScanFinding {
    /// The file; `None` for the message of a commit.
    pub path: Option<String>,
    /// The line in it.
    pub line: u64,
    /// The commit that added it.
    pub commit: Option<String>,
    /// When.
    pub first_seen: Option<OffsetDateTime>,
    /// What it is.
    pub credential: Credential,
}

/// Finds the credentials of one file, whose bytes arrive in parts.
pub(crate) struct WindowScanner {
    lengths: SecretLengths,
    buffer: Vec<u8>,
    /// The line of the buffer's first byte, from 1.
    line: u64,
    /// Where candidates begin that the last window has not shown.
    fresh: usize,
    judge: Judge,
}

impl WindowScanner {
    pub fn new(lengths: SecretLengths) -> Self {
        Self {
            lengths,
            buffer: Vec::new(),
            line: 1,
            fresh: 0,
            judge: Judge::default(),
        }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        while self.buffer.len() >= WINDOW {
            self.search(OVERLAP);
        }
    }

    /// What is found for certain so far.
    pub fn settled(&mut self) -> impl Iterator<Item = Judged> {
        self.judge.settled()
    }

    /// The file ends.
    pub fn finish(&mut self) -> Vec<Judged> {
        self.search(0);
        self.line = 1;
        self.judge.finish()
    }

    /// Searches the buffer, and drops all of it but for the overlap.
    fn search(&mut self, overlap: usize) {
        let end = self.buffer.len();
        // Candidates in the second half of the overlap may be cut: the next window shows them.
        let shown = end.saturating_sub(overlap / 2);
        let (mut line, mut counted) = (self.line, 0);
        for candidate in search_block(&self.buffer, self.lengths) {
            if candidate.at < self.fresh || (overlap > 0 && candidate.at >= shown) {
                continue;
            }
            let before = self.buffer.get(counted..candidate.at).unwrap_or_default();
            line += memchr_iter(b'\n', before).count() as u64;
            counted = counted.max(candidate.at);
            self.judge.add(&candidate, line);
        }
        let dropped = end.saturating_sub(overlap);
        let gone = self.buffer.get(..dropped).unwrap_or_default();
        self.line += memchr_iter(b'\n', gone).count() as u64;
        self.buffer.drain(..dropped);
        self.fresh = shown.saturating_sub(dropped);
    }
}

/// Searches an input to its end: line and credential of each finding, in order.
///
/// # Errors
/// The input cannot be read.
pub fn scan_stream(
    mut input: impl Read,
    lengths: SecretLengths,
    found: &mut dyn FnMut(u64, Credential),
) -> io::Result<()> {
    let mut scanner = WindowScanner::new(lengths);
    let mut chunk = vec![0; 128 << 10];
    loop {
        let read = match input.read(&mut chunk) {
            Ok(read) => read,
            Err(fault) if fault.kind() == io::ErrorKind::Interrupted => continue,
            Err(fault) => {
                for one in scanner.finish() {
                    found(one.line, one.credential);
                }
                return Err(fault);
            }
        };
        if read == 0 {
            break;
        }
        scanner.push(chunk.get(..read).unwrap_or_default());
        for one in scanner.settled() {
            found(one.line, one.credential);
        }
    }
    for one in scanner.finish() {
        found(one.line, one.credential);
    }
    Ok(())
}
