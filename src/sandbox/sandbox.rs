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
