//! The entries of a stream of JSON values, each as its text: of arrays, of lines, pretty-printed, several on a line,
//! with lines of a log between them. Memory use depends only on the longest entry, and a broken entry does not affect
//! the others.

use std::io::{self, BufRead};

use super::entry::{ENTRY_TOO_LONG, MAX_ENTRY_BYTES};
use akgate_state::directory::import::InvalidLine;

/// One step from the document to what is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathStep {
    /// Into a member of an object.
    Member(&'static str),
    /// Into an array.
    Array,
}

/// The way to entries. The empty one is every object of the stream.
pub(super) type EntryPath = &'static [PathStep];

/// The deepest nesting.
const MAX_DEPTH: usize = 128;

/// What stands at the end of a part of the stream.
#[derive(Debug)]
pub(super) enum JsonEvent {
    /// An entry: which of the paths leads to it, its line, its text.
    Entry(usize, u64, Vec<u8>),
    /// An array or object that holds entries ends, so many steps deep.
    End(usize),
    /// Something cannot be read.
    Invalid(InvalidLine, Vec<u8>),
}

/// What may come next in an object or array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    KeyOrEnd,
    Key,
    Colon,
    ValueOrEnd,
    Value,
    CommaOrEnd,
}

struct Frame {
    is_array: bool,
    key: Vec<u8>,
    awaited: Awaited,
}

enum JsonFault {
    Input(io::Error),
    Syntax(&'static str),
}

/// Reads entries one after the other.
pub(super) struct JsonEntries<R> {
    input: R,
    /// Bytes that are read again: those after the first line of what could not be read.
    again: Vec<u8>,
    taken: usize,
    paths: Vec<EntryPath>,
    /// Whether lines of a log may stand between values.
    has_log: bool,
    stack: Vec<Frame>,
    /// The entry that is being read.
    capture: Option<Capture>,
    line: u64,
    has_read: bool,
    is_over: bool,
}

struct Capture {
    path: usize,
    line: u64,
    depth: usize,
    text: Vec<u8>,
}

impl<R: BufRead> JsonEntries<R> {
    pub fn new(input: R, paths: Vec<EntryPath>, has_log: bool) -> Self {
        Self {
            input,
            again: Vec::new(),
            taken: 0,
            paths,
            has_log,
            stack: Vec::new(),
            capture: None,
            line: 1,
            has_read: false,
            is_over: false,
        }
    }

    fn peek(&mut self) -> Result<Option<u8>, JsonFault> {
        if let Some(byte) = self.again.get(self.taken) {
            return Ok(Some(*byte));
        }
        loop {
            match self.input.fill_buf() {
                Ok(buffer) => return Ok(buffer.first().copied()),
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
                Err(fault) => return Err(JsonFault::Input(fault)),
            }
        }
    }

    fn take(&mut self) -> Result<Option<u8>, JsonFault> {
        let byte = self.peek()?;
        let Some(taken) = byte else { return Ok(None) };
        if self.taken < self.again.len() {
            self.taken += 1;
        } else {
            self.input.consume(1);
        }
        self.line += u64::from(taken == b'\n');
        if let Some(capture) = &mut self.capture
            && capture.text.len() <= MAX_ENTRY_BYTES
        {
            capture.text.push(taken);
        }
        Ok(byte)
    }

