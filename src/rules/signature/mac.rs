//! The MACs and digests of the schemes. Comparison is constant-time in `Mac::verify_slice`.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use sm3::Sm3;

/// Which hash a scheme is built on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashAlgorithm {
    /// SHA-1, of the RPC and ROA styles. Sound as an HMAC, kept for the clients that have nothing else.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SM3 (GB/T 32905-2016).
    Sm3,
}

impl HashAlgorithm {
    /// Whether `mac` is the HMAC of `text` under `key`.
    pub fn hmac_holds(self, key: &[u8], text: &[u8], mac: &[u8]) -> bool {
        match self {
            Self::Sha1 => verify_mac::<Hmac<Sha1>>(key, text, mac),
            Self::Sha256 => verify_mac::<Hmac<Sha256>>(key, text, mac),
            Self::Sm3 => verify_mac::<Hmac<Sm3>>(key, text, mac),
        }
    }

    /// Lower-case hex of the digest.
    pub fn hex(self, bytes: &[u8]) -> String {
        match self {
            Self::Sha1 => hex::encode(Sha1::digest(bytes)),
            Self::Sha256 => hex::encode(Sha256::digest(bytes)),
            Self::Sm3 => hex::encode(Sm3::digest(bytes)),
        }
    }
}

/// MD5 of a body, which only ROA's `Content-MD5` still asks for (RFC 1864).
pub fn md5_digest(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

fn verify_mac<M: Mac + KeyInit>(key: &[u8], text: &[u8], mac: &[u8]) -> bool {
    // An HMAC takes a key of any length, so this never fails; if it did, nothing would hold.
    M::new_from_slice(key).is_ok_and(|hmac| hmac.chain_update(text).verify_slice(mac).is_ok())
}
