//! Secrets at rest: sealed with XChaCha20-Poly1305 under a key ring, and found by a blind index.
//!
//! A sealed value is bound to its place (table, column, row) as associated data, so that it cannot be opened in another
//! place. The newest key that every running node has seals; older ones open, until everything is sealed again.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
};

use arc_swap::ArcSwap;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use hmac::Mac;
use rand::CryptoRng;
use uuid::Uuid;
use zeroize::Zeroizing;

use akgate_rules::{access_key::AccessKeySecret, mac_key::MacKey};

/// Bytes of the random nonce: at 192 bits, chance never repeats one.
const NONCE_LEN: usize = 24;

/// The form of the associated data; part of it.
const SEAL_FORMAT: &[u8] = b"akgate-sealed-v1";

/// What separates this MAC from any other use of the same key.
const BLIND_INDEX_CONTEXT: &[u8] = b"akgate-blind-index-v1\n";

/// What stands for the `index` key among the ids of seal keys, which count from 1.
pub(super) const INDEX_KEY_ID: i32 = 0;

/// The same for what tells one key ring from another.
const CHECK_CONTEXT: &[u8] = b"akgate-key-ring-check-v1\n";

/// The same for the tokens of confirmation links.
const CONFIRMATION_CONTEXT: &[u8] = b"akgate-confirmation-v1\n";

/// The keys that seal secrets, and the one that finds them and signs links. Clones are the same ring: what one takes over
/// ([`KeyRing::take_over`]), all have.
#[derive(Clone)]
pub struct KeyRing(Arc<SharedRing>);

struct SharedRing {
    keys: ArcSwap<RingKeys>,
    /// The key that seals, while the ring has it; else the newest does.
    sealing: AtomicI32,
}

struct RingKeys {
    seals: BTreeMap<i32, Zeroizing<[u8; 32]>>,
    newest: i32,
    index: MacKey,
}

impl fmt::Debug for KeyRing {
    /// The ids alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.seal_key_ids()).finish()
    }
}

/// Where a sealed value stands.
#[derive(Debug, Clone, Copy)]
pub struct SealLocation<'a> {
    /// Table.
    pub table: &'a str,
    /// Column.
    pub column: &'a str,
    /// Primary key of the row.
    pub row: &'a str,
}

/// A sealed value: its nonce, then the ciphertext with its tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecret {
    /// Which key of the ring sealed it.
    pub key_id: i32,
    /// Nonce and ciphertext.
    pub bytes: Vec<u8>,
}

/// Why a sealed value cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealFault {
    /// The ring has no such key.
    #[error(
        "the key ring has no seal key {0}: restore it (reseal all secrets before you remove a key)"
    )]
    UnknownKey(i32),
    /// It was changed, moved from another row, or sealed by another key of that id.
    #[error("cannot open a sealed secret: it was altered, or this is not the right key ring")]
    Broken,
}

/// Why a key-ring file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingFault {
    /// A line is not as it should be.
    #[error("line {line}: {reason}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong, and how it is written.
        reason: &'static str,
    },
    /// A kind of key is missing.
    #[error("the key ring has no `{0}` key")]
    Missing(&'static str),
}

impl KeyRing {
    /// Reads a key ring: a line `seal ID HEX` for each sealing key, one line `index HEX`; `#` starts a
    /// comment. `HEX` is 64 digits, 32 random bytes.
    ///
    /// # Errors
    /// [`KeyRingFault`], which never repeats what the line holds.
    pub fn parse(text: &str) -> Result<Self, KeyRingFault> {
        let mut seals = BTreeMap::new();
        let mut index = None;
        for (at, line) in text.lines().enumerate() {
            let wrong = |reason| KeyRingFault::Line {
                line: at + 1,
                reason,
            };
            let words: Vec<&str> = line
                .split('#')
                .next()
                .unwrap_or_default()
                .split_whitespace()
                .collect();
            let (known, key) = match *words.as_slice() {
                [] => continue,
                ["seal", id, key] => {
                    let id = id
                        .parse::<i32>()
                        .ok()
                        .filter(|id| *id > 0)
                        .ok_or_else(|| wrong("the id of a seal key must be a number from 1"))?;
                    (seals.contains_key(&id), (Some(id), key))
                }
                ["index", key] => (index.is_some(), (None, key)),
                _ => return Err(wrong("must be `seal ID HEX` or `index HEX`")),
            };
            if known {
                return Err(wrong("this key is repeated"));
            }
            let (id, key) = key;
            let mut bytes = Zeroizing::new([0; 32]);
            hex::decode_to_slice(key, &mut *bytes)
                .map_err(|_| wrong("a key must be 64 hexadecimal digits"))?;
            match id {
                Some(id) => drop(seals.insert(id, bytes)),
                None => index = Some(MacKey::new(bytes)),
            }
        }
        let newest = *seals
            .keys()
            .next_back()
            .ok_or(KeyRingFault::Missing("seal"))?;
        let index = index.ok_or(KeyRingFault::Missing("index"))?;
        let keys = RingKeys {
            seals,
            newest,
            index,
        };
        Ok(Self(Arc::new(SharedRing {
            keys: ArcSwap::from_pointee(keys),
            sealing: AtomicI32::new(newest),
        })))
    }

