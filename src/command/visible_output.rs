//! Standard output and error of the commands: what they print was written by anybody, so no text may steer the terminal or
//! show itself as another one.

use std::io::{self, Write};

use akgate_rules::visible_text::escape_misleading;

/// Escapes what misleads in everything that is written through it: in tables, in messages, and in JSON, where it stays the
/// same value. Bytes that are no UTF-8 become U+FFFD.
pub struct VisibleOutput<W> {
    out: W,
    /// The beginning of a character of which the rest is not written yet.
    pending: Vec<u8>,
}

impl<W: Write> VisibleOutput<W> {
    /// Writes to this.
    pub fn new(out: W) -> Self {
        Self {
            out,
            pending: Vec::new(),
        }
    }

    fn write_text(&mut self, bytes: &[u8]) -> io::Result<()> {
        for chunk in bytes.utf8_chunks() {
            // The end of a line of a message (RFC 5322) is none of a terminal's tricks; a lone CR is.
            for (n, line) in chunk.valid().split("\r\n").enumerate() {
                if n > 0 {
                    self.out.write_all(b"\r\n")?;
                }
                let line = escape_misleading(line, |c| c == '\n' || c == '\t');
                self.out.write_all(line.as_bytes())?;
            }
            if !chunk.invalid().is_empty() {
                self.out.write_all("\u{fffd}".as_bytes())?;
            }
        }
        Ok(())
    }
}

impl<W: Write> Write for VisibleOutput<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut text = std::mem::take(&mut self.pending);
        text.extend_from_slice(bytes);
        if let Err(fault) = std::str::from_utf8(&text)
            && fault.error_len().is_none()
        {
            self.pending = text.split_off(fault.valid_up_to());
        }
        if self.pending.is_empty() && text.last() == Some(&b'\r') {
            self.pending = text.split_off(text.len() - 1);
        }
        self.write_text(&text)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let rest = std::mem::take(&mut self.pending);
        self.write_text(&rest)?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_visible_however_it_is_cut() {
        let written = "table ┌ 张\u{202e}\u{9b}\u{1b}[2J\n a\r\nb\rc\n";
        let shown = "table ┌ 张\\u202e\\u009b\\u001b[2J\n a\r\nb\\u000dc\n";
        for cut in 0..=written.len() {
            let mut out = VisibleOutput::new(Vec::new());
            let (first, second) = written.as_bytes().split_at(cut);
            out.write_all(first).unwrap();
            out.write_all(second).unwrap();
            assert_eq!(String::from_utf8(out.out).unwrap(), shown, "{cut}");
        }
        let mut out = VisibleOutput::new(Vec::new());
        out.write_all(b"a\xffb\xe5\xbc!").unwrap();
        assert_eq!(String::from_utf8(out.out).unwrap(), "a\u{fffd}b\u{fffd}!");
    }
}
