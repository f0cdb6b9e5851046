//! `akgate keys reseal`.

use std::io::Write;

use crate::{
    command::{CommandExit, node::NodeFault, progress::progress_bar},
    config::Config,
    serve::{open_database, open_key_ring},
};
use akgate_state::{
    database::Pool,
    directory::{
        StateFault,
        reseal::{self, SealedTable},
    },
    live::nodes,
    randomness::Randomness,
};

/// Secrets in one transaction: other writers wait for one at most.
const BATCH_SECRETS: i64 = 1_000;

pub(super) async fn reseal_secrets(
    config: &Config,
    out: &mut impl Write,
) -> Result<CommandExit, NodeFault> {
    let pool = open_database(config).await?;
    let ring = open_key_ring(config, &pool).await?;
    let behind = nodes_without_key(&pool, ring.newest()).await?;
    if !behind.is_empty() {
        return Err(NodeFault::Usage(format!(
            "these nodes do not have the key `seal {}`: {}. Give every node the new key ring first",
            ring.newest(),
            behind.join(", ")
        )));
    }
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

/// The names of running nodes that could not open what this key seals.
async fn nodes_without_key(pool: &Pool, seal_key_id: i32) -> Result<Vec<String>, StateFault> {
    let nodes = nodes::list_running_nodes(pool).await?;
    let behind = nodes
        .into_iter()
        .filter(|node| !node.seal_key_ids.contains(&seal_key_id));
    Ok(behind.map(|node| node.name).collect())
}
