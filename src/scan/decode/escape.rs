//! Escapes of strings (JSON, JavaScript, C, Python, shells, Java), percent encoding, HTML entities, quoted-printable,
//! and the colours of terminals.

use super::hex_digit::hex_value;
use crate::view::{Layer, View};

/// The longest HTML entity, its `&` and `;` included.
const MAX_ENTITY: usize = 12;

/// The longest colour sequence.
const MAX_ANSI: usize = 24;

/// What an escape stands for.
enum Meaning {
    Char(u32),
    Byte(u8),
    /// Nothing: what stands before and after it is one word.
    Joint,
    /// Colours on a terminal: they can separate words, or be inside of one.
    Colour,
}

/// Resolves all escapes; a colour is nothing.
pub(super) fn unescape(view: &View<'_>) -> Option<Layer> {
    resolve(view.text, b"").map(|(layer, _)| layer)
}

/// The same where there are colours: a colour is a space.
pub(super) fn unescape_apart(view: &View<'_>) -> Option<Layer> {
    let has_colour = memchr::memchr2(b'[', 0x1b, view.text).is_some();
    let (layer, is_coloured) = has_colour.then(|| resolve(view.text, b" "))??;
    is_coloured.then_some(layer)
}

fn resolve(text: &[u8], colour: &[u8]) -> Option<(Layer, bool)> {
    let mut layer = Layer::default();
    let (mut at, mut copied) = (0, 0);
    let mut is_coloured = false;
    while let Some(next) = next_special(text, at) {
        let Some((length, meaning)) = read_escape(text, next) else {
            at = next + 1;
            continue;
        };
        layer.copy(text.get(copied..next).unwrap_or_default(), copied);
        match meaning {
            Meaning::Byte(byte) => layer.push(&[byte], next),
            Meaning::Char(code) => {
                let c = char::from_u32(code).unwrap_or('\u{fffd}');
                layer.push(c.encode_utf8(&mut [0; 4]).as_bytes(), next);
            }
            Meaning::Joint => {}
            Meaning::Colour => {
                is_coloured = true;
                layer.push(colour, next);
            }
        }
        at = next + length;
        copied = at;
    }
    if copied == 0 {
        return None;
    }
    layer.copy(text.get(copied..).unwrap_or_default(), copied);
    Some((layer, is_coloured))
}

fn next_special(text: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    rest.iter()
        .position(|b| matches!(b, b'\\' | b'%' | b'&' | b'=' | 0x1b | b'^' | b'['))
        .map(|at| from + at)
}

/// Length and meaning of the escape that begins here.
fn read_escape(text: &[u8], at: usize) -> Option<(usize, Meaning)> {
    let rest = text.get(at..)?;
    match rest.first()? {
        b'\\' => read_backslash(rest),
        b'%' => read_percent(rest),
        b'&' => read_entity(rest),
        b'=' => read_quoted_printable(rest),
        0x1b => read_ansi(rest, 1),
        b'^' => read_ansi(rest.strip_prefix(b"^[").map(|_| rest)?, 2),
        b'[' => read_ansi(rest, 0).filter(|(length, _)| rest.get(length - 1) == Some(&b'm')),
        _ => None,
    }
}

fn read_backslash(rest: &[u8]) -> Option<(usize, Meaning)> {
    let byte = *rest.get(1)?;
    let simple = |byte| Some((2, Meaning::Byte(byte)));
    match byte {
        b'n' | b'r' => simple(b'\n'),
        b't' | b'v' | b'f' => simple(b'\t'),
        b'a' | b'b' => simple(b' '),
        b'e' | b'E' => simple(0x1b),
        b'u' => braced(rest).or_else(|| {
            let digits = rest.get(2..)?.iter().take_while(|b| **b == b'u').count();
            digits_of(rest, 2 + digits, 4).map(|code| (6 + digits, Meaning::Char(code)))
        }),
        b'U' => digits_of(rest, 2, 8).map(|code| (10, Meaning::Char(code))),
        b'x' => braced(rest).or_else(|| {
            let code = digits_of(rest, 2, 2)?;
            Some((4, Meaning::Byte(u8::try_from(code).ok()?)))
        }),
        b'0'..=b'7' => {
            let digits = rest.iter().skip(1).take(3);
            let digits: Vec<u8> = digits
                .copied()
                .take_while(|b| matches!(b, b'0'..=b'7'))
                .collect();
            let code = digits
                .iter()
                .fold(0_u32, |code, b| code * 8 + u32::from(b - b'0'));
            Some((1 + digits.len(), Meaning::Byte(u8::try_from(code).ok()?)))
        }
        b'\n' => Some((2, Meaning::Joint)),
        b'\r' if rest.get(2) == Some(&b'\n') => Some((3, Meaning::Joint)),
        _ if byte.is_ascii_punctuation() || byte == b' ' => simple(byte),
        _ => None,
    }
}

