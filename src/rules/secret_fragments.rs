//! Removes fragments of secrets from texts that are stored or shown.

use std::fmt;

use zeroize::Zeroize;

use crate::access_key::AccessKeySecret;

/// The longest run of a secret's characters that may remain.
const HARMLESS_LEN: usize = 7;

/// The shortest run of a secret's characters that is removed.
type SecretFragment = [u8; HARMLESS_LEN + 1];

/// All fragments of some secrets, to be removed from texts.
#[derive(Clone, Default)]
pub struct SecretFragments(Vec<SecretFragment>);

impl SecretFragments {
    /// The fragments of these secrets.
    #[must_use]
    pub fn of<'s>(secrets: impl IntoIterator<Item = &'s AccessKeySecret>) -> Self {
        let mut pieces: Vec<SecretFragment> = secrets
            .into_iter()
            .flat_map(|secret| fragments_of(secret.expose().as_bytes()))
            .collect();
        pieces.sort_unstable();
        pieces.dedup();
        Self(pieces)
    }

    /// Returns the text without these fragments.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        let mut hidden = vec![false; text.len()];
        for (at, found) in fragments_of(text.as_bytes()).enumerate() {
            if self.0.binary_search(&found).is_ok()
                && let Some(run) = hidden.get_mut(at..at + found.len())
            {
                run.fill(true);
            }
        }
        mask_hidden(text, &hidden)
    }
}

impl fmt::Debug for SecretFragments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretFragments(…)")
    }
}

impl Drop for SecretFragments {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

fn fragments_of(bytes: &[u8]) -> impl Iterator<Item = SecretFragment> {
    bytes
        .windows(HARMLESS_LEN + 1)
        .filter_map(|window| window.try_into().ok())
}

/// A text with its hidden bytes replaced, run by run.
fn mask_hidden(text: &str, hidden: &[bool]) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut inside = false;
    for (at, c) in text.char_indices() {
        let is_hidden = hidden.get(at).copied().unwrap_or_default();
        match (is_hidden, inside) {
            (true, false) => shown.push_str("******"),
            (true, true) => {}
            (false, _) => shown.push(c),
        }
        inside = is_hidden;
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redacted_text_contains_no_part_of_a_secret() {
        let without_secret = |text: &str, secret: &str| {
            let secrets = [
                AccessKeySecret::new(secret.to_owned()),
                AccessKeySecret::new("AnotherSecret".to_owned()),
            ];
            SecretFragments::of(&secrets).redact(text)
        };
        let secret = "FakeSecretForTestsOnly0123abcD";
        for (text, shown) in [
            ("FakeSecretForTestsOnly0123abcD", "******"),
            ("a/FakeSecretForTe/b", "a/******/b"),
            ("xestsOnly0123abcDx", "x******x"),
            ("FakeSec FakeSecr", "FakeSec ******"),
            ("张 FakeSecretForTestsOnly0123abcD 三", "张 ****** 三"),
            ("nothing", "nothing"),
            ("a therSecre b", "a ****** b"),
            ("", ""),
        ] {
            assert_eq!(without_secret(text, secret), shown);
        }
        assert_eq!(without_secret("short", "short"), "short");
        assert_eq!(without_secret("anything", ""), "anything");
    }
}
