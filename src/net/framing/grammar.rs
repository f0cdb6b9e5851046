//! The framing of HTTP/1.1 requests, byte by byte, as RFC 9112 writes it.
//!
//! Stricter than the RFC where it leaves a choice that two parsers can make differently: lines end with CRLF (section
//! 2.2), one length and no more (6.1, 6.3), no blanks around chunk sizes and extensions (7.1.1), no folded header (5.2).

/// The longest header name, in bytes.
const MAX_NAME: usize = 256;

/// The longest header value, in bytes: a session's token takes a few thousand.
const MAX_VALUE: usize = 32 << 10;

/// The longest method, in bytes.
const MAX_METHOD: usize = 32;

/// Digits of a `Content-Length`.
const MAX_LENGTH_DIGITS: usize = 8;

/// The greatest `Content-Length`, in bytes. No listener takes longer bodies.
pub const MAX_CONTENT_LENGTH: usize = 99_999_999;

/// Digits of a chunk's size.
const MAX_SIZE_DIGITS: usize = 8;

/// Bytes of a chunk's extensions.
const MAX_EXTENSION: usize = 1024;

/// Bytes of a value that decides the framing.
const KEPT_VALUE: usize = 32;

/// The names that decide the framing, and the length of the longer one.
const CONTENT_LENGTH: &[u8] = b"content-length";
const TRANSFER_ENCODING: &[u8] = b"transfer-encoding";
const KEPT_NAME: usize = 17;

/// A byte that the grammar does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disallowed {
    /// Its place in the bytes that were given.
    pub at: usize,
    /// Whether it stands in a head; else in the framing of a body.
    pub in_head: bool,
}

/// Where a connection's requests stand.
#[derive(Debug, Clone)]
pub struct RequestGrammar {
    state: State,
    head: Head,
}

impl Default for RequestGrammar {
    fn default() -> Self {
        Self {
            state: State::Between { after_cr: false },
            head: Head::default(),
        }
    }
}

/// What the lines of a head have said so far.
#[derive(Debug, Clone, Default)]
struct Head {
    is_http10: bool,
    content_length: Option<u64>,
    is_chunked: bool,
    name: Kept<KEPT_NAME>,
    value: Kept<KEPT_VALUE>,
    /// Whether the present value decides the framing.
    keeps_value: bool,
    /// Bytes of the present value.
    length: usize,
}

/// The first bytes of a text.
#[derive(Debug, Clone)]
struct Kept<const N: usize> {
    bytes: [u8; N],
    /// Its length, which may be greater than what is kept.
    length: usize,
}

impl<const N: usize> Default for Kept<N> {
    fn default() -> Self {
        Self {
            bytes: [0; N],
            length: 0,
        }
    }
}

impl<const N: usize> Kept<N> {
    fn clear(&mut self) {
        self.length = 0;
    }

    fn push(&mut self, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(self.length) {
            *slot = byte;
        }
        self.length = self.length.saturating_add(1);
    }

    /// The text; nothing where it is too long to be kept.
    fn text(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl Head {
    fn begin_value(&mut self, part: Part) {
        self.value.clear();
        self.length = 0;
        let name = self.name.text();
        self.keeps_value =
            part == Part::Head && (name == CONTENT_LENGTH || name == TRANSFER_ENCODING);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a request: empty lines may come.
    Between {
        after_cr: bool,
    },
    Method {
        length: usize,
    },
    Target {
        is_empty: bool,
    },
    /// The version, and how much of it.
    Version {
        length: usize,
    },
    LineEnd(Line),
    /// At the start of a line of the head, or of the trailers.
    LineStart {
        part: Part,
    },
    Name {
        part: Part,
    },
    Value {
        part: Part,
    },
    /// A body with a length.
    Body {
        left: u64,
    },
    Size {
        digits: usize,
        value: u64,
    },
    Extension {
        value: u64,
        place: Extension,
        length: usize,
    },
    Chunk {
        left: u64,
    },
    ChunkEnd,
}

/// Which line ends with the LF that must come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Request,
    Field(Part),
    /// The empty line after a head.
    Head,
    Size(u64),
    Chunk,
    /// The empty line after the trailers.
    Trailers,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Head,
    Trailers,
}

/// Where in a chunk's extension: `;name`, `;name=token`, `;name="text"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extension {
    Name { is_empty: bool },
    Token { is_empty: bool },
    Quoted,
    Escaped,
    Closed,
}

impl RequestGrammar {
    /// Reads the bytes that arrived next.
    ///
    /// # Errors
    /// The first byte that is not allowed; nothing may be read after it.
    pub fn read(&mut self, bytes: &[u8]) -> Result<(), Disallowed> {
        let mut rest = bytes;
        while let Some((byte, after)) = rest.split_first() {
            let run = self.count_run(rest);
            if run > 0 {
                rest = rest.get(run..).unwrap_or_default();
                continue;
            }
            let state = self.state;
            let Some(next) = self.step(state, *byte) else {
                return Err(Disallowed {
                    at: bytes.len() - rest.len(),
                    in_head: state.is_in_head(),
                });
            };
            self.state = next;
            rest = after;
        }
        Ok(())
    }

