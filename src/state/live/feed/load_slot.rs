//! Slots for the initial load: when many nodes start together, only a few of them load at a time.

use std::time::Duration;

use sqlx::{PgPool, PgTransaction};
use tokio::time::Instant;

use crate::directory::StateFault;

/// How many nodes may read everything at the same time.
const SLOTS: i64 = 4;

/// The first of the advisory locks that stand for the slots.
const FIRST_LOCK: i64 = 0x616b_6761_7465_0000;

/// How long a node waits for a slot before it reads without one.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// The time between two tries.
const RETRY: Duration = Duration::from_millis(200);

/// Takes a slot, which ends with the transaction; without one after half a minute, so that nothing waits for ever.
///
/// # Errors
/// [`StateFault::Database`].
pub(super) async fn take_load_slot(pool: &PgPool) -> Result<PgTransaction<'_>, StateFault> {
    let until = Instant::now() + MAX_WAIT;
    let mut tx = pool.begin().await?;
    // It is idle for as long as reading takes.
    sqlx::query!("SELECT set_config('idle_in_transaction_session_timeout', '0', true)")
        .fetch_one(&mut *tx)
        .await?;
    while Instant::now() < until {
        for slot in 0..SLOTS {
            let is_taken = sqlx::query_scalar!(
                "SELECT pg_try_advisory_xact_lock($1) AS \"is_taken!\"",
                FIRST_LOCK + slot
            );
            if is_taken.fetch_one(&mut *tx).await? {
                return Ok(tx);
            }
        }
        tokio::time::sleep(RETRY).await;
    }
    Ok(tx)
}