    /// Reads up to the next event.
    fn advance(&mut self) -> Result<Option<JsonEvent>, JsonFault> {
        loop {
            let Some(byte) = self.peek()? else {
                return match self.stack.is_empty() {
                    true if self.has_read => Ok(None),
                    _ => Err(JsonFault::Syntax("the file is incomplete")),
                };
            };
            if byte.is_ascii_whitespace() || (byte == b',' && self.stack.is_empty()) {
                self.take()?;
                continue;
            }
            self.has_read = true;
            let Some(frame) = self.stack.last_mut() else {
                if let Some(event) = self.top_value(byte)? {
                    return Ok(Some(event));
                }
                continue;
            };
            let awaited = frame.awaited;
            match (awaited, byte) {
                (Awaited::KeyOrEnd | Awaited::Key, b'"') => {
                    let key = self.string()?;
                    if let Some(frame) = self.stack.last_mut() {
                        frame.key = key;
                        frame.awaited = Awaited::Colon;
                    }
                }
                (Awaited::Colon, b':') => self.go_on(Awaited::Value)?,
                (Awaited::CommaOrEnd, b',') => {
                    let is_array = frame.is_array;
                    self.go_on(if is_array {
                        Awaited::Value
                    } else {
                        Awaited::Key
                    })?;
                }
                (Awaited::KeyOrEnd | Awaited::CommaOrEnd, b'}') if !frame.is_array => {
                    if let Some(event) = self.close()? {
                        return Ok(Some(event));
                    }
                }
                (Awaited::ValueOrEnd | Awaited::CommaOrEnd, b']') if frame.is_array => {
                    if let Some(event) = self.close()? {
                        return Ok(Some(event));
                    }
                }
                (Awaited::Value | Awaited::ValueOrEnd, byte) => {
                    if let Some(event) = self.value(byte)? {
                        return Ok(Some(event));
                    }
                }
                _ => return Err(JsonFault::Syntax("not JSON")),
            }
        }
    }

    fn go_on(&mut self, awaited: Awaited) -> Result<(), JsonFault> {
        self.take()?;
        if let Some(frame) = self.stack.last_mut() {
            frame.awaited = awaited;
        }
        Ok(())
    }

    /// A value of the stream itself; what is none is a line of a log.
    fn top_value(&mut self, byte: u8) -> Result<Option<JsonEvent>, JsonFault> {
        match byte {
            b'{' | b'[' => self.value(byte),
            // A byte order mark.
            0xef | 0xbb | 0xbf => {
                self.take()?;
                Ok(None)
            }
            b']' | b'}' => {
                self.take()?;
                Err(JsonFault::Syntax("not JSON"))
            }
            _ if !self.has_log || byte == b'"' => Err(JsonFault::Syntax("not a JSON object")),
            _ => {
                while let Some(byte) = self.take()? {
                    if byte == b'\n' {
                        break;
                    }
                }
                Ok(None)
            }
        }
    }

    fn value(&mut self, first: u8) -> Result<Option<JsonEvent>, JsonFault> {
        if self.capture.is_none()
            && let Some(path) = self.entry_path(first)
        {
            self.capture = Some(Capture {
                path,
                line: self.line,
                depth: self.stack.len(),
                text: Vec::new(),
            });
        }
        match first {
            b'{' | b'[' => {
                if self.stack.len() >= MAX_DEPTH {
                    return Err(JsonFault::Syntax("nested too deeply"));
                }
                self.take()?;
                let is_array = first == b'[';
                self.stack.push(Frame {
                    is_array,
                    key: Vec::new(),
                    awaited: if is_array {
                        Awaited::ValueOrEnd
                    } else {
                        Awaited::KeyOrEnd
                    },
                });
                return Ok(None);
            }
            b'"' => drop(self.string()?),
            b't' | b'f' | b'n' | b'-' | b'0'..=b'9' => self.scalar()?,
            _ => return Err(JsonFault::Syntax("not JSON")),
        }
        Ok(self.end_value(false))
    }

    fn close(&mut self) -> Result<Option<JsonEvent>, JsonFault> {
        self.take()?;
        self.stack.pop();
        Ok(self.end_value(true))
    }

    /// A value has ended: the entry with it, if it is one.
    fn end_value(&mut self, is_container: bool) -> Option<JsonEvent> {
        let depth = self.stack.len();
        if let Some(frame) = self.stack.last_mut() {
            frame.awaited = Awaited::CommaOrEnd;
        }
        let is_entry = self
            .capture
            .as_ref()
            .is_some_and(|capture| capture.depth == depth);
        if !is_entry {
            let is_outside = is_container && self.capture.is_none();
            return is_outside.then_some(JsonEvent::End(depth));
        }
        let capture = self.capture.take()?;
        if capture.text.len() > MAX_ENTRY_BYTES {
            let reason = ENTRY_TOO_LONG.to_owned();
            let bad = InvalidLine {
                line: capture.line,
                reason,
            };
            return Some(JsonEvent::Invalid(bad, Vec::new()));
        }
        Some(JsonEvent::Entry(capture.path, capture.line, capture.text))
    }

