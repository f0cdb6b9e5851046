//! The key ring: the one that belongs to the database, read again when its file changes.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    config::{Config, ConfigSecret},
    serve::error::ServeError,
};
use akgate_state::{
    database::Pool,
    directory::{key_ring_check, sealing::KeyRing},
    live::nodes,
};

/// The time between two looks at the file.
const RELOAD_INTERVAL: Duration = Duration::from_secs(1);

/// The configured key ring, if it is the one of this database. It seals with a key that all running nodes have.
///
/// # Errors
/// [`ServeError::KeyRing`], [`ServeError::KeyRingMismatch`], [`ServeError::Registry`].
pub async fn open_key_ring(config: &Config, pool: &Pool) -> Result<KeyRing, ServeError> {
    let ring = KeyRing::parse(config.key_ring.expose())?;
    key_ring_check::register_key_ring(pool, &ring).await?;
    nodes::agree_on_seal_key(pool, &ring).await?;
    Ok(ring)
}

/// Reloads the key ring when its file changes, for as long as it is polled. A ring that is not valid or belongs to
/// another database is logged once, and the old one is kept.
pub(super) async fn follow_key_ring(file: PathBuf, ring: &KeyRing, pool: &Pool) {
    let mut refused = None;
    loop {
        tokio::time::sleep(RELOAD_INTERVAL).await;
        match reload_key_ring(&file, ring, pool).await {
            Ok(false) => refused = None,
            Ok(true) => {
                refused = None;
                tracing::info!(keys = ?ring, "key ring reloaded");
            }
            Err(fault) => {
                let fault = fault.to_string();
                if refused.as_ref() != Some(&fault) {
                    tracing::error!(fault, "cannot use the new key ring; keeping the old one");
                }
                refused = Some(fault);
            }
        }
    }
}

async fn reload_key_ring(file: &Path, ring: &KeyRing, pool: &Pool) -> Result<bool, ServeError> {
    let found = KeyRing::parse(ConfigSecret::read(file)?.expose())?;
    if found.has_same_keys(ring) {
        return Ok(false);
    }
    key_ring_check::register_key_ring(pool, &found).await?;
    ring.take_over(&found);
    Ok(true)
}
