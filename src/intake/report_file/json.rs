//! The elements of one array of a JSON document, each as its text: a document of any size is read in the room of its
//! longest element, and what is wrong with one says nothing of the others.

use std::io::BufRead;

use super::{LONGEST, TOO_LONG};
use akgate_state::directory::import::BadLine;

/// One step from the document to the array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Into a member of an object.
    Member(&'static str),
    /// Into an array.
    Array,
}

/// The deepest nesting outside of elements.
const DEEPEST: usize = 64;

enum Frame {
    Object { key: Vec<u8>, awaits_key: bool },
    Array,
}

/// Line and text of an element, or what is wrong with it.
type Element = Result<(u64, Vec<u8>), BadLine>;

/// Reads the elements one after the other: line and text of each.
pub(super) struct Elements<R> {
    input: R,
    path: &'static [Step],
    stack: Vec<Frame>,
    line: u64,
    has_begun: bool,
    is_over: bool,
}

/// Why no more elements can be read.
enum Broken {
    Input(std::io::Error),
    Syntax(&'static str),
}

impl<R: BufRead> Elements<R> {
    pub fn new(input: R, path: &'static [Step]) -> Self {
        Self {
            input,
            path,
            stack: Vec::new(),
            line: 1,
            has_begun: false,
            is_over: false,
        }
    }

    fn peek(&mut self) -> Result<Option<u8>, Broken> {
        let buffer = self.input.fill_buf().map_err(Broken::Input)?;
        Ok(buffer.first().copied())
    }

    fn take(&mut self) -> Result<Option<u8>, Broken> {
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
                    (Frame::Array, Step::Array) => true,
                    (Frame::Object { key, .. }, Step::Member(name)) => key == name.as_bytes(),
                    (Frame::Array, Step::Member(_)) | (Frame::Object { .. }, Step::Array) => false,
                })
    }

    fn advance(&mut self) -> Result<Option<Element>, Broken> {
        loop {
            let Some(byte) = self.take()? else {
                return match self.stack.is_empty() && self.has_begun {
                    true => Ok(None),
                    false => Err(Broken::Syntax("the file is incomplete")),
                };
            };
            if byte.is_ascii_whitespace() {
                continue;
            }
            self.has_begun = true;
            let awaits_key = match self.stack.last_mut() {
                Some(Frame::Object { awaits_key, .. }) => awaits_key,
                Some(Frame::Array) | None => &mut false,
            };
            match byte {
                b',' => *awaits_key = true,
                b':' => *awaits_key = false,
                b'}' | b']' => match self.stack.pop() {
                    Some(_) => {}
                    None => return Err(Broken::Syntax("not JSON")),
                },
                b'"' if *awaits_key => {
                    let mut name = Vec::new();
                    self.string(&mut name)?;
                    if let Some(Frame::Object { key, .. }) = self.stack.last_mut() {
                        name.pop();
                        *key = name;
                    }
                }
                _ if self.is_inside() => return self.capture(byte).map(Some),
                b'{' | b'[' if self.stack.len() >= DEEPEST => {
                    return Err(Broken::Syntax("nested too deeply"));
                }
                b'{' => self.stack.push(Frame::Object {
                    key: Vec::new(),
                    awaits_key: true,
                }),
                b'[' => self.stack.push(Frame::Array),
                b'"' => self.string(&mut Vec::new())?,
                _ => self.scalar(&mut Vec::new())?,
            }
        }
    }

    /// The text of an element that begins with `first`.
    fn capture(&mut self, first: u8) -> Result<Element, Broken> {
        let line = self.line;
        let mut text = vec![first];
        match first {
            b'"' => self.string(&mut text)?,
            b'{' | b'[' => {
                let mut depth = 1_usize;
                while depth > 0 {
                    let Some(byte) = self.take()? else {
                        return Err(Broken::Syntax("the file is incomplete"));
                    };
                    keep(&mut text, byte);
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
        if text.len() > LONGEST {
            let reason = TOO_LONG.to_owned();
            return Ok(Err(BadLine { line, reason }));
        }
        Ok(Ok((line, text)))
    }

    /// The rest of a string, its closing quotation mark included.
    fn string(&mut self, text: &mut Vec<u8>) -> Result<(), Broken> {
        let mut is_escaped = false;
        loop {
            let Some(byte) = self.take()? else {
                return Err(Broken::Syntax("the file is incomplete"));
            };
            keep(text, byte);
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'"' => return Ok(()),
                _ => {}
            }
        }
    }

    /// The rest of a number or a word.
    fn scalar(&mut self, text: &mut Vec<u8>) -> Result<(), Broken> {
        while let Some(byte) = self.peek()? {
            if byte.is_ascii_whitespace() || matches!(byte, b',' | b']' | b'}' | b':' | b'"') {
                break;
            }
            self.take()?;
            keep(text, byte);
        }
        Ok(())
    }
}

/// Keeps a byte of an element, and one more than may be kept of one that is too long.
fn keep(text: &mut Vec<u8>, byte: u8) {
    if text.len() <= LONGEST {
        text.push(byte);
    }
}

impl<R: BufRead> Iterator for Elements<R> {
    type Item = Element;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let broken = match self.advance() {
            Ok(Some(element)) => return Some(element),
            Ok(None) => None,
            Err(Broken::Input(fault)) => Some(format!("cannot be read: {fault}")),
            Err(Broken::Syntax(what)) => Some(what.to_owned()),
        };
        self.is_over = true;
        let line = self.line;
        broken.map(|reason| Err(BadLine { line, reason }))
    }
}
