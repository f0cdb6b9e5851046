//! Makes visible what a terminal or a reader would not show as it is: control characters, which a terminal obeys, and
//! Unicode's bidirectional controls and characters without width, which show a text as another one (UTS 39; CVE-2021-42574).

use std::{borrow::Cow, fmt::Write};

/// Whether a character misleads whoever reads the text.
#[must_use]
pub fn is_misleading(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}' | '\u{1160}'
            | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Replaces the misleading characters by `\uXXXX` in UTF-16, which a JSON string reads as the same character (RFC 8259,
/// section 7), except for those that `keeps` names.
#[must_use]
pub fn escape_misleading(text: &str, keeps: fn(char) -> bool) -> Cow<'_, str> {
    let is_escaped = |c: char| is_misleading(c) && !keeps(c);
    if !text.contains(is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_escaped(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string does not fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misleading_characters_are_escaped_as_json_reads_them() {
        for (text, escaped) in [
            ("plain 张三 ok", "plain 张三 ok"),
            ("exe.\u{202e}gpj", "exe.\\u202egpj"),
            ("ali\u{200b}ce\u{ad}", "ali\\u200bce\\u00ad"),
            ("a\u{1b}[31mb\u{9b}c\u{7f}", "a\\u001b[31mb\\u009bc\\u007f"),
            ("tag\u{e0041}", "tag\\udb40\\udc41"),
        ] {
            assert_eq!(escape_misleading(text, |_| false), escaped);
            let json = format!("\"{}\"", escape_misleading(text, |_| false));
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
        assert_eq!(escape_misleading("a\nb\tc", |c| c == '\n'), "a\nb\\u0009c");
    }
}