    /// Reads the bytes that leave the state as it is, all at once, and says how many they are.
    fn count_run(&mut self, bytes: &[u8]) -> usize {
        match self.state {
            State::Body { left } => {
                let here = count_content(left, bytes);
                self.state = match left - here as u64 {
                    0 => State::Between { after_cr: false },
                    left => State::Body { left },
                };
                here
            }
            State::Chunk { left } => {
                let here = count_content(left, bytes);
                self.state = match left - here as u64 {
                    0 => State::ChunkEnd,
                    left => State::Chunk { left },
                };
                here
            }
            State::Target { is_empty: false } => count_allowed(bytes, is_target),
            State::Value { .. } if !self.head.keeps_value => {
                let room = MAX_VALUE - self.head.length.min(MAX_VALUE);
                let here = count_allowed(bytes, is_value).min(room);
                self.head.length += here;
                here
            }
            _ => 0,
        }
    }

    /// The state after one byte; nothing where the byte is not allowed.
    fn step(&mut self, state: State, byte: u8) -> Option<State> {
        match (state, byte) {
            (State::Between { after_cr: false }, b'\r') => Some(State::Between { after_cr: true }),
            (State::Between { after_cr: true }, b'\n') => Some(State::Between { after_cr: false }),
            (State::Between { after_cr: false }, _) if is_token(byte) => {
                self.head = Head::default();
                Some(State::Method { length: 1 })
            }
            (State::Between { .. }, _) => None,
            (State::Method { .. }, b' ') => Some(State::Target { is_empty: true }),
            (State::Method { length }, _) => (is_token(byte) && length < MAX_METHOD)
                .then_some(State::Method { length: length + 1 }),
            (State::Target { is_empty: false }, b' ') => Some(State::Version { length: 0 }),
            (State::Target { .. }, _) => {
                is_target(byte).then_some(State::Target { is_empty: false })
            }
            (State::Version { length: 8 }, b'\r') => Some(State::LineEnd(Line::Request)),
            (State::Version { length }, _) => self.step_version(length, byte),
            (State::LineEnd(line), b'\n') => self.end_line(line),
            (State::LineEnd(_), _) => None,
            (State::LineStart { part: Part::Head }, b'\r') => Some(State::LineEnd(Line::Head)),
            (
                State::LineStart {
                    part: Part::Trailers,
                },
                b'\r',
            ) => Some(State::LineEnd(Line::Trailers)),
            (State::LineStart { part }, _) => {
                self.head.name.clear();
                self.step_name(part, byte)
            }
            (State::Name { part }, b':') => {
                self.head.begin_value(part);
                Some(State::Value { part })
            }
            (State::Name { part }, _) => self.step_name(part, byte),
            (State::Value { part }, b'\r') => Some(State::LineEnd(Line::Field(part))),
            (State::Value { part }, _) => self.step_value(part, byte),
            (State::Size { digits, value }, b'\r') if digits > 0 => {
                Some(State::LineEnd(Line::Size(value)))
            }
            (State::Size { digits, value }, b';') if digits > 0 => {
                let place = Extension::Name { is_empty: true };
                Some(State::Extension {
                    value,
                    place,
                    length: 0,
                })
            }
            (State::Size { digits, value }, _) => {
                let digit = char::from(byte).to_digit(16)?;
                let value = value * 16 + u64::from(digit);
                (digits < MAX_SIZE_DIGITS).then_some(State::Size {
                    digits: digits + 1,
                    value,
                })
            }
            (State::Extension { value, place, .. }, b'\r') if place.can_end() => {
                Some(State::LineEnd(Line::Size(value)))
            }
            (
                State::Extension {
                    value,
                    place,
                    length,
                },
                _,
            ) => {
                let place = place.step(byte)?;
                let length = length + 1;
                (length <= MAX_EXTENSION).then_some(State::Extension {
                    value,
                    place,
                    length,
                })
            }
            (State::ChunkEnd, b'\r') => Some(State::LineEnd(Line::Chunk)),
            (State::ChunkEnd | State::Body { .. } | State::Chunk { .. }, _) => None,
        }
    }

    /// Reads `HTTP/1.0` or `HTTP/1.1`.
    fn step_version(&mut self, length: usize, byte: u8) -> Option<State> {
        let is_it = match (b"HTTP/1.".get(length), length) {
            (Some(wanted), _) => *wanted == byte,
            (None, 7) => {
                self.head.is_http10 = byte == b'0';
                matches!(byte, b'0' | b'1')
            }
            (None, _) => false,
        };
        is_it.then_some(State::Version { length: length + 1 })
    }

