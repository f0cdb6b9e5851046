//! The elements of one array of a JSON document, each as its text: memory use depends only on the longest element, and
//! a broken element does not affect the others.

use std::io::BufRead;

use super::entry::{ENTRY_TOO_LONG, MAX_ENTRY_BYTES};
use akgate_state::directory::import::InvalidLine;

/// One step from the document to the array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathStep {
    /// Into a member of an object.
    Member(&'static str),
    /// Into an array.
    Array,
}

/// The deepest nesting outside of elements.
const MAX_DEPTH: usize = 64;

enum StackFrame {
    Object { key: Vec<u8>, awaits_key: bool },
    Array,
}

/// Line and text of an element, or what is wrong with it.
type ArrayElement = Result<(u64, Vec<u8>), InvalidLine>;

/// Reads the elements one after the other: line and text of each.
pub(super) struct ArrayElements<R> {
    input: R,
    path: &'static [PathStep],
    stack: Vec<StackFrame>,
    line: u64,
    has_begun: bool,
    is_over: bool,
}

/// Why no more elements can be read.
enum JsonFault {
    Input(std::io::Error),
    Syntax(&'static str),
}

impl<R: BufRead> ArrayElements<R> {
    pub fn new(input: R, path: &'static [PathStep]) -> Self {
        Self {
            input,
            path,
            stack: Vec::new(),
            line: 1,
            has_begun: false,
            is_over: false,
        }
    }

    fn peek(&mut self) -> Result<Option<u8>, JsonFault> {
        let buffer = self.input.fill_buf().map_err(JsonFault::Input)?;
        Ok(buffer.first().copied())
    }

    fn take(&mut self) -> Result<Option<u8>, JsonFault> {
        let byte = self.peek()?;
        if let Some(byte) = byte {
            self.input.consume(1);
            self.line += u64::from(byte == b'\n');
        }
        Ok(byte)
    }

    /// The array whose elements are wanted is the innermost that is open.
    fn is_inside(&self) -> bool {
        self.stack.len() == self.path.len()
            && self
                .stack
                .iter()
                .zip(self.path)
                .all(|(frame, step)| match (frame, step) {
                    (StackFrame::Array, PathStep::Array) => true,
                    (StackFrame::Object { key, .. }, PathStep::Member(name)) => {
                        key == name.as_bytes()
                    }
                    (StackFrame::Array, PathStep::Member(_))
                    | (StackFrame::Object { .. }, PathStep::Array) => false,
                })
    }

    fn advance(&mut self) -> Result<Option<ArrayElement>, JsonFault> {
        loop {
            let Some(byte) = self.take()? else {
                return match self.stack.is_empty() && self.has_begun {
                    true => Ok(None),
                    false => Err(JsonFault::Syntax("the file is incomplete")),
                };
            };
            if byte.is_ascii_whitespace() {
                continue;
            }
            self.has_begun = true;
            let awaits_key = match self.stack.last_mut() {
                Some(StackFrame::Object { awaits_key, .. }) => awaits_key,
                Some(StackFrame::Array) | None => &mut false,
            };
            match byte {
                b',' => *awaits_key = true,
                b':' => *awaits_key = false,
                b'}' | b']' => match self.stack.pop() {
                    Some(_) => {}
                    None => return Err(JsonFault::Syntax("not JSON")),
                },
                b'"' if *awaits_key => {
                    let mut name = Vec::new();
                    self.string(&mut name)?;
                    if let Some(StackFrame::Object { key, .. }) = self.stack.last_mut() {
                        name.pop();
                        *key = name;
                    }
                }
                _ if self.is_inside() => return self.capture(byte).map(Some),
                b'{' | b'[' if self.stack.len() >= MAX_DEPTH => {
                    return Err(JsonFault::Syntax("nested too deeply"));
                }
                b'{' => self.stack.push(StackFrame::Object {
                    key: Vec::new(),
                    awaits_key: true,
                }),
                b'[' => self.stack.push(StackFrame::Array),
                b'"' => self.string(&mut Vec::new())?,
                _ => self.scalar(&mut Vec::new())?,
            }
        }
    }

    /// The text of an element that begins with `first`.
    fn capture(&mut self, first: u8) -> Result<ArrayElement, JsonFault> {
        let line = self.line;
        let mut text = vec![first];
        match first {
            b'"' => self.string(&mut text)?,
            b'{' | b'[' => {
                let mut depth = 1_usize;
                while depth > 0 {
                    let Some(byte) = self.take()? else {
                        return Err(JsonFault::Syntax("the file is incomplete"));
                    };
                    push_bounded(&mut text, byte);
                    match byte {
                        b'"' => self.string(&mut text)?,
                        b'{' | b'[' => depth += 1,
                        b'}' | b']' => depth -= 1,
                        _ => {}
                    }
                }
            }
            _ => self.scalar(&mut text)?,
        }
        if text.len() > MAX_ENTRY_BYTES {
            let reason = ENTRY_TOO_LONG.to_owned();
            return Ok(Err(InvalidLine { line, reason }));
        }
        Ok(Ok((line, text)))
    }

    /// The rest of a string, its closing quotation mark included.
    fn string(&mut self, text: &mut Vec<u8>) -> Result<(), JsonFault> {
        let mut is_escaped = false;
        loop {
            let Some(byte) = self.take()? else {
                return Err(JsonFault::Syntax("the file is incomplete"));
            };
            push_bounded(text, byte);
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'"' => return Ok(()),
                _ => {}
            }
        }
    }

    /// The rest of a number or a word.
    fn scalar(&mut self, text: &mut Vec<u8>) -> Result<(), JsonFault> {
        while let Some(byte) = self.peek()? {
            if byte.is_ascii_whitespace() || matches!(byte, b',' | b']' | b'}' | b':' | b'"') {
                break;
            }
            self.take()?;
            push_bounded(text, byte);
        }
        Ok(())
    }
}

/// Keeps a byte of an element, and one more than may be kept of one that is too long.
fn push_bounded(text: &mut Vec<u8>, byte: u8) {
    if text.len() <= MAX_ENTRY_BYTES {
        text.push(byte);
    }
}

impl<R: BufRead> Iterator for ArrayElements<R> {
    type Item = ArrayElement;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let broken = match self.advance() {
            Ok(Some(element)) => return Some(element),
            Ok(None) => None,
            Err(JsonFault::Input(fault)) => Some(format!("cannot be read: {fault}")),
            Err(JsonFault::Syntax(what)) => Some(what.to_owned()),
        };
        self.is_over = true;
        let line = self.line;
        broken.map(|reason| Err(InvalidLine { line, reason }))
    }
}
