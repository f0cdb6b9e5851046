//! Importing AccessKeys: many in one transaction, each once, however often the file is read.

use rand::CryptoRng;
use sqlx::PgPool;
use time::OffsetDateTime;

use super::keys;
use crate::directory::{
    StateFault, contacts,
    import::{BadLine, Row},
    keys::{Kept, NewKey},
    revision,
    sealing::KeyRing,
};

/// What an import did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Pairs that are new.
    pub inserted: u64,
    /// Pairs whose secret or status was another.
    pub changed: u64,
    /// Pairs that were there as they are.
    pub unchanged: u64,
    /// Lines that were not taken.
    pub rejected: Vec<BadLine>,
}

/// Takes some rows in one transaction, and adds to `imported` what came of them.
///
/// # Errors
/// [`StateFault`]; none of the rows is taken then.
pub async fn import(
    pool: &PgPool,
    ring: &KeyRing,
    rows: &[(u64, Row)],
    imported: &mut Imported,
    now: OffsetDateTime,
    rng: &mut (impl CryptoRng + Send),
) -> Result<(), StateFault> {
    let mut done = imported.clone();
    let mut tx = pool.begin().await?;
    let at = revision::advance(&mut tx, now).await?;
    for (line, row) in rows {
        let key = NewKey {
            record: row.record.clone(),
            made_by: None,
        };
        match keys::keep(&mut tx, ring, &key, at, rng).await {
            Ok(Kept::Inserted) => done.inserted += 1,
            Ok(Kept::Changed(_)) => done.changed += 1,
            Ok(Kept::Unchanged) => done.unchanged += 1,
            Err(StateFault::OtherPrincipal) => {
                done.rejected.push(BadLine {
                    line: *line,
                    reason: "this AccessKeyId belongs to another principal".to_owned(),
                });
                continue;
            }
            Err(fault) => return Err(fault),
        }
        if let Some((email, language)) = &row.contact {
            contacts::keep_in(&mut tx, &row.record.account_id, email, *language, now).await?;
        }
    }
    tx.commit().await?;
    *imported = done;
    Ok(())
}
