//! Verifies that memory equals the database. The feed only applies changes, so a flipped bit would stay until the
//! process restarts.

use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use sqlx::PgTransaction;
use tokio::sync::watch;

use super::{Feed, begin_snapshot, changes::access_key_entry};
use crate::directory::{
    StateFault,
    keys::parse_key_id,
    revision::{self, RegistryCounters},
    with_timeout,
};
use crate::live::memory::RegistryMaps;

/// The time between two comparisons.
const INTERVAL: Duration = Duration::from_secs(60);

/// How many keys a comparison reads: after some comparisons, each was read.
const KEY_RANGE: i64 = 20_000;

/// Where the next comparison of keys begins.
#[derive(Debug, Default)]
pub struct VerificationCursor(String);

impl Feed {
    /// Compares what is in memory with the database every minute, until told to stop. What differs is logged and read
    /// again.
    pub async fn run_verification(&self, mut stop: watch::Receiver<bool>) {
        let mut cursor = VerificationCursor::default();
        while !*stop.borrow() {
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                _ = stop.changed() => return,
            }
            match self.verify(&mut cursor).await {
                Ok(0) => {}
                Ok(count) => {
                    tracing::error!(
                        count,
                        "the registry in memory differed from the database's; it was read again"
                    );
                }
                Err(fault) => {
                    tracing::debug!(%fault, "the registry in memory could not be compared");
                }
            }
        }
    }

    /// Compares all restrictions in force by a digest, and the next range of keys one by one. Gives how much was wrong,
    /// and is right again: 1 for the restrictions, 1 for each key.
    ///
    /// # Errors
    /// [`StateFault`].
    pub async fn verify(&self, cursor: &mut VerificationCursor) -> Result<usize, StateFault> {
        let timeout = self.settings.timeout;
        let maps = self.live.maps();
        let Some(maps) = maps.as_ref() else {
            return Ok(0);
        };
        let Some((mut tx, counters, ours)) = self.begin_comparison().await? else {
            return Ok(0);
        };
        let comparing = compare_keys(&mut tx, maps, counters.position.revision, cursor);
        let repaired = with_timeout(timeout, comparing).await?;
        let theirs = with_timeout(timeout, digest_restrictions(&mut tx)).await?;
        drop(tx);
        let mut mismatches = repaired;
        if theirs != ours {
            let _turn = self.turn.lock().await;
            self.reload(counters).await?;
            mismatches += 1;
        }
        self.verification.note(Instant::now(), mismatches);
        Ok(mismatches)
    }

    /// A snapshot of the database, and the digest of what is in memory at the snapshot's position; `None` before the
    /// first load, and while the history becomes another. Nobody applies changes until both are taken.
    async fn begin_comparison(
        &self,
    ) -> Result<Option<(PgTransaction<'_>, RegistryCounters, RestrictionDigest)>, StateFault> {
        let timeout = self.settings.timeout;
        let _turn = self.turn.lock().await;
        let (maps, here) = (self.live.maps(), self.counters());
        let (Some(maps), Some(here)) = (maps.as_ref(), here) else {
            return Ok(None);
        };
        let mut tx = with_timeout(timeout, begin_snapshot(&self.pool)).await?;
        let now = with_timeout(timeout, revision::read_counters(&mut tx)).await?;
        let is_later = |now: &RegistryCounters| {
            now.position.covers(here.position) && now.addition >= here.addition
        };
        let Some(now) = now.filter(is_later) else {
            return Ok(None);
        };
        self.apply_since(&mut tx, here, now).await?;
        Ok(Some((tx, now, RestrictionDigest::of(maps))))
    }
}

/// A digest of all restrictions in force, in any order.
#[derive(Debug, Default, PartialEq, Eq)]
struct RestrictionDigest {
    count: i64,
    /// Exclusive or of the first eight bytes of each SHA-256.
    digest: i64,
}

impl RestrictionDigest {
    fn of(maps: &RegistryMaps) -> Self {
        let restrictions = maps.restrictions.pin();
        let in_force = restrictions
            .iter()
            .filter_map(|(id, restrictions)| Some((id, restrictions.in_force?)));
        in_force.fold(Self::default(), |sum, (id, mark)| {
            let widened = if mark.is_widened { 't' } else { 'f' };
            let text = format!("{} {} {widened}", id.as_str(), mark.restriction_id);
            let hash = Sha256::digest(text);
            let head = hash.first_chunk().copied().unwrap_or_default();
            Self {
                count: sum.count + 1,
                digest: sum.digest ^ i64::from_be_bytes(head),
            }
        })
    }
}

async fn digest_restrictions(tx: &mut PgTransaction<'_>) -> Result<RestrictionDigest, StateFault> {
    let digest = sqlx::query_as!(
        RestrictionDigest,
        "SELECT
             count(*) AS \"count!\",
             COALESCE(bit_xor(('x' || left(encode(sha256(convert_to(
                 concat_ws(' ', access_key_id, restriction_id, widened_at IS NOT NULL),
                 'UTF8'
             )), 'hex'), 16))::bit(64)::bigint), 0) AS \"digest!\"
         FROM restrictions
         WHERE state <> 'Lifted'"
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(digest)
}

/// Compares the next range of keys; puts right what differs, unless a look-up has found something later.
async fn compare_keys(
    tx: &mut PgTransaction<'_>,
    maps: &RegistryMaps,
    up_to: i64,
    cursor: &mut VerificationCursor,
) -> Result<usize, StateFault> {
    let rows = sqlx::query!(
        "SELECT access_key_id, status, revision
         FROM access_keys
         WHERE access_key_id > $1
         ORDER BY access_key_id
         LIMIT $2",
        cursor.0,
        KEY_RANGE
    )
    .fetch_all(&mut **tx)
    .await?;
    let is_whole = i64::try_from(rows.len()).is_ok_and(|count| count == KEY_RANGE);
    let end = rows.last().filter(|_| is_whole);
    cursor.0 = end.map_or_else(String::new, |row| row.access_key_id.clone());
    let mut repaired = 0;
    for row in rows {
        let id = parse_key_id(&row.access_key_id)?;
        let theirs = access_key_entry(row.revision, &row.status)?;
        let ours = maps.credentials.pin().get(&id).copied();
        let is_right = ours.is_some_and(|ours| ours.state == theirs.state || ours.revision > up_to);
        if !is_right {
            maps.merge_credential(id, theirs);
            repaired += 1;
        }
    }
    Ok(repaired)
}
