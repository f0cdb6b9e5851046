//! The lines of a history that are not lines of a file.

use std::borrow::Cow;

/// How a history is printed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Form {
    /// A commit begins with its abbreviated id.
    pub is_oneline: bool,
    /// Lines of a graph stand at the left.
    pub has_graph: bool,
    /// How wide the graph is in this commit.
    pub width: usize,
}

/// What a line begins.
pub(super) enum Header<'l> {
    Commit(String),
    Tag,
    /// What follows `diff --git `, `diff --cc ` or `diff --combined `.
    Diff(&'l [u8]),
    Old(&'l [u8]),
    New(&'l [u8]),
    /// The lines that it has, and the numbers of the first ones.
    Hunk(HunkCounts, u64, u64),
    Date(&'l [u8]),
    Other,
}

/// How many lines of a hunk are still to come, by parent, and of the result.
#[derive(Debug)]
pub(super) struct HunkCounts {
    old: Vec<u64>,
    new: u64,
}

impl HunkCounts {
    pub fn parents(&self) -> usize {
        self.old.len()
    }

    /// Counts a line by its marks; false after the last one.
    pub fn take(&mut self, marks: &[u8]) -> bool {
        let is_lost = marks.contains(&b'-');
        for (index, old) in self.old.iter_mut().enumerate() {
            let mark = marks.get(index).copied().unwrap_or(b' ');
            let counts = match is_lost {
                true => mark == b'-',
                false => mark != b'+',
            };
            *old = old.saturating_sub(u64::from(counts));
        }
        self.new = self.new.saturating_sub(u64::from(!is_lost));
        self.new > 0 || self.old.iter().any(|old| *old > 0)
    }
}

/// Reads a line, and where in it what it begins stands: past the graph.
pub(super) fn read_header(line: &[u8], form: Form) -> (Header<'_>, usize) {
    let line = line.trim_ascii_end();
    let graph = match form.has_graph {
        true => line
            .iter()
            .take_while(|b| matches!(b, b'*' | b'|' | b'/' | b'\\' | b'_' | b' ' | b'.'))
            .count(),
        false => 0,
    };
    let text = line.get(graph..).unwrap_or_default();
    (header_of(text, form), graph)
}

fn header_of(text: &[u8], form: Form) -> Header<'_> {
    for start in [&b"diff --git "[..], b"diff --cc ", b"diff --combined "] {
        if let Some(rest) = text.strip_prefix(start) {
            return Header::Diff(rest);
        }
    }
    if let Some(rest) = text.strip_prefix(b"--- ") {
        return Header::Old(rest);
    }
    if let Some(rest) = text.strip_prefix(b"+++ ") {
        return Header::New(rest);
    }
    if text.starts_with(b"@@") {
        return hunk_of(text).unwrap_or(Header::Other);
    }
    for start in [&b"Date:"[..], b"AuthorDate:", b"TaggerDate:"] {
        if let Some(rest) = text.strip_prefix(start) {
            return Header::Date(rest.trim_ascii());
        }
    }
    if text.starts_with(b"tag ") && !text.contains(&b':') {
        return Header::Tag;
    }
    match commit_of(text, form.is_oneline) {
        Some(commit) => Header::Commit(commit),
        None => Header::Other,
    }
}

/// The id in a line that begins a commit: `commit 8d969eef…`, `From 8d969eef… Mon Sep 17 00:00:00 2001`, the id alone,
/// or of `--oneline` its beginning.
fn commit_of(text: &[u8], is_oneline: bool) -> Option<String> {
    let first = |text: &[u8]| {
        let id: Vec<u8> = text
            .iter()
            .copied()
            .take_while(u8::is_ascii_hexdigit)
            .collect();
        let is_end = matches!(text.get(id.len()), None | Some(b' '));
        String::from_utf8(id).ok().filter(|_| is_end)
    };
    let is_whole = |id: &String| matches!(id.len(), 40 | 64);
    if let Some(rest) = text.strip_prefix(b"commit ") {
        return first(rest).filter(|id| (7..=64).contains(&id.len()));
    }
    if let Some(rest) = text.strip_prefix(b"From ") {
        return first(rest).filter(is_whole);
    }
    let id = first(text)?;
    (is_whole(&id) || (is_oneline && (7..=64).contains(&id.len()))).then_some(id)
}

/// `@@ -1,2 +1,3 @@`, and of a merge `@@@ -1,2 -1,2 +1,3 @@@`.
fn hunk_of(text: &[u8]) -> Option<Header<'_>> {
    let text = std::str::from_utf8(text.get(..text.len().min(200))?).ok();
    let text = text.or_else(|| {
        let end = memchr::memmem::find(text?.as_bytes(), b" @@")?;
        text?.get(..end)
    })?;
    let mut words = text.split(' ');
    let marks = words.next()?;
    if !marks.bytes().all(|b| b == b'@') {
        return None;
    }
    let mut counts = HunkCounts {
        old: Vec::new(),
        new: 0,
    };
    let mut first_old = 1;
    for word in words {
        let (range, is_new) = match (word.strip_prefix('-'), word.strip_prefix('+')) {
            (Some(range), _) => (range, false),
            (None, Some(range)) => (range, true),
            (None, None) => return None,
        };
        let (start, count) = range.split_once(',').unwrap_or((range, "1"));
        let (start, count): (u64, u64) = (start.parse().ok()?, count.parse().ok()?);
        if is_new {
            counts.new = count;
            let is_complete = counts.parents() + 1 == marks.len();
            return is_complete.then_some(Header::Hunk(counts, first_old, start));
        }
        first_old = start;
        counts.old.push(count);
    }
    None
}

/// A line without the colours of `--color`.
pub(super) fn without_colours(line: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(0x1b, line).is_none() {
        return Cow::Borrowed(line);
    }
    let mut plain = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = memchr::memchr(0x1b, rest) {
        let (before, sequence) = rest.split_at_checked(at).unwrap_or((rest, b""));
        plain.extend_from_slice(before);
        let parameters = sequence.iter().skip(2);
        let length = parameters
            .take_while(|b| b.is_ascii_digit() || **b == b';')
            .count();
        let is_colour =
            sequence.get(1) == Some(&b'[') && matches!(sequence.get(2 + length), Some(b'm' | b'K'));
        if !is_colour {
            plain.push(0x1b);
        }
        let skipped = if is_colour { 3 + length } else { 1 };
        rest = sequence.get(skipped..).unwrap_or_default();
    }
    plain.extend_from_slice(rest);
    Cow::Owned(plain)
}

/// Recognises a history by its first line, or where `anywhere` is set by any line in the beginning of the text.
pub(crate) fn is_history(head: &[u8], anywhere: bool) -> Option<Form> {
    let mut has_diff = false;
    let mut form = None;
    for (index, line) in head.split(|b| matches!(b, b'\n' | 0)).enumerate() {
        let line = without_colours(line);
        let line = line.trim_ascii_end();
        let is_graph = line.starts_with(b"* ");
        // A merge is set apart: `*   commit`.
        let text = match is_graph {
            true => line.get(1..).unwrap_or_default().trim_ascii_start(),
            false => line,
        };
        let past_graph = text
            .iter()
            .position(|b| !matches!(b, b'|' | b' ' | b'*' | b'\\' | b'/'))
            .and_then(|at| text.get(at..))
            .unwrap_or_default();
        has_diff |= past_graph.starts_with(b"diff --");
        let first = form.is_none() && (index == 0 || anywhere);
        if !first {
            continue;
        }
        let is_oneline =
            commit_of(text, false).is_none() && commit_of(text, true).is_some() && index == 0;
        let is_commit = commit_of(text, false).is_some();
        let is_tag = index == 0
            && text.starts_with(b"tag ")
            && memchr::memmem::find(head, b"\nTagger:").is_some();
        let is_diff = anywhere && text.starts_with(b"diff --");
        if is_oneline || is_commit || is_tag || is_diff {
            form = Some(Form {
                is_oneline,
                has_graph: is_graph,
                width: 0,
            });
        } else if !anywhere && !line.is_empty() {
            return None;
        }
    }
    let form = form?;
    (has_diff || !form.is_oneline).then_some(form)
}
