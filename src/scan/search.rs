//! Reads the regions of a block as they stand and decoded, layer by layer, and collects what looks like a credential.

use std::{cell::Cell, ops::Range};

use zeroize::Zeroizing;

use crate::{
    decode::{DECODERS, decompress, is_base64_byte},
    names::{CONTEXT_AFTER, CONTEXT_BEFORE, Vouching},
    shape::{
        Found, SecretLengths, Surroundings, find_in_run, has_digit, has_usual_length, is_random,
        session_id_len,
    },
    trigger::find_regions,
    view::View,
};

/// How many decoders may be applied one after the other.
pub(crate) const MAX_DEPTH: usize = 6;

/// How much may be decoded, for each byte of a region and in addition. Real nesting needs less; what is made to be slow
/// ends here.
const DECODED_FACTOR: usize = 24;
const DECODED_EXTRA: usize = 8 << 10;

/// What a layer costs besides its bytes.
const LAYER_COST: usize = 64;

/// How much may be decompressed in a block, in bytes.
const DECOMPRESSED: usize = 32 << 20;

/// The longest run around a secret that is no base64: an id and a secret, with a character between them.
const MAX_COMPOUND: usize = 75;

/// The shortest line of base64 that goes on in the next one, and how far back one is looked for.
const LONG_LINE: usize = 48;
const MAX_LINE: usize = 200;

/// How far around a run control characters make a binary file of it.
const BINARY_MARGIN: usize = 8;

/// Something that looks like a credential.
#[derive(Debug)]
pub(crate) struct Candidate {
    /// Where it begins in the block.
    pub at: usize,
    pub word: Zeroizing<String>,
    pub kind: Kind,
}

/// What it looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Id,
    Secret(Looks),
}

/// What speaks for a secret.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Looks {
    pub vouching: Vouching,
    pub has_digit: bool,
    /// Its letters are random, and no words.
    pub is_random: bool,
    /// It stands after a quotation mark.
    pub is_quoted: bool,
    /// It is no part of a longer run, as of base64.
    pub is_apart: bool,
    /// It is too long for an access key's.
    pub is_sessions: bool,
}

/// Finds the candidates of a block, in order.
pub(crate) fn search_block(block: &[u8], lengths: SecretLengths) -> Vec<Candidate> {
    let regions = find_regions(block, lengths);
    collect(block, regions, lengths)
}

/// Finds the candidates of a short text, which is read as a whole.
pub(crate) fn search_text(text: &[u8], lengths: SecretLengths) -> Vec<Candidate> {
    collect(text, std::iter::once(0..text.len()), lengths)
}

fn collect(
    block: &[u8],
    regions: impl IntoIterator<Item = Range<usize>>,
    lengths: SecretLengths,
) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    let search = Search {
        lengths,
        decoded: Cell::new(0),
        decompressed: Cell::new(DECOMPRESSED),
    };
    for region in regions {
        let text = block.get(region.clone()).unwrap_or_default();
        search
            .decoded
            .set(text.len() * DECODED_FACTOR + DECODED_EXTRA);
        search.view(&View::new(text, region.start), 0, &mut candidates);
    }
    merge_readings(candidates)
}

struct Search {
    lengths: SecretLengths,
    /// How many bytes of the region may still be decoded.
    decoded: Cell<usize>,
    /// How many bytes of the block may still be decompressed.
    decompressed: Cell<usize>,
}

impl Search {
    fn view(&self, view: &View<'_>, depth: usize, candidates: &mut Vec<Candidate>) {
        self.words(view, candidates);
        if depth == MAX_DEPTH {
            return;
        }
        // Compressed bytes are no text: what other decoders made of them would be damaged.
        if let Some(layer) = decompress(view, self.decompressed.get()) {
            let size = layer.text.len();
            self.decompressed
                .set(self.decompressed.get().saturating_sub(size));
            self.decoded.set(self.decoded.get() + size * DECODED_FACTOR);
            self.view(&View::decoded(&layer, view), depth + 1, candidates);
            return;
        }
        for decode in DECODERS {
            let Some(layer) = decode(view) else { continue };
            let cost = layer.text.len() + LAYER_COST;
            let Some(left) = self.decoded.get().checked_sub(cost) else {
                return;
            };
            self.decoded.set(left);
            self.view(&View::decoded(&layer, view), depth + 1, candidates);
        }
    }

    /// The credentials in the runs of letters and digits.
    fn words(&self, view: &View<'_>, candidates: &mut Vec<Candidate>) {
        let text = view.text;
        let mut at = 0;
        let mut found = Vec::new();
        while let Some(start) = text
            .get(at..)
            .and_then(|rest| rest.iter().position(u8::is_ascii_alphanumeric))
            .map(|found| at + found)
        {
            let rest = text.get(start..).unwrap_or_default();
            if let Some(length) = session_id_len(rest) {
                at = start + length;
                push(candidates, view, start..at, Kind::Id);
                continue;
            }
            let length = rest
                .iter()
                .take_while(|b| b.is_ascii_alphanumeric())
                .count();
            at = start + length;
            let Some(run) = rest.get(..length).filter(|_| length >= 16) else {
                continue;
            };
            let around = surroundings(text, start, at);
            found.clear();
            find_in_run(run, around, self.lengths, &mut found);
            for one in &found {
                let (range, kind) = match one {
                    Found::Id(range) => (range, Kind::Id),
                    Found::Secret(range) => (range, Kind::Secret(looks(view, start, range, false))),
                    Found::SessionSecret(range) => {
                        (range, Kind::Secret(looks(view, start, range, true)))
                    }
                };
                push(
                    candidates,
                    view,
                    start + range.start..start + range.end,
                    kind,
                );
            }
        }
    }
}

