//! Leak reports: their proof, their place, and what makes two of them the same sighting.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime, macros::datetime};

use crate::{access_key::AccessKeySecret, secret_fragments::SecretFragments};

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

/// Where a report comes from, as part of its identity: SHA-256 over each part after its length, of the reference that the
/// source gives, or else of the place. Made of the texts as they were given, since two of them may read the same once
/// secrets are removed from them. Two reports of one source are the same if origin and key, or secret, are.
#[must_use]
pub fn report_origin(reference: Option<&str>, place: &LeakPlace) -> [u8; 32] {
    fn text(text: &Option<String>) -> &str {
        text.as_deref().unwrap_or_default()
    }
    let parts = match reference {
        Some(reference) => ["reference", reference, "", ""],
        None => [
            "place",
            text(&place.url),
            text(&place.commit),
            text(&place.path),
        ],
    };
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// When keys were first given out: nothing leaked earlier.
const FIRST_KEYS: OffsetDateTime = datetime!(2009-01-01 00:00 UTC);

/// How far the clock of a source may be ahead.
const CLOCK_TOLERANCE: Duration = Duration::minutes(5);

/// Whether a leak can have been seen at this time: since 2009, and not in the future.
#[must_use]
pub fn is_plausible_first_seen(at: OffsetDateTime, now: OffsetDateTime) -> bool {
    FIRST_KEYS <= at && at <= now + CLOCK_TOLERANCE
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
    fn report_origin_differs_by_reference_and_place() {
        let place = LeakPlace::new(Some("https://h.example/a"), Some("c0ffee"), Some(".env"));
        let all = [
            report_origin(Some("finding-1"), &place),
            report_origin(Some("finding-2"), &place),
            report_origin(None, &place),
            report_origin(None, &LeakPlace::default()),
            report_origin(Some(""), &LeakPlace::default()),
            report_origin(None, &LeakPlace::new(place.url.as_deref(), None, None)),
            report_origin(None, &LeakPlace::new(None, place.url.as_deref(), None)),
        ];
        for (at, origin) in all.iter().enumerate() {
            assert!(!all[..at].contains(origin), "{at}");
        }
        let again = LeakPlace::new(Some(" https://h.example/a\n"), Some("c0ffee"), Some(".env"));
        assert_eq!(all[2], report_origin(None, &again));
        assert_eq!(
            all[0],
            report_origin(Some("finding-1"), &LeakPlace::default())
        );
    }

    #[test]
    fn leak_is_seen_since_2009_and_not_in_the_future() {
        let now = datetime!(2024-04-18 09:00 +8);
        for (at, expected) in [
            (now, true),
            (now + Duration::minutes(5), true),
            (now + Duration::minutes(6), false),
            (datetime!(2009-01-01 00:00 UTC), true),
            (datetime!(2008-12-31 23:59:59 UTC), false),
            (OffsetDateTime::UNIX_EPOCH, false),
        ] {
            assert_eq!(is_plausible_first_seen(at, now), expected, "{at}");
        }
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
