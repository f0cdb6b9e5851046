//! Importing AccessKeys: many in one transaction, each once, however often the file is read.

use std::collections::HashSet;

use rand::CryptoRng;
use sqlx::PgPool;
use time::OffsetDateTime;

use crate::directory::{
    StateFault,
    contacts::{self, Contact},
    import::{ImportRow, InvalidLine},
    keys::{NewKey, SealedKey, UpsertOutcome},
    revision,
    sealing::{KeyRing, SealFault},
};
use crate::keys::lifecycle;
use akgate_rules::{access_key::AccessKeyId, position::Position};

/// What an import did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ImportCounts {
    /// New access keys.
    pub inserted: u64,
    /// Access keys with a changed secret or status.
    pub changed: u64,
    /// Unchanged access keys.
    pub unchanged: u64,
}

impl ImportCounts {
    /// Adds what another batch did.
    pub fn add(&mut self, other: &Self) {
        self.inserted += other.inserted;
        self.changed += other.changed;
        self.unchanged += other.unchanged;
    }
}

/// Rows that are sealed and ready for one transaction: each AccessKeyId once.
#[derive(Debug, Default)]
pub struct ImportChunk {
    lines: Vec<u64>,
    keys: Vec<SealedKey>,
    contacts: Vec<Option<Contact>>,
    ids: HashSet<AccessKeyId>,
}

impl ImportChunk {
    /// How many keys it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether it holds this id already: a second row for it belongs into the next batch.
    #[must_use]
    pub fn holds(&self, access_key_id: &AccessKeyId) -> bool {
        self.ids.contains(access_key_id)
    }

    /// Seals a row and adds it.
    ///
    /// # Errors
    /// [`SealFault`] only where the ring itself is broken.
    pub fn add(
        &mut self,
        line: u64,
        row: ImportRow,
        ring: &KeyRing,
        rng: &mut impl CryptoRng,
    ) -> Result<(), SealFault> {
        let key = NewKey {
            record: row.record,
            created_by: None,
        };
        let key = SealedKey::seal(key, row.user_id, ring, rng)?;
        self.ids.insert(key.access_key_id.clone());
        self.lines.push(line);
        self.contacts.push(row.contact);
        self.keys.push(key);
        Ok(())
    }
}

/// Imports a batch in one transaction. Returns the counts, the lines that were not imported, and the resulting
/// position.
///
/// # Errors
/// [`StateFault`]; none of the rows is taken then.
pub async fn import_keys(
    pool: &PgPool,
    batch: &ImportChunk,
    now: OffsetDateTime,
) -> Result<(ImportCounts, Vec<InvalidLine>, Position), StateFault> {
    let mut tx = pool.begin().await?;
    let at = revision::advance_revision(&mut tx, now).await?;
    let kept = lifecycle::upsert_keys(&mut tx, &batch.keys, at).await?;
    let contacts: Vec<(&str, &Contact)> = batch
        .keys
        .iter()
        .zip(&batch.contacts)
        .zip(&kept)
        .filter(|(_, kept)| **kept != UpsertOutcome::Foreign)
        .filter_map(|((key, contact), _)| Some((key.account_id.as_str(), contact.as_ref()?)))
        .collect();
    contacts::upsert_contacts(&mut tx, &contacts, now).await?;
    // Now that their contacts are known too.
    let new: Vec<&str> = batch
        .keys
        .iter()
        .zip(&kept)
        .filter(|(_, kept)| **kept == UpsertOutcome::Inserted)
        .map(|(key, _)| key.access_key_id.as_str())
        .collect();
    lifecycle::enqueue_to_owners(&mut tx, &new, at).await?;
    tx.commit().await?;
    let mut imported = ImportCounts::default();
    let mut rejected = Vec::new();
    for (line, kept) in batch.lines.iter().zip(kept) {
        match kept {
            UpsertOutcome::Inserted => imported.inserted += 1,
            UpsertOutcome::Changed(_) => imported.changed += 1,
            UpsertOutcome::Unchanged => imported.unchanged += 1,
            UpsertOutcome::Foreign => rejected.push(InvalidLine {
                line: *line,
                reason: "this AccessKeyId belongs to another principal".to_owned(),
            }),
        }
    }
    Ok((imported, rejected, at.position()))
}

/// Runs ANALYZE on the imported tables, as after any bulk load: until PostgreSQL does so itself, about a minute later,
/// lookups of many keys use poor plans.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn analyze_key_tables(pool: &PgPool) -> Result<(), StateFault> {
    sqlx::query("ANALYZE accounts, contacts, principals, access_keys")
        .execute(pool)
        .await?;
    Ok(())
}
