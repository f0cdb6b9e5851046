//! What every action of the sandbox depends on.

use std::sync::Arc;

use rand::{RngExt, distr::Alphanumeric};
use sqlx::PgPool;

use akgate_rules::mac_key::MacKey;
use akgate_state::{clock::Clock, randomness::Randomness};

/// The sandbox.
#[derive(Clone)]
pub struct Sandbox {
    pub(crate) pool: PgPool,
    pub(crate) identity_key: MacKey,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) randomness: Arc<Randomness>,
}

impl Sandbox {
    /// A sandbox that trusts identities under this key.
    #[must_use]
    pub fn new(
        pool: PgPool,
        identity_key: MacKey,
        clock: Arc<dyn Clock>,
        randomness: Arc<Randomness>,
    ) -> Self {
        Self {
            pool,
            identity_key,
            clock,
            randomness,
        }
    }

    /// A RequestId, for an answer to a request that brings none.
    pub(crate) fn random_id(&self) -> String {
        let bytes = self.randomness.rng().random();
        let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
        id.hyphenated().to_string().to_ascii_uppercase()
    }

    /// Decimal digits, as ids have them; the first is no zero.
    pub(crate) fn random_digits(&self, count: usize) -> String {
        let mut rng = self.randomness.rng();
        std::iter::once('4')
            .chain((1..count).map(|_| char::from(rng.random_range(b'0'..=b'9'))))
            .collect()
    }

    /// Base 32 digits, as a seed of an MFA device has them.
    pub(crate) fn random_base32(&self, count: usize) -> String {
        const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let mut rng = self.randomness.rng();
        (0..count)
            .filter_map(|_| DIGITS.get(rng.random_range(0..DIGITS.len())))
            .map(|digit| char::from(*digit))
            .collect()
    }

    /// Letters and digits, as ids and secrets have them.
    pub(crate) fn random_text(&self, count: usize) -> String {
        self.randomness
            .rng()
            .sample_iter(Alphanumeric)
            .take(count)
            .map(char::from)
            .collect()
    }
}