    fn step_name(&mut self, part: Part, byte: u8) -> Option<State> {
        self.head.name.push(byte.to_ascii_lowercase());
        (is_token(byte) && self.head.name.length <= MAX_NAME).then_some(State::Name { part })
    }

    fn step_value(&mut self, part: Part, byte: u8) -> Option<State> {
        let is_outer_blank = matches!(byte, b' ' | b'\t') && self.head.value.length == 0;
        if !is_outer_blank {
            self.head.value.push(byte);
        }
        self.head.length += 1;
        (is_value(byte) && self.head.length <= MAX_VALUE).then_some(State::Value { part })
    }

    fn end_line(&mut self, line: Line) -> Option<State> {
        match line {
            Line::Request => Some(State::LineStart { part: Part::Head }),
            Line::Field(part) => {
                if part == Part::Head {
                    self.note_field()?;
                }
                Some(State::LineStart { part })
            }
            Line::Head => match (self.head.is_chunked, self.head.content_length) {
                (true, None) => Some(State::Size {
                    digits: 0,
                    value: 0,
                }),
                (true, Some(_)) => None,
                (false, None | Some(0)) => Some(State::Between { after_cr: false }),
                (false, Some(left)) => Some(State::Body { left }),
            },
            Line::Size(0) => Some(State::LineStart {
                part: Part::Trailers,
            }),
            Line::Size(left) => Some(State::Chunk { left }),
            Line::Chunk => Some(State::Size {
                digits: 0,
                value: 0,
            }),
            Line::Trailers => Some(State::Between { after_cr: false }),
        }
    }

    /// Notes a header that says how long the body is; nothing where it does not say so clearly.
    fn note_field(&mut self) -> Option<()> {
        let head = &mut self.head;
        match head.name.text() {
            CONTENT_LENGTH => {
                let length = parse_length(head.value.text().trim_ascii_end())?;
                head.content_length.replace(length).is_none().then_some(())
            }
            TRANSFER_ENCODING => {
                let coding = head.value.text().trim_ascii_end();
                let is_chunked = coding.eq_ignore_ascii_case(b"chunked") && !head.is_http10;
                let is_first = !std::mem::replace(&mut head.is_chunked, true);
                (is_chunked && is_first).then_some(())
            }
            _ => Some(()),
        }
    }
}

impl State {
    fn is_in_head(self) -> bool {
        match self {
            Self::Between { .. } | Self::Method { .. } | Self::Target { .. } => true,
            Self::Version { .. } => true,
            Self::LineEnd(Line::Request | Line::Field(Part::Head) | Line::Head) => true,
            Self::LineStart { part } | Self::Name { part } | Self::Value { part } => {
                part == Part::Head
            }
            Self::LineEnd(_) | Self::Body { .. } | Self::Size { .. } => false,
            Self::Extension { .. } | Self::Chunk { .. } | Self::ChunkEnd => false,
        }
    }
}

impl Extension {
    fn step(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Name { is_empty: false }, b'=') => Some(Self::Token { is_empty: true }),
            (Self::Token { is_empty: true }, b'"') => Some(Self::Quoted),
            (Self::Quoted, b'"') => Some(Self::Closed),
            (Self::Quoted, b'\\') => Some(Self::Escaped),
            (Self::Quoted | Self::Escaped, b' '..=b'~') => Some(Self::Quoted),
            (_, b';') if self.can_end() => Some(Self::Name { is_empty: true }),
            (Self::Name { .. }, _) if is_token(byte) => Some(Self::Name { is_empty: false }),
            (Self::Token { .. }, _) if is_token(byte) => Some(Self::Token { is_empty: false }),
            _ => None,
        }
    }

    fn can_end(self) -> bool {
        matches!(
            self,
            Self::Name { is_empty: false } | Self::Token { is_empty: false } | Self::Closed
        )
    }
}

/// A length: digits without a leading zero.
fn parse_length(text: &[u8]) -> Option<u64> {
    let is_plain = text == b"0" || text.first().is_some_and(|first| *first != b'0');
    let is_length = is_plain && text.len() <= MAX_LENGTH_DIGITS;
    is_length
        .then(|| {
            text.iter().try_fold(0_u64, |value, byte| {
                let digit = char::from(*byte).to_digit(10)?;
                Some(value * 10 + u64::from(digit))
            })
        })
        .flatten()
}

/// A character of a method, a header name or a chunk extension (RFC 9110, section 5.6.2).
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// A character of a target: visible, and neither a fragment's mark nor a backslash, which parsers cut off or turn.
const fn is_target(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'#' | b'\\')
}

/// A character of a header's value.
const fn is_value(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// How many bytes of a body with so many left stand here.
fn count_content(left: u64, bytes: &[u8]) -> usize {
    usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len())
}

/// How many bytes at the beginning are allowed.
fn count_allowed(bytes: &[u8], is_allowed: impl Fn(u8) -> bool) -> usize {
    let first = bytes.iter().position(|byte| !is_allowed(*byte));
    first.unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests;
