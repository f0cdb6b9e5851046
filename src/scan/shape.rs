//! What an AccessKeyId and an AccessKeySecret look like, and where they stand in a run of letters and digits.
//!
//! An id is `LTAI` and 12 to 26 letters and digits (Alibaba Cloud's own ids are of 16 to 30 characters), a session's
//! `STS.` and letters and digits. A secret is 30 letters and digits of both cases, a session's up to 64; 1 of 196
//! secrets has no digit.

use std::ops::Range;

use akgate_rules::access_key::{AccessKeyId, AccessKeySecret};
use memchr::memmem;

/// What was found in a text.
#[derive(Debug, Clone)]
pub enum Credential {
    /// The id of an access key or of a session.
    Id(AccessKeyId),
    /// What has the shape of a secret.
    Secret(AccessKeySecret),
}

/// The lengths that secrets of access keys have, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretLengths(u128);

impl SecretLengths {
    /// The length of Alibaba Cloud's own secrets.
    pub const STANDARD: usize = 30;

    /// The lengths that can be configured.
    pub const CONFIGURABLE: std::ops::RangeInclusive<usize> = 16..=64;

    /// The standard length and these; lengths outside of [`SecretLengths::CONFIGURABLE`] are ignored.
    #[must_use]
    pub fn with(more: impl IntoIterator<Item = usize>) -> Self {
        let lengths = more
            .into_iter()
            .filter(|length| Self::CONFIGURABLE.contains(length));
        Self(lengths.fold(Self::default().0, |bits, length| bits | 1 << length))
    }

    /// Whether a secret can have this length.
    #[must_use]
    pub fn contains(self, length: usize) -> bool {
        u32::try_from(length)
            .ok()
            .and_then(|length| 1_u128.checked_shl(length))
            .is_some_and(|bit| self.0 & bit != 0)
    }

    /// The shortest.
    #[must_use]
    pub(crate) fn shortest(self) -> usize {
        self.0.trailing_zeros() as usize
    }

    fn all(self) -> impl Iterator<Item = usize> {
        Self::CONFIGURABLE.filter(move |length| self.contains(*length))
    }
}

impl Default for SecretLengths {
    fn default() -> Self {
        Self(1 << Self::STANDARD)
    }
}

/// The longest secret of a session.
pub(crate) const MAX_SECRET_LEN: usize = 64;

/// The lengths of ids.
const ID_LENGTHS: std::ops::RangeInclusive<usize> = 16..=30;

/// The length of the ids that begin with `LTAI4` and `LTAI5t`.
const MODERN_ID_LEN: usize = 24;

/// The fewest letters and digits that follow `STS.`.
const MIN_SESSION_LEN: usize = 8;

/// What stands in a run of letters and digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    Id(Range<usize>),
    Secret(Range<usize>),
    /// Longer than a secret of an access key, but a session's may be so.
    SessionSecret(Range<usize>),
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Surroundings {
    /// The byte before it: in binary formats, often the length of what follows.
    pub before: Option<u8>,
    /// Whether control characters are near: strings of a binary file touch each other.
    pub is_binary: bool,
}

/// Finds the id and the secret in a run of letters and digits. Where other text may touch them (a length before them
/// in a binary file, an id and its secret in one word), the run is divided.
pub(crate) fn find_in_run(
    run: &[u8],
    around: Surroundings,
    lengths: SecretLengths,
    found: &mut Vec<Found>,
) {
    match memmem::find(run, b"LTAI") {
        Some(at) => find_id(run, at, around, lengths, found),
        None => find_secret(run, 0, around, lengths, found),
    }
}

