//! The source of random numbers: one generator, seeded once, that seeds others.

use std::sync::{Mutex, PoisonError};

pub use rand::rngs::SysError as NoRandomness;
use rand::{
    Rng, SeedableRng,
    rngs::{StdRng, SysError, SysRng},
};
use zeroize::Zeroizing;

use akgate_rules::mac_key::MacKey;

/// Hands out generators. Seeded from the system in production, with a number in a test.
pub struct Randomness(Mutex<StdRng>);

impl Randomness {
    /// Seeds from the operating system.
    ///
    /// # Errors
    /// The operating system refused.
    pub fn from_system() -> Result<Self, SysError> {
        Ok(Self::new(StdRng::try_from_rng(&mut SysRng)?))
    }

    /// Uses a generator that is there.
    #[must_use]
    pub fn new(rng: StdRng) -> Self {
        Self(Mutex::new(rng))
    }

    /// A generator of the caller's own.
    #[must_use]
    pub fn rng(&self) -> StdRng {
        let mut rng = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        StdRng::from_rng(&mut *rng)
    }

    /// A new key of ours.
    #[must_use]
    pub fn mac_key(&self) -> MacKey {
        let mut bytes = Zeroizing::new([0; 32]);
        self.rng().fill_bytes(&mut *bytes);
        MacKey::new(bytes)
    }
}