fn push(candidates: &mut Vec<Candidate>, view: &View<'_>, range: Range<usize>, kind: Kind) {
    let word = view.text.get(range.clone()).unwrap_or_default();
    candidates.push(Candidate {
        at: view.locate(range.start),
        word: Zeroizing::new(word.iter().copied().map(char::from).collect()),
        kind,
    });
}

fn surroundings(text: &[u8], start: usize, end: usize) -> Surroundings {
    let is_control =
        |b: &u8| b.is_ascii_control() && !matches!(b, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b);
    let before = text
        .get(start.saturating_sub(BINARY_MARGIN)..start)
        .unwrap_or_default();
    let after = text
        .get(end..text.len().min(end + BINARY_MARGIN))
        .unwrap_or_default();
    Surroundings {
        before: before.last().copied(),
        is_binary: before.iter().chain(after).any(is_control),
    }
}

fn looks(view: &View<'_>, run_start: usize, range: &Range<usize>, is_sessions: bool) -> Looks {
    let (start, end) = (run_start + range.start, run_start + range.end);
    let word = view.text.get(start..end).unwrap_or_default();
    Looks {
        vouching: vouching(view, start, end),
        has_digit: has_digit(word),
        is_random: is_random(word),
        is_quoted: start
            .checked_sub(1)
            .and_then(|at| view.text.get(at))
            .is_some_and(|b| matches!(b, b'"' | b'\'' | b'`')),
        is_apart: is_apart(view.text, start, end),
        is_sessions,
    }
}

/// What the text around a word says, in this layer and in those that it was decoded from.
fn vouching(view: &View<'_>, start: usize, end: usize) -> Vouching {
    let before = view.text.get(start.saturating_sub(CONTEXT_BEFORE)..start);
    let after = view.text.get(end..view.text.len().min(end + CONTEXT_AFTER));
    let found = Vouching::of(before.unwrap_or_default(), after.unwrap_or_default());
    if found.is_named {
        return found;
    }
    match view.parent_of(start) {
        Some((parent, at)) => {
            let past = view.parent_of(end).map_or(at, |(_, past)| past.max(at));
            found.or(vouching(parent, at, past))
        }
        None => found,
    }
}

/// Whether a word stands alone, and not in a long run of `+ / - _` as well.
fn is_apart(text: &[u8], start: usize, end: usize) -> bool {
    let is_in = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_');
    let before = text.get(..start).unwrap_or_default();
    let before = before
        .iter()
        .rev()
        .take(MAX_COMPOUND)
        .take_while(|b| is_in(b))
        .count();
    let after = text.get(end..).unwrap_or_default();
    let after = after
        .iter()
        .take(MAX_COMPOUND)
        .take_while(|b| is_in(b))
        .count();
    before + (end - start) + after <= MAX_COMPOUND && !ends_base64(text, start)
}

/// Whether a word begins a line after a long line of base64: then it is the end of it.
fn ends_base64(text: &[u8], start: usize) -> bool {
    let before = text
        .get(start.saturating_sub(MAX_LINE)..start)
        .unwrap_or_default();
    let indent = before
        .iter()
        .rev()
        .take_while(|b| matches!(b, b' ' | b'\t'))
        .count();
    let before = before.get(..before.len() - indent).unwrap_or_default();
    let Some(line) = before.strip_suffix(b"\n") else {
        return false;
    };
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    line.iter()
        .rev()
        .take_while(|b| is_base64_byte(**b))
        .count()
        >= LONG_LINE
}

/// One candidate of each word and place, with all that speaks for it; of two ids at one place, the better reading.
fn merge_readings(mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    candidates.sort_by(|a, b| (a.at, &*a.word).cmp(&(b.at, &*b.word)));
    let mut merged: Vec<Candidate> = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let Some(last) = merged.last_mut().filter(|last| last.at == candidate.at) else {
            merged.push(candidate);
            continue;
        };
        match (&mut last.kind, candidate.kind) {
            (Kind::Secret(known), Kind::Secret(more)) if last.word == candidate.word => {
                known.vouching = known.vouching.or(more.vouching);
                known.is_apart |= more.is_apart;
                known.is_quoted |= more.is_quoted;
            }
            (Kind::Id, Kind::Id) if last.word == candidate.word => {}
            (Kind::Id, Kind::Id) if candidate.word.starts_with(&**last.word) => {
                if !has_usual_length(&last.word) {
                    *last = candidate;
                }
            }
            _ => merged.push(candidate),
        }
    }
    merged
}
