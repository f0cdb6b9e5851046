//! Telling an AccessKeyId and an AccessKeySecret from other text, by their shape.
//!
//! An id is `LTAI` and 12 to 26 letters and digits (Alibaba Cloud's own ids are of 16 to 30 characters), a session's
//! `STS.` and letters and digits; a secret is 30 letters and digits, a session's up to 64.

use crate::access_key::{AccessKeyId, AccessKeySecret};

/// What was found in a text.
#[derive(Debug, Clone)]
pub enum Credential {
    /// The id of an access key or of a session.
    Id(AccessKeyId),
    /// What has the shape of a secret.
    Secret(AccessKeySecret),
}

/// The length of an access key's secret.
const SECRET_LEN: usize = 30;

/// The longest secret of a session that we look for.
const MAX_SECRET_LEN: usize = 64;

/// The fewest letters and digits that follow `STS.`.
const MIN_SESSION_LEN: usize = 8;

/// Finds credentials in any text, in their order: ids, and secrets of 30 characters that mix upper case, lower case
/// and digits.
pub fn find_credentials(text: &str) -> impl Iterator<Item = Credential> {
    split_words(text).filter_map(|word| key_id_in(word).or_else(|| mixed_secret_in(word)))
}

/// Parses a text that a source calls a credential: as [`find_credentials`], but if the text is nothing else, a secret
/// need not be mixed or have 30 characters.
#[must_use]
pub fn read_credentials(text: &str) -> Vec<Credential> {
    let text = text.trim();
    let found: Vec<Credential> = find_credentials(text).collect();
    if !found.is_empty() {
        return found;
    }
    let is_secret = (SECRET_LEN..=MAX_SECRET_LEN).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='));
    let secret = is_secret.then(|| Credential::Secret(AccessKeySecret::new(text.to_owned())));
    secret.into_iter().collect()
}

/// Runs of letters and digits; `STS.` belongs to what follows it.
fn split_words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let start = rest.find(|c: char| c.is_ascii_alphanumeric())?;
        let (_, word) = rest.split_at_checked(start)?;
        let end = alphanumeric_run(word);
        let session = word
            .strip_prefix("STS.")
            .map(|after| "STS.".len() + alphanumeric_run(after));
        let (word, after) = word.split_at_checked(session.unwrap_or(end))?;
        rest = after;
        Some(word)
    })
}

fn alphanumeric_run(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_alphanumeric())
        .unwrap_or(text.len())
}

fn key_id_in(word: &str) -> Option<Credential> {
    let pair = word
        .strip_prefix("LTAI")
        .is_some_and(|rest| (12..=26).contains(&rest.len()));
    let session = word
        .strip_prefix("STS.")
        .is_some_and(|rest| rest.len() >= MIN_SESSION_LEN);
    let id = (pair || session).then(|| AccessKeyId::parse(word).ok())??;
    Some(Credential::Id(id))
}

fn mixed_secret_in(word: &str) -> Option<Credential> {
    let has = |one: fn(&u8) -> bool| word.as_bytes().iter().any(one);
    let mixed = word.len() == SECRET_LEN
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_digit);
    mixed.then(|| Credential::Secret(AccessKeySecret::new(word.to_owned())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(found: impl IntoIterator<Item = Credential>) -> Vec<String> {
        let show = |credential| match credential {
            Credential::Id(id) => format!("id {}", id.as_str()),
            Credential::Secret(secret) => format!("secret {}", secret.expose()),
        };
        found.into_iter().map(show).collect()
    }

    const ID: &str = "LTAI5tFakeKeyForTestsOnly01";
    const SECRET: &str = "FakeSecretForTestsOnly0123abcD";

    #[test]
    fn access_key_is_found_in_everyday_text() {
        let both = vec![format!("id {ID}"), format!("secret {SECRET}")];
        for text in [
            format!("{ID}:{SECRET}"),
            format!("ACCESS_KEY_ID={ID}\nACCESS_KEY_SECRET=\"{SECRET}\"\n"),
            format!("{{\"accessKeyId\":\"{ID}\",\"accessKeySecret\":\"{SECRET}\"}}"),
            format!("'{ID}','{SECRET}'"),
            format!("密钥{ID}，{SECRET}。"),
        ] {
            assert_eq!(shown(find_credentials(&text)), both, "{text}");
        }
    }

    #[test]
    fn access_key_id_is_recognised_by_its_shape() {
        for (text, found) in [
            ("LTAI012345678901", vec!["id LTAI012345678901"]),
            ("LTAI01234567890", vec![]),
            ("xLTAI0123456789012", vec![]),
            (
                "STS.NUgYrLnoC37mZZCNnAbez9Yrb",
                vec!["id STS.NUgYrLnoC37mZZCNnAbez9Yrb"],
            ),
            ("STS.short", vec![]),
            ("8d969eef6ecad3c29a3a629280e686cf0c3f5d5a", vec![]),
            ("abcdefghijklmnopqrstuvwxyzabcd", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(shown(find_credentials(text)), found, "{text}");
        }
    }

    #[test]
    fn token_of_a_source_is_read_as_a_secret() {
        let plain = "abcdefghijklmnopqrstuvwxyzabcd";
        assert_eq!(
            shown(read_credentials(&format!(" {plain}\n"))),
            [format!("secret {plain}")]
        );
        let session = "wyLTSmsyPGP1ohvvw8xYgB29dlGI8KMiH2pKFake0001";
        assert_eq!(
            shown(read_credentials(session)),
            [format!("secret {session}")]
        );
        assert_eq!(
            shown(read_credentials(&format!("{ID} {plain}"))),
            [format!("id {ID}")]
        );
        for text in ["some_token", "", "a b", &"a".repeat(65)] {
            assert!(read_credentials(text).is_empty(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn credentials_found_in_any_text_are_parts_of_it(text in "\\PC{0,200}") {
            for credential in read_credentials(&text).into_iter().chain(find_credentials(&text)) {
                let found = match &credential {
                    Credential::Id(id) => id.as_str().to_owned(),
                    Credential::Secret(secret) => secret.expose().to_owned(),
                };
                prop_assert!(text.contains(&found));
            }
        }

        #[test]
        fn access_key_is_found_inside_any_text(
            before in "[^A-Za-z0-9]{0,20}",
            between in "[^A-Za-z0-9]{1,20}",
            after in "[^A-Za-z0-9]{0,20}",
        ) {
            let text = format!("{before}{ID}{between}{SECRET}{after}");
            prop_assert_eq!(shown(find_credentials(&text)), vec![format!("id {ID}"), format!("secret {SECRET}")]);
        }
    }
}
