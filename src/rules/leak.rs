//! Leak reports: their proof, their place, and what makes two of them the same sighting.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::{
    access_key::{AccessKeyId, AccessKeySecret},
    secret_fragments::SecretFragments,
};

crate::text_enum! {
    /// The proof of a report. An id is not secret, so an id alone proves nothing.
    #[derive(PartialOrd, Ord)]
    pub enum Proof {
        /// The id alone, or a secret of no known key: stored and shown to operators, but restricts nothing.
        Suspected = "Suspected",
        /// The secret alone, found by its keyed digest.
        Secret = "Secret",
        /// The id with its secret.
        IdAndSecret = "IdAndSecret",
        /// An operator's decision.
        Decided = "Decided",
    }
}

impl Proof {
    /// Whether it restricts the key.
    #[must_use]
    pub fn restricts(self) -> bool {
        match self {
            Self::Suspected => false,
            Self::Secret | Self::IdAndSecret | Self::Decided => true,
        }
    }
}

/// Where something was found, in the source's own words; must not be shown without
/// [`crate::evidence::describe_location`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct LeakPlace {
    /// The address.
    pub url: Option<String>,
    /// The commit.
    pub commit: Option<String>,
    /// The file.
    pub path: Option<String>,
}

impl LeakPlace {
    /// The longest text of a place, in bytes; more says nothing more.
    pub const LONGEST: usize = 2048;

    /// A place whose texts can be stored: cut at [`LeakPlace::LONGEST`], without NUL, and with `None` instead of an
    /// empty one.
    #[must_use]
    pub fn new(url: Option<&str>, commit: Option<&str>, path: Option<&str>) -> Self {
        let text = |text: Option<&str>| {
            let text = text?.trim();
            let text = text
                .get(..text.floor_char_boundary(Self::LONGEST))?
                .replace('\0', "\u{fffd}");
            (!text.is_empty()).then_some(text)
        };
        Self {
            url: text(url),
            commit: text(commit),
            path: text(path),
        }
    }

    /// The place without any fragment of these secrets: a URL may contain one.
    #[must_use]
    pub fn without(&self, secrets: &SecretFragments) -> Self {
        let without = |text: &Option<String>| Some(secrets.redact(text.as_deref()?));
        Self {
            url: without(&self.url),
            commit: without(&self.commit),
            path: without(&self.path),
        }
    }
}

/// What was found, as part of a sighting's identity.
#[derive(Debug, Clone, Copy)]
pub enum SightingSubject<'a> {
    /// A key, or a session.
    Key(&'a AccessKeyId),
    /// A secret of no known key, by its keyed digest.
    Secret(&'a [u8]),
}

/// The reference of a sighting whose source gives none: the same finding in the same place gets the same reference,
/// which reveals neither. SHA-256 in hexadecimal digits, over each part after its length.
#[must_use]
pub fn sighting_reference(found: SightingSubject<'_>, place: &LeakPlace) -> String {
    let (kind, what) = match found {
        SightingSubject::Key(id) => ("key", id.as_str().as_bytes()),
        SightingSubject::Secret(digest) => ("secret", digest),
    };
    let text = |text: &Option<String>| text.clone().unwrap_or_default().into_bytes();
    let mut hash = Sha256::new();
    for part in [
        kind.as_bytes(),
        what,
        &text(&place.url),
        &text(&place.commit),
        &text(&place.path),
    ] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

/// Whether a MAC proves possession of the secret: HMAC-SHA256 (RFC 2104) by it over
/// `akgate-leak-report-v1\n<host>\n<nonce>`. Compared in constant time.
#[must_use]
pub fn shows_possession(secret: &AccessKeySecret, host: &str, nonce: &str, mac: &[u8]) -> bool {
    let Ok(key) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else {
        return false;
    };
    key.chain_update(format!("akgate-leak-report-v1\n{host}\n{nonce}"))
        .verify_slice(mac)
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suspicion_alone_restricts_nothing() {
        for proof in Proof::ALL {
            assert_eq!(proof.restricts(), proof > Proof::Suspected);
            assert_eq!(proof.as_str().parse(), Ok(proof));
        }
        assert!("pair".parse::<Proof>().is_err());
    }

    /// The MAC is that of `printf 'akgate-leak-report-v1\nakgate.example\nnonce-0123456789' | openssl dgst -sha256 -hmac …`.
    #[test]
    fn possession_mac_is_bound_to_secret_host_and_nonce() {
        let secret = AccessKeySecret::new("FakeSecretForTestsOnly0123abcD".into());
        let mac = hex::decode("158ae3c88d72c21b06588a22d6576d1e9cb6433eeb81ec59eba2485e6a52513c")
            .unwrap();
        let shows = |secret: &AccessKeySecret, host, nonce, mac: &[u8]| {
            shows_possession(secret, host, nonce, mac)
        };
        assert!(shows(&secret, "akgate.example", "nonce-0123456789", &mac));
        assert!(!shows(&secret, "other.example", "nonce-0123456789", &mac));
        assert!(!shows(&secret, "akgate.example", "nonce-0123456780", &mac));
        assert!(!shows(
            &secret,
            "akgate.example",
            "nonce-0123456789",
            &mac[..31]
        ));
        assert!(!shows(&secret, "akgate.example", "nonce-0123456789", b""));
        let other = AccessKeySecret::new("FakeSecretForTestsOnly0123abcE".into());
        assert!(!shows(&other, "akgate.example", "nonce-0123456789", &mac));
    }

    #[test]
    fn sighting_reference_differs_by_key_and_place() {
        let id = |text| AccessKeyId::parse(text).unwrap();
        let (one, other) = (
            id("LTAI5tFakeKeyForTestsOnly01"),
            id("LTAI5tFakeKeyForTestsOnly02"),
        );
        let place = LeakPlace::new(Some("https://h.example/a"), Some("c0ffee"), Some(".env"));
        let all = [
            sighting_reference(SightingSubject::Key(&one), &place),
            sighting_reference(SightingSubject::Key(&other), &place),
            sighting_reference(SightingSubject::Secret(one.as_str().as_bytes()), &place),
            sighting_reference(SightingSubject::Key(&one), &LeakPlace::default()),
            sighting_reference(
                SightingSubject::Key(&one),
                &LeakPlace::new(place.url.as_deref(), None, None),
            ),
            sighting_reference(
                SightingSubject::Key(&one),
                &LeakPlace::new(None, place.url.as_deref(), None),
            ),
        ];
        for (at, reference) in all.iter().enumerate() {
            assert!(!all[..at].contains(reference), "{at}");
        }
        let again = LeakPlace::new(Some(" https://h.example/a\n"), Some("c0ffee"), Some(".env"));
        assert_eq!(
            all[0],
            sighting_reference(SightingSubject::Key(&one), &again)
        );
    }

    #[test]
    fn place_fits_the_database_and_contains_no_secret() {
        let long = "é".repeat(2000);
        let place = LeakPlace::new(Some(&long), Some(""), Some("a\0b"));
        assert_eq!(place.url.map(|url| url.len()), Some(2048));
        assert_eq!(place.commit, None);
        assert_eq!(place.path.as_deref(), Some("a\u{fffd}b"));
        let secret = "FakeSecretForTestsOnly0123abcD";
        let pieces = SecretFragments::of(&[AccessKeySecret::new(secret.into())]);
        let place = LeakPlace::new(Some(secret), Some(secret), Some(secret)).without(&pieces);
        assert_eq!(
            place,
            LeakPlace::new(Some("******"), Some("******"), Some("******"))
        );
    }
}