/// `\u{3d}`, `\x{3d}`.
fn braced(rest: &[u8]) -> Option<(usize, Meaning)> {
    let digits = rest.get(2..)?.strip_prefix(b"{")?;
    let count = digits.iter().take(8).position(|b| *b == b'}')?;
    let code = digits_of(digits, 0, count).filter(|_| count > 0)?;
    Some((4 + count, Meaning::Char(code)))
}

fn digits_of(text: &[u8], from: usize, count: usize) -> Option<u32> {
    let digits = text.get(from..from + count)?;
    digits
        .iter()
        .try_fold(0_u32, |code, b| Some((code << 4) | hex_value(*b)?))
}

fn read_percent(rest: &[u8]) -> Option<(usize, Meaning)> {
    if matches!(rest.get(1), Some(b'u' | b'U')) {
        return digits_of(rest, 2, 4).map(|code| (6, Meaning::Char(code)));
    }
    let byte = u8::try_from(digits_of(rest, 1, 2)?).ok()?;
    Some((3, Meaning::Byte(byte)))
}

fn read_entity(rest: &[u8]) -> Option<(usize, Meaning)> {
    let head = rest.get(..rest.len().min(MAX_ENTITY))?;
    let end = memchr::memchr(b';', head)?;
    let name = head.get(1..end)?;
    let found = |meaning| Some((end + 1, meaning));
    if let Some(code) = name.strip_prefix(b"#") {
        let code = match code.strip_prefix(b"x").or_else(|| code.strip_prefix(b"X")) {
            Some(hex) if !hex.is_empty() => digits_of(hex, 0, hex.len())?,
            Some(_) => return None,
            None => std::str::from_utf8(code).ok()?.parse().ok()?,
        };
        return found(Meaning::Char(code));
    }
    let byte = match name {
        b"quot" | b"QUOT" => b'"',
        b"apos" => b'\'',
        b"amp" | b"AMP" => b'&',
        b"lt" => b'<',
        b"gt" => b'>',
        b"equals" => b'=',
        b"colon" => b':',
        b"percnt" => b'%',
        b"bsol" => b'\\',
        b"plus" => b'+',
        b"sol" => b'/',
        b"NewLine" => b'\n',
        _ if !name.is_empty() && name.iter().all(u8::is_ascii_alphanumeric) => b' ',
        _ => return None,
    };
    found(Meaning::Byte(byte))
}

fn read_quoted_printable(rest: &[u8]) -> Option<(usize, Meaning)> {
    // Lines are ended by what stands in front of them too, such as the quotation marks of a reply.
    for end in [&b"=\r\n"[..], b"=\n"] {
        if rest.starts_with(end) {
            return Some((end.len(), Meaning::Joint));
        }
    }
    let digits = rest.get(1..3)?;
    let is_code = digits
        .iter()
        .all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F'));
    let code = is_code.then(|| digits_of(rest, 1, 2)).flatten()?;
    Some((3, Meaning::Byte(u8::try_from(code).ok()?)))
}

/// A control sequence (ECMA-48): `[`, parameters, a final byte; `skipped` bytes stand before the bracket.
fn read_ansi(rest: &[u8], skipped: usize) -> Option<(usize, Meaning)> {
    let body = rest.get(skipped..)?;
    if body.first() != Some(&b'[') {
        // Another sequence, as of a link: what follows is text.
        return (skipped > 0 && rest.first() == Some(&0x1b)).then_some((1, Meaning::Colour));
    }
    let parameters = body.iter().skip(1).take(MAX_ANSI);
    let count = parameters
        .take_while(|b| matches!(b, b'0'..=b'?' | b' '..=b'/'))
        .count();
    let last = *body.get(1 + count)?;
    let is_final = (b'@'..=b'~').contains(&last) && (skipped > 0 || count > 0);
    is_final.then_some((skipped + count + 2, Meaning::Colour))
}

/// Whether escapes of single letters stand here one after the other, as where a whole word is escaped.
pub(crate) fn is_dense_escape(text: &[u8], at: usize) -> bool {
    let mut at = at;
    for _ in 0..4 {
        match read_escape(text, at) {
            Some((length, Meaning::Char(code))) if is_word_code(code) => at += length,
            Some((length, Meaning::Byte(byte))) if is_word_code(byte.into()) => at += length,
            _ => return false,
        }
    }
    true
}

fn is_word_code(code: u32) -> bool {
    char::from_u32(code).is_some_and(|c| c.is_ascii_alphanumeric())
}
