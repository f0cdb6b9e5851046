//! Other encodings than UTF-8: UTF-16 as a stream, GBK as a whole.

use std::{
    borrow::Cow,
    io::{self, Read},
};

use encoding_rs::GB18030;

/// How much is looked at to recognise UTF-16 without a byte order mark, in bytes.
pub const DETECTION_BYTES: usize = 4096;

/// The byte order of a UTF-16 text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteOrder {
    /// Little-endian.
    Little,
    /// Big-endian.
    Big,
}

impl ByteOrder {
    /// Recognises UTF-16 by its byte order mark, or by the zero bytes of its ASCII characters.
    #[must_use]
    pub fn detect(head: &[u8]) -> Option<Self> {
        match head {
            [0xff, 0xfe, 0, 0, ..] => return None,
            [0xff, 0xfe, ..] => return Some(Self::Little),
            [0xfe, 0xff, ..] => return Some(Self::Big),
            _ => {}
        }
        let pairs = head.get(..head.len().min(DETECTION_BYTES))?.chunks_exact(2);
        let count = pairs.len();
        let (mut first, mut second) = (0, 0);
        for pair in pairs {
            first += usize::from(pair.first() == Some(&0));
            second += usize::from(pair.last() == Some(&0));
        }
        let is_many = |zeros: usize| count >= 4 && zeros * 10 >= count;
        // A few characters end in a zero byte themselves, such as U+4E00.
        match (first, second) {
            (few, zeros) if is_many(zeros) && few * 4 <= zeros => Some(Self::Little),
            (zeros, few) if is_many(zeros) && few * 4 <= zeros => Some(Self::Big),
            _ => None,
        }
    }
}

/// A text in UTF-8, or else in GBK.
#[must_use]
pub fn decode_text(text: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(text) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => GB18030.decode_without_bom_handling(text).0,
    }
}

/// A UTF-16 text as UTF-8, without its byte order mark.
pub struct Utf16Reader<R> {
    input: R,
    order: ByteOrder,
    /// Bytes that were read and not yet decoded: at most half a character.
    rest: Vec<u8>,
    ready: Vec<u8>,
    /// How much of `ready` was handed out.
    taken: usize,
    has_begun: bool,
    is_over: bool,
}

impl<R: Read> Utf16Reader<R> {
    /// Begins at the byte order mark.
    pub fn new(input: R, order: ByteOrder) -> Self {
        Self {
            input,
            order,
            rest: Vec::new(),
            ready: Vec::new(),
            taken: 0,
            has_begun: false,
            is_over: false,
        }
    }

    fn refill(&mut self) -> io::Result<()> {
        let mut chunk = [0; 16 << 10];
        let read = self.input.read(&mut chunk)?;
        self.is_over = read == 0;
        self.rest
            .extend_from_slice(chunk.get(..read).unwrap_or_default());
        let mut units: Vec<u16> = self
            .rest
            .chunks_exact(2)
            .filter_map(|pair| <[u8; 2]>::try_from(pair).ok())
            .map(|pair| match self.order {
                ByteOrder::Little => u16::from_le_bytes(pair),
                ByteOrder::Big => u16::from_be_bytes(pair),
            })
            .collect();
        // The first half of a character that is beyond 16 bits waits for the second.
        if !self.is_over
            && units
                .last()
                .is_some_and(|unit| (0xd800..0xdc00).contains(unit))
        {
            units.pop();
        }
        self.rest.drain(..2 * units.len());
        if !self.has_begun && units.first() == Some(&0xfeff) {
            units.remove(0);
            self.has_begun = true;
        }
        self.has_begun |= !units.is_empty();
        self.ready.clear();
        self.taken = 0;
        let mut text = String::with_capacity(units.len());
        text.extend(char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')));
        self.ready.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

impl<R: Read> Read for Utf16Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.ready.len() && !self.is_over {
            self.refill()?;
        }
        let mut ready = self.ready.get(self.taken..).unwrap_or_default();
        let count = ready.read(buffer)?;
        self.taken += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Option<String> {
        let order = ByteOrder::detect(bytes)?;
        let mut text = String::new();
        // One byte at a time: a character may arrive in parts.
        let input = bytes
            .chunks(1)
            .fold(Box::new(io::empty()) as Box<dyn Read>, |all, byte| {
                Box::new(all.chain(byte))
            });
        Utf16Reader::new(input, order)
            .read_to_string(&mut text)
            .unwrap();
        Some(text)
    }

    #[test]
    fn utf16_is_recognised_and_read() {
        let text = "密钥 = x😀\r\ny";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(read(&little).as_deref(), Some(text));
        assert_eq!(read(&big).as_deref(), Some(text));
        assert_eq!(
            read(&[&[0xff, 0xfe], little.as_slice()].concat()).as_deref(),
            Some(text)
        );
        assert_eq!(
            read(&[&[0xfe, 0xff], big.as_slice()].concat()).as_deref(),
            Some(text)
        );
        for other in [
            &b"plain"[..],
            b"",
            b"\0\0\0\0\0\0\0\0\0\0",
            "密钥密钥密钥".as_bytes(),
        ] {
            assert_eq!(read(other), None);
        }
    }
}