    /// Works with the keys of another ring from now on. What sealed before goes on to seal, if that ring has it: others may
    /// not have a newer key yet.
    pub fn take_over(&self, other: &Self) {
        self.0.keys.store(other.0.keys.load_full());
    }

    /// Seals with the newest key that all these rings have as well, given by the ids of their keys; with the newest of its
    /// own where they share none. Whether that is another one than before.
    pub fn seal_with_common_key(&self, rings: &[Vec<i32>]) -> bool {
        let keys = self.0.keys.load();
        let is_common = |id: &&i32| rings.iter().all(|ring| ring.contains(id));
        let common = keys.seals.keys().rev().find(is_common);
        let sealing = common.copied().unwrap_or(keys.newest);
        self.0.sealing.swap(sealing, Ordering::Relaxed) != sealing
    }

    /// Whether another ring has the same keys under the same ids.
    #[must_use]
    pub fn has_same_keys(&self, other: &Self) -> bool {
        self.check_values() == other.check_values()
    }

    /// The id of the newest key.
    #[must_use]
    pub fn newest(&self) -> i32 {
        self.0.keys.load().newest
    }

    /// The id of the key that seals.
    #[must_use]
    pub fn sealing(&self) -> i32 {
        let sealing = self.0.sealing.load(Ordering::Relaxed);
        match self.has(sealing) {
            true => sealing,
            false => self.newest(),
        }
    }

    /// The ids of the keys that seal and open.
    #[must_use]
    pub fn seal_key_ids(&self) -> Vec<i32> {
        self.0.keys.load().seals.keys().copied().collect()
    }

    /// Whether it has the sealing key of this id.
    #[must_use]
    pub fn has(&self, seal_key_id: i32) -> bool {
        self.0.keys.load().seals.contains_key(&seal_key_id)
    }

    /// Seals a secret for one place, with the newest key that every running node has.
    ///
    /// # Errors
    /// [`SealFault`] only where the ring itself is broken.
    pub fn seal(
        &self,
        secret: &AccessKeySecret,
        place: SealLocation<'_>,
        rng: &mut impl CryptoRng,
    ) -> Result<SealedSecret, SealFault> {
        self.seal_with(self.sealing(), secret, place, rng)
    }

    /// The same with a certain key.
    pub(super) fn seal_with(
        &self,
        key_id: i32,
        secret: &AccessKeySecret,
        place: SealLocation<'_>,
        rng: &mut impl CryptoRng,
    ) -> Result<SealedSecret, SealFault> {
        let keys = self.0.keys.load();
        let mut nonce = [0; NONCE_LEN];
        rng.fill_bytes(&mut nonce);
        let text = keys
            .cipher(key_id)?
            .encrypt(
                &XNonce::from(nonce),
                Payload {
                    msg: secret.expose().as_bytes(),
                    aad: &place.associated_data(key_id),
                },
            )
            .map_err(|_| SealFault::Broken)?;
        Ok(SealedSecret {
            key_id,
            bytes: [&nonce[..], &text].concat(),
        })
    }

