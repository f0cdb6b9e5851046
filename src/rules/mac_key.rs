//! A key of akgate: 32 random bytes that are used only for HMAC-SHA256.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// A secret key. Wiped on drop; never printed.
#[derive(Clone)]
pub struct MacKey(Zeroizing<[u8; 32]>);

impl MacKey {
    /// Takes 32 random bytes.
    #[must_use]
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// Starts an HMAC (RFC 2104). `context` names the use, so that no MAC counts for another one.
    #[must_use]
    pub fn mac(&self, context: &[u8]) -> Hmac<Sha256> {
        // A short key is padded with zeros to the block of the hash; done here, it cannot fail.
        let mut block = Zeroizing::new([0; 64]);
        block
            .iter_mut()
            .zip(self.0.iter())
            .for_each(|(to, from)| *to = *from);
        Hmac::<Sha256>::new((&*block).into()).chain_update(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prepared_key_makes_the_same_mac() {
        let ours = MacKey::new(Zeroizing::new([7; 32]))
            .mac(b"a")
            .chain_update(b"b");
        let theirs = Hmac::<Sha256>::new_from_slice(&[7; 32])
            .unwrap()
            .chain_update(b"ab");
        assert_eq!(ours.finalize().into_bytes(), theirs.finalize().into_bytes());
    }
}
