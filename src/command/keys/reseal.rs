//! `akgate keys reseal`.

use std::io::Write;

use crate::{
    command::{CommandExit, node::NodeFault, progress::progress_bar},
    config::Config,
    serve::open_database,
};
use akgate_state::{
    directory::{
        reseal::{self, SealedTable},
        sealing::KeyRing,
    },
    randomness::Randomness,
};

/// Secrets in one transaction: other writers wait for one at most.
const BATCH_SECRETS: i64 = 1_000;

pub(super) async fn reseal_secrets(
    config: &Config,
    out: &mut impl Write,
) -> Result<CommandExit, NodeFault> {
    let pool = open_database(config).await?;
    let ring = KeyRing::parse(config.key_ring.expose())?;
    let mut rng = Randomness::from_system()?.rng();
    let left = reseal::count_stale(&pool, &ring).await?;
    let bar = progress_bar(
        u64::try_from(left).ok(),
        "{bar:40} {pos} of {len}, {per_sec}, {eta} left",
    );
    let mut count = 0;
    for table in SealedTable::ALL {
        let mut after = String::new();
        loop {
            let some =
                reseal::reseal_batch(&pool, &ring, table, &after, BATCH_SECRETS, &mut rng).await?;
            let Some((last, some)) = some else {
                break;
            };
            after = last;
            count += some;
            bar.inc(u64::try_from(some).unwrap_or_default());
        }
    }
    bar.finish_and_clear();
    let left = reseal::count_stale(&pool, &ring).await?;
    pool.close().await;
    let newest = ring.newest();
    writeln!(out, "{count} resealed under seal key {newest}, {left} left")?;
    Ok(match left {
        0 => CommandExit::Ok,
        // A node whose ring is older has sealed something meanwhile.
        _ => CommandExit::Partial,
    })
}
