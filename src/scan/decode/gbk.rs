//! GBK and GB 18030: the second byte of a character can be an ASCII letter, which then belongs to no word.

use encoding_rs::GB18030;

use crate::view::{Layer, View};

/// Decodes a text that is not UTF-8.
pub(super) fn decode(view: &View<'_>) -> Option<Layer> {
    let text = view.text;
    if std::str::from_utf8(text).is_ok() || memchr::memchr(0, text).is_some() {
        return None;
    }
    let mut layer = Layer::default();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let start = at;
        if byte.is_ascii() {
            let rest = text.get(at..).unwrap_or_default();
            at += rest.iter().take_while(|b| b.is_ascii()).count();
            layer.copy(text.get(start..at).unwrap_or_default(), start);
            continue;
        }
        let length = match text.get(at + 1) {
            Some(0x30..=0x39) => 4,
            Some(0x40..=0x7e | 0x80..=0xfe) => 2,
            _ => 1,
        };
        let character = text.get(at..at + length).unwrap_or_default();
        let decoded = GB18030.decode_without_bom_handling_and_without_replacement(character);
        match decoded.filter(|_| length > 1) {
            Some(decoded) => layer.push(decoded.as_bytes(), start),
            None => layer.push(b" ", start),
        }
        at += length.max(1);
    }
    Some(layer)
}
