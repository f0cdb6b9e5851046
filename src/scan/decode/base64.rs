//! Base64, of the standard alphabet and of that for URLs, in one run or in lines.

use zeroize::Zeroizing;

use crate::view::{Layer, Scale, View};

/// The shortest run that can contain an id.
const MIN_RUN: usize = 22;

/// How many groups of four in a row must stand for three ASCII characters each.
const ASCII_GROUPS: usize = 5;

/// The shortest line that goes on in the next one.
const MIN_LINE: usize = 48;

/// The value of a character, or [`NO_VALUE`].
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated when it is compiled, where an index out of bounds is an error"
)]
const VALUES: [u8; 256] = {
    let mut values = [NO_VALUE; 256];
    let alphabet = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut at = 0;
    while at < 64 {
        values[alphabet[at] as usize] = at as u8;
        at += 1;
    }
    values[b'-' as usize] = 62;
    values[b'_' as usize] = 63;
    values
};

const NO_VALUE: u8 = 0xff;

#[inline]
fn value_of(byte: u8) -> u8 {
    VALUES.get(usize::from(byte)).copied().unwrap_or(NO_VALUE)
}

/// Whether it is a letter, a digit or one of `+ / - _`.
#[inline]
pub(crate) fn is_base64_byte(byte: u8) -> bool {
    value_of(byte) != NO_VALUE
}

/// The phases, of 0 to 3, at which a part of a run is ASCII when decoded. Other text may touch the beginning of the
/// run, so that groups of four do not begin where the run does.
pub(crate) fn ascii_phases(run: &[u8]) -> [bool; 4] {
    [0, 1, 2, 3].map(|phase| {
        let mut in_a_row = 0;
        run.get(phase..)
            .unwrap_or_default()
            .chunks_exact(4)
            .any(|group| {
                let &[a, b, c, _] = group else { return false };
                let [a, b, c] = [a, b, c].map(value_of);
                // The highest bits of the three bytes.
                let is_ascii = a & 0x20 == 0 && b & 0x08 == 0 && c & 0x02 == 0;
                in_a_row = if is_ascii { in_a_row + 1 } else { 0 };
                in_a_row >= ASCII_GROUPS
            })
    })
}

/// Decodes the runs that are text when decoded, or compressed text.
pub(super) fn decode_runs(view: &View<'_>) -> Option<Layer> {
    let text = view.text;
    let mut layer = Layer::default();
    let mut at = 0;
    while let Some(start) = next_base64(text, at) {
        let run = Run::at(text, start);
        at = run.end;
        if run.digits.len() < MIN_RUN || view.is_copied(start, run.end) {
            continue;
        }
        let phases = ascii_phases(&run.digits);
        let is_compressed = run.digits.starts_with(b"H4sI");
        for (phase, _) in phases
            .into_iter()
            .enumerate()
            .filter(|(phase, is_ascii)| *is_ascii || (is_compressed && *phase == 0))
        {
            run.decode(phase, &mut layer);
            let end = layer.text.len();
            layer.push(b"\n", run.end.saturating_sub(1));
            debug_assert!(layer.text.len() > end);
        }
    }
    (!layer.text.is_empty()).then_some(layer)
}

fn next_base64(text: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    rest.iter()
        .position(|b| is_base64_byte(*b))
        .map(|at| from + at)
}

/// A run, without the line breaks in it.
struct Run {
    digits: Zeroizing<Vec<u8>>,
    /// Where each of its lines begins: in `digits`, and in the text.
    lines: Vec<(usize, usize)>,
    end: usize,
}

impl Run {
    fn at(text: &[u8], start: usize) -> Self {
        let mut run = Self {
            digits: Zeroizing::default(),
            lines: Vec::new(),
            end: start,
        };
        let mut line = start;
        loop {
            let rest = text.get(line..).unwrap_or_default();
            let length = rest.iter().take_while(|b| is_base64_byte(**b)).count();
            run.lines.push((run.digits.len(), line));
            run.digits
                .extend_from_slice(rest.get(..length).unwrap_or_default());
            run.end = line + length;
            let after = rest.get(length..).unwrap_or_default();
            let Some(next) = next_line(after).filter(|_| length >= MIN_LINE && length % 4 == 0)
            else {
                return run;
            };
            line = run.end + next;
        }
    }

    /// The bytes from a phase on, each group of four as three; what is left over as far as it goes.
    fn decode(&self, phase: usize, layer: &mut Layer) {
        for (index, (from, source)) in self.lines.iter().enumerate() {
            let until = self
                .lines
                .get(index + 1)
                .map_or(self.digits.len(), |line| line.0);
            let skipped = if index == 0 { phase } else { 0 };
            let line = self.digits.get(from + skipped..until).unwrap_or_default();
            layer.mark(source + skipped, Scale::Base64);
            // With a phase, a group can begin on one line and end on the next: lines of text never do that.
            for group in line.chunks(4) {
                let bits = group
                    .iter()
                    .fold(0_u32, |bits, b| (bits << 6) | u32::from(value_of(*b)));
                let missing = 4 - group.len();
                let [_, bytes @ ..] = (bits << (6 * missing)).to_be_bytes();
                let count = 3_usize.saturating_sub(missing);
                layer
                    .text
                    .extend_from_slice(bytes.get(..count).unwrap_or_default());
            }
        }
    }
}

/// How far it is to the next line, if it continues a run: past the line break, indentation and marks of a quotation.
fn next_line(after: &[u8]) -> Option<usize> {
    let line_break = after.iter().take(2).position(|b| *b == b'\n')?;
    if line_break == 1 && after.first() != Some(&b'\r') {
        return None;
    }
    let indented = after.iter().skip(line_break + 1).take(64);
    let indent = indented.take_while(|b| matches!(b, b' ' | b'\t')).count();
    let next = line_break + 1 + indent;
    after.get(next).filter(|b| is_base64_byte(**b))?;
    Some(next)
}
