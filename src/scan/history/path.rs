//! The path of a changed file, as the header of its diff names it.

use std::borrow::Cow;

/// The file that lines of a diff belong to.
#[derive(Default)]
pub(super) struct ChangedFile {
    header: Option<Vec<u8>>,
    old: Option<Vec<u8>>,
    new: Option<Vec<u8>>,
}

const NO_FILE: &[u8] = b"/dev/null";

/// The pairs of prefixes that git sets before the old and the new path, `diff.mnemonicPrefix` included.
const PREFIXES: [(u8, u8); 8] = [
    (b'a', b'b'),
    (b'i', b'w'),
    (b'c', b'i'),
    (b'c', b'w'),
    (b'o', b'w'),
    (b'w', b'i'),
    (b'w', b'c'),
    (b'1', b'2'),
];

impl ChangedFile {
    /// Begins with what stands after `diff --git `.
    pub fn begin(header: &[u8]) -> Self {
        Self {
            header: Some(header.trim_ascii_end().to_vec()),
            ..Self::default()
        }
    }

    pub fn is_begun(&self) -> bool {
        self.header.is_some()
    }

    pub fn set_old(&mut self, text: &[u8]) {
        self.old = Some(unquote(text));
    }

    pub fn set_new(&mut self, text: &[u8]) {
        self.new = Some(unquote(text));
    }

    /// The path of the file, or of the one that was removed.
    pub fn path(&self) -> Option<Cow<'_, str>> {
        let header = self.header.as_deref()?;
        let is_file = |path: &&Vec<u8>| path.as_slice() != NO_FILE;
        let named = self
            .new
            .as_ref()
            .filter(is_file)
            .or(self.old.as_ref().filter(is_file));
        let path = match named {
            Some(path) if self.is_prefixed(header) => path.get(2..)?,
            Some(path) => path,
            // No line was changed: a mode, a name, a binary file.
            None => header,
        };
        Some(String::from_utf8_lossy(path))
    }

    /// Whether `a/` and `b/` are set before the paths: with `--no-prefix`, a path may begin so by itself.
    fn is_prefixed(&self, header: &[u8]) -> bool {
        let starts = |path: &[u8], letter: u8| path.starts_with(&[letter, b'/']);
        let old = self.old.as_deref().filter(|path| *path != NO_FILE);
        let new = self.new.as_deref().filter(|path| *path != NO_FILE);
        PREFIXES.iter().any(|(first, second)| match (old, new) {
            (Some(old), Some(new)) => starts(old, *first) && starts(new, *second) && old != new,
            // One of them is no file: the header names both.
            (None, Some(path)) => starts(path, *second) && header_has(header, *first, *second),
            (Some(path), None) => starts(path, *first) && header_has(header, *first, *second),
            (None, None) => false,
        })
    }
}

/// Whether a header is of the form `a/… b/…`, quoted or not. Of a merge it names the path alone.
fn header_has(header: &[u8], first: u8, second: u8) -> bool {
    let bare = header.strip_prefix(b"\"").unwrap_or(header);
    let is_pair = [&b" "[..], b" \""].iter().any(|space| {
        let start = [space, &[second, b'/'][..]].concat();
        memchr::memmem::find(header, &start).is_some()
    });
    bare.starts_with(&[first, b'/']) && is_pair
}

/// A path without quotation marks, with its escapes resolved; a tab ends one with spaces in it.
fn unquote(text: &[u8]) -> Vec<u8> {
    let text = text.trim_ascii_end();
    let Some(quoted) = text
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""))
    else {
        let end = memchr::memchr(b'\t', text).unwrap_or(text.len());
        return text.get(..end).unwrap_or_default().to_vec();
    };
    let mut path = Vec::with_capacity(quoted.len());
    let mut rest = quoted.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            path.push(byte);
            continue;
        }
        let Some(escaped) = rest.next() else { break };
        path.push(match escaped {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'a' => 7,
            b'b' => 8,
            b'v' => 11,
            b'f' => 12,
            b'0'..=b'7' => {
                let mut code = u32::from(escaped - b'0');
                for _ in 0..2 {
                    if let Some(digit) = rest.next_if(|b| matches!(b, b'0'..=b'7')) {
                        code = code * 8 + u32::from(digit - b'0');
                    }
                }
                u8::try_from(code).unwrap_or(b'?')
            }
            other => other,
        });
    }
    path
}