fn find_id(
    run: &[u8],
    at: usize,
    around: Surroundings,
    lengths: SecretLengths,
    found: &mut Vec<Found>,
) {
    let (before, rest) = run.split_at_checked(at).unwrap_or((&[], run));
    if lengths.contains(at) && is_mixed(before) && ID_LENGTHS.contains(&rest.len()) {
        found.push(Found::Secret(0..at));
    } else if at > 0 && !around.is_binary && !(names_id(before) && is_modern(rest)) {
        return;
    }
    let declared = around
        .before
        .map(usize::from)
        .filter(|length| at == 0 && ID_LENGTHS.contains(length) && *length < rest.len());
    let glued_secret = lengths
        .all()
        .filter_map(|length| rest.len().checked_sub(length))
        .find(|length| {
            ID_LENGTHS.contains(length)
                && rest.len() > *ID_LENGTHS.end()
                && (!is_modern(rest) || *length >= MODERN_ID_LEN)
        });
    let length = match (declared, glued_secret) {
        (Some(declared), _) => declared,
        (None, Some(length)) => length,
        (None, None) if ID_LENGTHS.contains(&rest.len()) => {
            match around.is_binary && is_modern(rest) && rest.len() > MODERN_ID_LEN {
                true => MODERN_ID_LEN,
                false => rest.len(),
            }
        }
        (None, None) if is_modern(rest) && around.is_binary => MODERN_ID_LEN,
        (None, None) => return,
    };
    found.push(Found::Id(at..at + length));
    if let Some(after) = rest.get(length..).filter(|after| !after.is_empty()) {
        find_secret(
            after,
            at + length,
            Surroundings {
                before: None,
                ..around
            },
            lengths,
            found,
        );
    }
}

fn find_secret(
    run: &[u8],
    offset: usize,
    around: Surroundings,
    lengths: SecretLengths,
    found: &mut Vec<Found>,
) {
    if run.len() < lengths.shortest() || !is_mixed(run) {
        return;
    }
    if lengths.contains(run.len()) {
        found.push(Found::Secret(offset..offset + run.len()));
        return;
    }
    let declared = around
        .before
        .map(usize::from)
        .filter(|length| lengths.contains(*length) && *length < run.len());
    if let Some(length) = declared {
        found.push(Found::Secret(offset..offset + length));
        return;
    }
    // The name of a field touches its value in rows of databases.
    for length in lengths.all() {
        let Some((name, secret)) = run
            .len()
            .checked_sub(length)
            .and_then(|start| run.split_at_checked(start))
        else {
            continue;
        };
        let name = name.to_ascii_lowercase();
        let is_named = name.ends_with(b"secret") || (around.is_binary && name.ends_with(b"key"));
        if is_named && is_mixed(secret) && has_digit(secret) {
            found.push(Found::Secret(
                offset + run.len() - length..offset + run.len(),
            ));
            return;
        }
    }
    if (SecretLengths::STANDARD..=MAX_SECRET_LEN).contains(&run.len()) && has_digit(run) {
        found.push(Found::SessionSecret(offset..offset + run.len()));
    }
}

/// The length of a session's id at the beginning of a text, `STS.` included.
pub(crate) fn session_id_len(text: &[u8]) -> Option<usize> {
    let rest = text.strip_prefix(b"STS.")?;
    let run = rest
        .iter()
        .take(AccessKeyId::MAX_LEN)
        .take_while(|b| b.is_ascii_alphanumeric())
        .count();
    (MIN_SESSION_LEN..AccessKeyId::MAX_LEN - 4)
        .contains(&run)
        .then_some(run + 4)
}

fn is_modern(id: &[u8]) -> bool {
    id.len() >= MODERN_ID_LEN && (id.starts_with(b"LTAI5t") || id.starts_with(b"LTAI4"))
}

fn names_id(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    [&b"id"[..], b"key", b"ak"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// Both cases.
pub(crate) fn is_mixed(word: &[u8]) -> bool {
    word.iter().any(u8::is_ascii_uppercase) && word.iter().any(u8::is_ascii_lowercase)
}

pub(crate) fn has_digit(word: &[u8]) -> bool {
    word.iter().any(u8::is_ascii_digit)
}

/// Whether a word without a digit is random letters and not words in `camelCase`: of 30 random letters, 8 to 22 are
/// upper case but for 1 in 170; of words, about a fifth.
pub(crate) fn is_random(word: &[u8]) -> bool {
    let upper = word.iter().filter(|b| b.is_ascii_uppercase()).count();
    (word.len() * 8..=word.len() * 22).contains(&(upper * SecretLengths::STANDARD))
}

/// Whether an id has the length that new ids have: of two readings of one place, it is the better one.
pub(crate) fn has_usual_length(id: &str) -> bool {
    id.starts_with("STS.")
        || id.len() == MODERN_ID_LEN
        || (id.len() == 16 && !id.starts_with("LTAI5t"))
}