    /// Opens a secret that was sealed for this place.
    ///
    /// # Errors
    /// [`SealFault`].
    pub fn open(
        &self,
        sealed: &SealedSecret,
        place: SealLocation<'_>,
    ) -> Result<AccessKeySecret, SealFault> {
        let (nonce, text) = sealed
            .bytes
            .split_first_chunk::<NONCE_LEN>()
            .ok_or(SealFault::Broken)?;
        let keys = self.0.keys.load();
        let secret = keys
            .cipher(sealed.key_id)?
            .decrypt(
                &XNonce::from(*nonce),
                Payload {
                    msg: text,
                    aad: &place.associated_data(sealed.key_id),
                },
            )
            .map_err(|_| SealFault::Broken)?;
        String::from_utf8(secret)
            .map(AccessKeySecret::new)
            .map_err(|_| SealFault::Broken)
    }

    /// The token of a confirmation link: nobody without the ring can make one.
    #[must_use]
    pub fn confirmation_token(&self, restriction: Uuid, contact: Uuid, generation: i32) -> String {
        let keys = self.0.keys.load();
        let mac = keys
            .index
            .mac(CONFIRMATION_CONTEXT)
            .chain_update(restriction.as_bytes())
            .chain_update(contact.as_bytes())
            .chain_update(generation.to_be_bytes())
            .finalize()
            .into_bytes();
        URL_SAFE_NO_PAD.encode(mac)
    }

    /// What a leaked secret is looked up by. Equal secrets have equal indexes; without the ring nothing
    /// can be learnt from one.
    #[must_use]
    pub fn blind_index(&self, secret: &AccessKeySecret) -> Vec<u8> {
        let keys = self.0.keys.load();
        keys.index
            .mac(BLIND_INDEX_CONTEXT)
            .chain_update(secret.expose())
            .finalize()
            .into_bytes()
            .to_vec()
    }

    /// A MAC of a constant under each key, by id, the index key's under 0: they tell two rings apart and open nothing.
    #[must_use]
    pub(super) fn check_values(&self) -> Vec<(i32, Vec<u8>)> {
        let value = |key: &MacKey| key.mac(CHECK_CONTEXT).finalize().into_bytes().to_vec();
        let keys = self.0.keys.load();
        let seals = keys.seals.iter();
        let seals = seals.map(|(id, key)| (*id, value(&MacKey::new(key.clone()))));
        seals.chain([(INDEX_KEY_ID, value(&keys.index))]).collect()
    }
}

impl RingKeys {
    fn cipher(&self, key_id: i32) -> Result<XChaCha20Poly1305, SealFault> {
        let key = self
            .seals
            .get(&key_id)
            .ok_or(SealFault::UnknownKey(key_id))?;
        Ok(XChaCha20Poly1305::new((&**key).into()))
    }
}

