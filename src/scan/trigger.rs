//! Finds the few stretches of a block that may contain a key, at the speed of memory: all else is never decoded.

use std::ops::Range;

use memchr::{memchr, memchr_iter, memchr3_iter, memmem, memrchr};

use crate::{
    decode::{WIDE_RUN, ascii_phases, is_base64_byte, is_dense_escape, text_phases, wide_runs},
    names::{CONTEXT_AFTER, CONTEXT_BEFORE},
    shape::{SecretLengths, has_digit, is_mixed, session_id_len},
};

/// The shortest run of letters, digits and `+ / - _` that is looked at: the shortest id.
const MIN_RUN: usize = 16;

/// The shortest run that can be a secret in base64.
const MIN_BASE64: usize = 22;

/// How much of a long line is searched around a hit, in bytes.
const MARGIN: usize = 512;

/// Finds the stretches to search, in order and apart from each other.
pub(crate) fn find_regions(block: &[u8], lengths: SecretLengths) -> Vec<Range<usize>> {
    let mut hits: Vec<Range<usize>> = runs(block)
        .filter(|run| {
            let text = block.get(run.clone()).unwrap_or_default();
            let next = block.get(run.end).copied();
            may_contain_key(text, next, lengths)
        })
        .collect();
    hits.extend(memmem::find_iter(block, b"STS.").filter_map(|at| {
        let length = session_id_len(block.get(at..)?)?;
        Some(at..at + length)
    }));
    hits.extend(
        memchr3_iter(b'\\', b'%', b'&', block)
            .filter(|at| is_dense_escape(block, *at))
            .map(|at| at..at + 1),
    );
    for soft_break in [&b"=\r\n"[..], b"=\n"] {
        hits.extend(memmem::find_iter(block, soft_break).filter_map(|at| {
            let inside = at.checked_sub(1).and_then(|before| block.get(before))?;
            let next = block.get(at + soft_break.len())?;
            let is_inside = inside.is_ascii_alphanumeric() && is_marked_word(*next);
            is_inside.then_some(at..at + soft_break.len())
        }));
    }
    hits.extend(memchr_iter(0x1b, block).map(|at| at..at + 1));
    hits.extend(
        memmem::find_iter(block, b"\\\n")
            .chain(memmem::find_iter(block, b"\\\r\n"))
            .filter(|at| {
                let before = at.checked_sub(1).and_then(|at| block.get(at));
                before.is_some_and(u8::is_ascii_alphanumeric)
            })
            .map(|at| at..at + 1),
    );
    if memchr(0, block).is_some() {
        let wide = wide_runs(block).filter(|run| run.range.len() / run.width >= WIDE_RUN);
        hits.extend(wide.map(|run| run.range));
    }
    merge(block, hits)
}

/// What continues a word on the next line: a letter or digit, an escape, the mark of a quotation.
fn is_marked_word(next: u8) -> bool {
    next.is_ascii_alphanumeric() || matches!(next, b'=' | b'>' | b'+')
}

/// Runs of at least [`MIN_RUN`] bytes of base64's alphabets. Of shorter ones, one byte in [`MIN_RUN`] is looked at.
fn runs(block: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let is_in = |at: usize| block.get(at).is_some_and(|b| is_base64_byte(*b));
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let probe = from + MIN_RUN - 1;
            if !is_base64_byte(*block.get(probe)?) {
                from = probe + 1;
                continue;
            }
            let mut start = probe;
            while start > from && is_in(start - 1) {
                start -= 1;
            }
            let mut end = probe + 1;
            while is_in(end) {
                end += 1;
            }
            from = end;
            if end - start >= MIN_RUN {
                return Some(start..end);
            }
        }
    })
}

fn may_contain_key(run: &[u8], next: Option<u8>, lengths: SecretLengths) -> bool {
    if memmem::find(run, b"LTAI").is_some() {
        return true;
    }
    if !is_mixed(run) {
        let is_hex = run.len() >= 2 * MIN_RUN && run.iter().skip(2).all(u8::is_ascii_hexdigit);
        return is_hex && text_phases(run).contains(&true);
    }
    let mut words = run.split(|b| !b.is_ascii_alphanumeric());
    if words.any(|word| word.len() >= lengths.shortest() && is_mixed(word)) {
        return true;
    }
    let is_long = run.len() >= MIN_BASE64;
    is_long
        && (has_digit(run) || run.len() >= 40 || next == Some(b'='))
        && ascii_phases(run).contains(&true)
}

/// Extends hits to their lines and the one before, and joins those that touch.
fn merge(block: &[u8], mut hits: Vec<Range<usize>>) -> Vec<Range<usize>> {
    hits.sort_unstable_by_key(|hit| hit.start);
    let mut regions: Vec<Range<usize>> = Vec::new();
    for hit in hits {
        let region = extend(block, &hit);
        match regions.last_mut() {
            Some(last) if last.end >= region.start => last.end = last.end.max(region.end),
            _ => regions.push(region),
        }
    }
    regions
}

fn extend(block: &[u8], hit: &Range<usize>) -> Range<usize> {
    let before = |from: usize, far: usize| {
        let floor = from.saturating_sub(far);
        let text = block.get(floor..from).unwrap_or_default();
        memrchr(b'\n', text).map_or(floor, |at| floor + at + 1)
    };
    let after = |from: usize, far: usize| {
        let text = block
            .get(from..block.len().min(from + far))
            .unwrap_or_default();
        from + memchr(b'\n', text).map_or(text.len(), |at| at + 1)
    };
    let line = before(hit.start, MARGIN);
    // The name of a value can stand on the last line before it that is not empty.
    let floor = line.saturating_sub(CONTEXT_BEFORE);
    let earlier = block.get(floor..line).unwrap_or_default().trim_ascii_end();
    let start = before(floor + earlier.len(), CONTEXT_BEFORE)
        .max(floor)
        .min(line);
    // The last line of a run in lines is short.
    let end = after(after(hit.end, MARGIN), CONTEXT_AFTER);
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regions(text: &str) -> Vec<&str> {
        let found = find_regions(text.as_bytes(), SecretLengths::default());
        found
            .into_iter()
            .map(|range| text.get(range).unwrap())
            .collect()
    }

    #[test]
    fn ordinary_text_has_no_regions() {
        for text in [
            "fn validate_and_normalize_everything(input: &str) -> Result<String, Error> {\n",
            "src/main/java/com/example/application/ConfigurationManager.java\n",
            "8d969eef6ecad3c29a3a629280e686cf0c3f5d5a 550e8400-e29b-41d4-a716-446655440000\n",
            "printf(\"%d\\n\", \"a\\tb\");\n",
            "x = ThisIsALongIdentifierInCode;\n",
        ] {
            assert!(regions(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn region_has_its_line_and_the_one_before() {
        let text = "a\nsecret:\n\n  LTAI5tFakeKeyForTestsOnly01\nb\nc\n";
        assert_eq!(
            regions(text),
            ["secret:\n\n  LTAI5tFakeKeyForTestsOnly01\nb\n"]
        );
        let long = format!(
            "{}LTAI5tFakeKeyForTestsOnly01{}",
            " ".repeat(5000),
            " ".repeat(5000)
        );
        assert!(regions(&long)[0].len() < 2000);
    }
}
