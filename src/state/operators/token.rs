//! Operator tokens: `akg_<id>_<secret><checksum>`.
//!
//! The prefix lets secret scanners know one; the id says whose guesses to count; the checksum (CRC-32, six
//! characters) tells a slip of the hand from a wrong token without asking the database. Only SHA-256 of the
//! whole is stored: the secret has 238 bits, so a slow hash would protect nothing more.

use rand::CryptoRng;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const PREFIX: &str = "akg_";
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ID_LEN: usize = 10;
const SECRET_LEN: usize = 40;
const CHECKSUM_LEN: usize = 6;

/// A token. Shown once, when it is made; `Debug` hides it.
#[derive(Clone)]
pub struct OperatorToken(Zeroizing<String>);

/// A text that cannot be a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not an operator token: it must be akg_…, 61 characters long")]
pub struct InvalidToken;

impl OperatorToken {
    /// Creates a token.
    #[must_use]
    pub fn make(rng: &mut impl CryptoRng) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(64));
        text.push_str(PREFIX);
        text.push_str(&random_alphanumeric(rng, ID_LEN));
        text.push('_');
        text.push_str(&random_alphanumeric(rng, SECRET_LEN));
        let checksum = checksum(&text);
        text.push_str(&checksum);
        Self(text)
    }

    /// Reads a token.
    ///
    /// # Errors
    /// [`InvalidToken`] for a text that was never made here.
    pub fn parse(text: &str) -> Result<Self, InvalidToken> {
        let at = text.len().checked_sub(CHECKSUM_LEN).ok_or(InvalidToken)?;
        let (body, given) = text.split_at_checked(at).ok_or(InvalidToken)?;
        let (id, secret) = body
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('_'))
            .ok_or(InvalidToken)?;
        let fits = id.len() == ID_LEN
            && secret.len() == SECRET_LEN
            && id
                .bytes()
                .chain(secret.bytes())
                .all(|b| b.is_ascii_alphanumeric());
        if fits && given == checksum(body) {
            Ok(Self(Zeroizing::new(text.to_owned())))
        } else {
            Err(InvalidToken)
        }
    }

    /// The part that names the operator.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('_').next())
            .unwrap_or_default()
    }

    /// What is stored of it.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// The token, to be shown once.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for OperatorToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Letters of the alphabet, each as likely: bytes beyond a multiple of its length are thrown away.
fn random_alphanumeric(rng: &mut impl CryptoRng, count: usize) -> String {
    let mut text = String::with_capacity(count);
    let mut byte = [0];
    while text.len() < count {
        rng.fill_bytes(&mut byte);
        let [drawn] = byte;
        if drawn < 248 {
            let letter = ALPHABET.get(usize::from(drawn) % ALPHABET.len());
            text.extend(letter.copied().map(char::from));
        }
    }
    text
}

fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut letters = [b'0'; CHECKSUM_LEN];
    for letter in letters.iter_mut().rev() {
        let at = usize::try_from(rest % 62).unwrap_or_default();
        *letter = ALPHABET.get(at).copied().unwrap_or(b'0');
        rest /= 62;
    }
    letters.map(char::from).iter().collect()
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn token_survives_writing_and_reading() {
        let token = OperatorToken::make(&mut StdRng::seed_from_u64(1));
        assert_eq!(token.expose().len(), 61);
        let read = OperatorToken::parse(token.expose()).unwrap();
        assert_eq!((read.id(), read.digest()), (token.id(), token.digest()));
        assert_eq!(format!("{token:?}"), "Token(…)");
    }

    #[test]
    fn mistyped_token_is_detected_without_a_database() {
        let token = OperatorToken::make(&mut StdRng::seed_from_u64(1));
        for at in 0..token.expose().len() {
            let mut changed = token.expose().to_owned();
            let other = if changed.as_bytes()[at] == b'x' {
                "y"
            } else {
                "x"
            };
            changed.replace_range(at..=at, other);
            assert!(OperatorToken::parse(&changed).is_err(), "{at}");
        }
        for text in ["", "akg_", "é", "Bearer akg_a_b", &"é".repeat(40)] {
            assert!(OperatorToken::parse(text).is_err(), "{text}");
        }
    }
}
