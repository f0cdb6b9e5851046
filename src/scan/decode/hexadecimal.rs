//! Bytes as hexadecimal digits in one run.

use super::hex_digit::hex_value;
use crate::view::{Layer, Scale, View};

/// The shortest run that can contain an id.
const MIN_RUN: usize = 32;

/// How many bytes in a row must be printable.
const PRINTABLE: usize = 15;

/// Whether a part of a run stands for text when its pairs of digits begin with the first digit, or with the second.
pub(crate) fn text_phases(run: &[u8]) -> [bool; 2] {
    [0, 1].map(|phase| {
        let mut in_a_row = 0;
        run.get(phase..)
            .unwrap_or_default()
            .chunks_exact(2)
            .any(|pair| {
                let is_printable = byte_of(pair).is_some_and(|byte| matches!(byte, b' '..=b'~'));
                in_a_row = if is_printable { in_a_row + 1 } else { 0 };
                in_a_row >= PRINTABLE
            })
    })
}

fn byte_of(pair: &[u8]) -> Option<u8> {
    let &[high, low] = pair else { return None };
    u8::try_from(hex_value(high)? << 4 | hex_value(low)?).ok()
}

/// Decodes the runs that are text when decoded.
pub(super) fn decode_runs(view: &View<'_>) -> Option<Layer> {
    let text = view.text;
    let mut layer = Layer::default();
    let mut at = 0;
    while let Some(start) = text
        .get(at..)
        .and_then(|rest| rest.iter().position(u8::is_ascii_hexdigit))
        .map(|found| at + found)
    {
        let run = text.get(start..).unwrap_or_default();
        let length = run.iter().take_while(|b| b.is_ascii_hexdigit()).count();
        at = start + length;
        let run = run.get(..length).unwrap_or_default();
        if run.len() < MIN_RUN || view.is_copied(start, at) {
            continue;
        }
        for (phase, _) in text_phases(run)
            .into_iter()
            .enumerate()
            .filter(|(_, is_text)| *is_text)
        {
            layer.mark(start + phase, Scale::Half);
            let pairs = run.get(phase..).unwrap_or_default().chunks_exact(2);
            layer.text.extend(pairs.filter_map(byte_of));
            layer.push(b"\n", at - 1);
        }
    }
    (!layer.text.is_empty()).then_some(layer)
}
