//! ASCII characters as UTF-16 or UTF-32 of either byte order, anywhere in other bytes.

use std::ops::Range;

use crate::view::{Layer, Scale, View};

/// The shortest run that can contain an id, in characters.
pub(crate) const WIDE_RUN: usize = 12;

/// A stretch of characters, each with one or three zero bytes before the next.
pub(crate) struct WideRun {
    pub range: Range<usize>,
    pub width: usize,
}

/// Finds such stretches.
pub(crate) fn wide_runs(text: &[u8]) -> impl Iterator<Item = WideRun> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let zero = at + memchr::memchr(0, text.get(at..)?)?;
            let first = zero.checked_sub(1).filter(|first| *first >= at);
            let Some(first) = first.filter(|first| is_text(text, *first)) else {
                at = zero + 1;
                continue;
            };
            let width = match text.get(zero + 1..zero + 3) {
                Some([0, 0]) => 4,
                _ => 2,
            };
            let mut end = first;
            while is_text(text, end)
                && (1..width).all(|step| text.get(end + step).is_none_or(|b| *b == 0))
            {
                end += width;
            }
            at = end.max(zero + 1);
            if (end - first) / width >= WIDE_RUN {
                let range = first..end.min(text.len());
                return Some(WideRun { range, width });
            }
        }
    })
}

fn is_text(text: &[u8], at: usize) -> bool {
    matches!(text.get(at), Some(b' '..=b'~' | b'\t' | b'\n' | b'\r'))
}

/// The characters of all of them, each stretch as a line.
pub(super) fn decode_runs(view: &View<'_>) -> Option<Layer> {
    let mut layer = Layer::default();
    for run in wide_runs(view.text) {
        let scale = if run.width == 4 {
            Scale::Quarter
        } else {
            Scale::Half
        };
        layer.mark(run.range.start, scale);
        let stretch = view.text.get(run.range.clone()).unwrap_or_default();
        layer.text.extend(stretch.iter().step_by(run.width));
        layer.push(b"\n", run.range.end.saturating_sub(1));
        // The next byte is the last character of a big-endian word, or belongs to the character after a little-endian
        // one: both readings count.
        if let Some(last) = view
            .text
            .get(run.range.end)
            .filter(|_| is_text(view.text, run.range.end))
        {
            layer.mark(run.range.start, scale);
            layer.text.extend(stretch.iter().step_by(run.width));
            layer.text.extend([*last, b'\n']);
        }
    }
    (!layer.text.is_empty()).then_some(layer)
}