impl SealLocation<'_> {
    /// Each part after its length, so that no two places read alike.
    fn associated_data(&self, key_id: i32) -> Vec<u8> {
        let id = key_id.to_be_bytes();
        let parts = [
            SEAL_FORMAT,
            self.table.as_bytes(),
            self.column.as_bytes(),
            self.row.as_bytes(),
            &id,
        ];
        parts
            .into_iter()
            .flat_map(|part| [&(part.len() as u64).to_be_bytes()[..], part].concat())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    const PLACE: SealLocation<'_> = SealLocation {
        table: "access_keys",
        column: "sealed_secret",
        row: "LTAI1",
    };

    fn ring(lines: &[(i32, u8)]) -> KeyRing {
        let seals: String = lines
            .iter()
            .map(|(id, byte)| format!("seal {id} {}\n", hex::encode([*byte; 32])))
            .collect();
        KeyRing::parse(&format!("# test\n{seals}index {}", hex::encode([9; 32]))).unwrap()
    }

    fn secret() -> AccessKeySecret {
        AccessKeySecret::new("FakeSecretForTestsOnly0123abcD".into())
    }

    #[test]
    fn sealed_secret_opens_only_in_its_own_row() {
        let ring = ring(&[(1, 1)]);
        let sealed = ring
            .seal(&secret(), PLACE, &mut StdRng::seed_from_u64(1))
            .unwrap();
        assert_eq!(
            ring.open(&sealed, PLACE).unwrap().expose(),
            secret().expose()
        );
        for place in [
            SealLocation {
                row: "LTAI2",
                ..PLACE
            },
            SealLocation {
                column: "sealed_secre",
                row: "tLTAI1",
                ..PLACE
            },
            SealLocation {
                table: "sessions",
                ..PLACE
            },
        ] {
            assert_eq!(ring.open(&sealed, place).err(), Some(SealFault::Broken));
        }
    }

    #[test]
    fn sealed_secret_with_a_changed_byte_does_not_open() {
        let ring = ring(&[(1, 1), (2, 1)]);
        let sealed = ring
            .seal(&secret(), PLACE, &mut StdRng::seed_from_u64(1))
            .unwrap();
        for at in 0..sealed.bytes.len() {
            let mut changed = sealed.clone();
            changed.bytes[at] ^= 1;
            assert_eq!(
                ring.open(&changed, PLACE).err(),
                Some(SealFault::Broken),
                "{at}"
            );
        }
        let other_id = SealedSecret {
            key_id: 1,
            ..sealed
        };
        assert_eq!(ring.open(&other_id, PLACE).err(), Some(SealFault::Broken));
    }

    #[test]
    fn newest_sealing_key_seals_and_older_keys_open() {
        let old = ring(&[(1, 1)]);
        let sealed = old
            .seal(&secret(), PLACE, &mut StdRng::seed_from_u64(1))
            .unwrap();
        let rotated = ring(&[(2, 2), (1, 1)]);
        assert!(rotated.open(&sealed, PLACE).is_ok());
        let again = rotated
            .seal(&secret(), PLACE, &mut StdRng::seed_from_u64(1))
            .unwrap();
        assert_eq!(again.key_id, 2);
        assert_eq!(
            old.open(&again, PLACE).err(),
            Some(SealFault::UnknownKey(2))
        );
    }

    #[test]
    fn new_key_seals_once_every_ring_has_it() {
        let ring = ring(&[(1, 1)]);
        ring.take_over(&super::tests::ring(&[(1, 1), (2, 2), (3, 3)]));
        assert_eq!((ring.newest(), ring.sealing()), (3, 1));
        for (others, sealing) in [
            (vec![vec![1]], 1),
            (vec![vec![1, 2, 3], vec![1, 2]], 2),
            (vec![vec![1, 2, 3], vec![2, 3, 4]], 3),
            (vec![vec![1, 2], vec![1]], 1),
            // Nothing would serve all of them.
            (vec![vec![1], vec![4]], 3),
            (vec![], 3),
        ] {
            let before = ring.sealing();
            assert_eq!(ring.seal_with_common_key(&others), before != sealing);
            assert_eq!(ring.sealing(), sealing, "{others:?}");
            let sealed = ring.seal(&secret(), PLACE, &mut StdRng::seed_from_u64(1));
            assert_eq!(sealed.unwrap().key_id, sealing);
        }
        // The key that seals is taken out.
        ring.take_over(&super::tests::ring(&[(4, 4)]));
        assert_eq!(ring.sealing(), 4);
    }

    #[test]
    fn faulty_key_ring_is_refused_with_its_line_and_without_its_keys() {
        let key = hex::encode([3; 32]);
        for (text, said) in [
            (
                format!("seal 1 {key}\nseal 1 {key}"),
                "line 2: this key is repeated",
            ),
            (
                format!("\nseal one {key}"),
                "line 2: the id of a seal key must be a number from 1",
            ),
            (
                format!("seal 1 {key}0"),
                "line 1: a key must be 64 hexadecimal digits",
            ),
            (
                format!("salt {key}"),
                "line 1: must be `seal ID HEX` or `index HEX`",
            ),
            (format!("seal 1 {key}"), "the key ring has no `index` key"),
            (format!("index {key}"), "the key ring has no `seal` key"),
        ] {
            assert_eq!(KeyRing::parse(&text).err().unwrap().to_string(), said);
        }
    }

    #[test]
    fn equal_secrets_share_a_blind_index_under_one_key_ring() {
        let ring = ring(&[(1, 1)]);
        assert_eq!(ring.blind_index(&secret()), ring.blind_index(&secret()));
        let other = AccessKeySecret::new("another".into());
        assert_ne!(ring.blind_index(&secret()), ring.blind_index(&other));
    }
}