    /// Which path leads to a value that begins here.
    fn entry_path(&self, first: u8) -> Option<usize> {
        self.paths.iter().position(|path| {
            let is_here = path.len() == self.stack.len()
                && self
                    .stack
                    .iter()
                    .zip(*path)
                    .all(|(frame, step)| match step {
                        PathStep::Array => frame.is_array,
                        PathStep::Member(name) => !frame.is_array && frame.key == name.as_bytes(),
                    });
            is_here && (!path.is_empty() || first == b'{')
        })
    }

    /// A string, without its quotation marks.
    fn string(&mut self) -> Result<Vec<u8>, JsonFault> {
        self.take()?;
        let mut text = Vec::new();
        let mut is_escaped = false;
        loop {
            let Some(byte) = self.peek()? else {
                return Err(JsonFault::Syntax("the file is incomplete"));
            };
            // The strings of a pretty-printed value are on one line each, so a broken one ends with its line.
            if byte == b'\n' {
                return Err(JsonFault::Syntax("not a JSON object"));
            }
            self.take()?;
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'"' => return Ok(text),
                _ => {}
            }
            if text.len() < 256 {
                text.push(byte);
            }
        }
    }

    /// A number or a word.
    fn scalar(&mut self) -> Result<(), JsonFault> {
        while let Some(byte) = self.peek()? {
            if byte.is_ascii_whitespace() || matches!(byte, b',' | b']' | b'}' | b':' | b'"') {
                break;
            }
            self.take()?;
        }
        Ok(())
    }

    /// After a fault: goes on with the line after the one where the broken value began.
    fn recover(&mut self, what: &str) -> JsonEvent {
        let capture = self.capture.take();
        self.stack.clear();
        let (line, text) = match capture {
            Some(capture) => (capture.line, capture.text),
            None => (self.line, Vec::new()),
        };
        let reason = what.to_owned();
        let end = text.iter().position(|b| *b == b'\n').map(|at| at + 1);
        let (broken, rest) = match end.and_then(|end| text.split_at_checked(end)) {
            Some((broken, rest)) if text.len() <= MAX_ENTRY_BYTES => {
                let mut again = rest.to_vec();
                again.extend_from_slice(self.again.get(self.taken..).unwrap_or_default());
                self.again = again;
                self.taken = 0;
                self.line = line + 1;
                (broken.to_vec(), true)
            }
            _ => (text, false),
        };
        if !rest && self.skip_line().is_err() {
            self.is_over = true;
        }
        let broken = broken.trim_ascii_end().to_vec();
        JsonEvent::Invalid(InvalidLine { line, reason }, broken)
    }

    fn skip_line(&mut self) -> Result<(), JsonFault> {
        while let Some(byte) = self.take()? {
            if byte == b'\n' {
                break;
            }
        }
        Ok(())
    }
}

impl<R: BufRead> Iterator for JsonEntries<R> {
    type Item = JsonEvent;

    fn next(&mut self) -> Option<JsonEvent> {
        if self.is_over {
            return None;
        }
        match self.advance() {
            Ok(Some(event)) => Some(event),
            Ok(None) => {
                self.is_over = true;
                None
            }
            Err(JsonFault::Input(fault)) => {
                self.is_over = true;
                let line = self.line;
                let reason = format!("cannot be read: {fault}");
                Some(JsonEvent::Invalid(InvalidLine { line, reason }, Vec::new()))
            }
            Err(JsonFault::Syntax(what)) => {
                let at_end = matches!(self.peek(), Ok(None));
                let event = self.recover(what);
                self.is_over |= at_end && self.again.len() == self.taken;
                Some(event)
            }
        }
    }
}
