//! Reads everything: at the start into new maps, and in place, in ranges, after a fork whose changes are no longer
//! known.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::TryStreamExt;
use sqlx::PgPool;
use time::UtcDateTime;
use uuid::Uuid;

use super::changes::{access_key_entry, load_policy, merge_restriction};
use crate::directory::{StateFault, keys::parse_key_id};
use crate::live::memory::{CredentialEntry, CredentialState, KeyRestrictions, RegistryMaps};
use akgate_rules::access_key::AccessKeyId;

/// How many rows a statement reads of everything.
const RANGE_ROWS: i64 = 20_000;

/// Reads everything into new maps. Nobody sees them before they are whole, so that their parts can be read at the
/// same time.
pub(crate) async fn load_registry(
    pool: &PgPool,
    patience: Duration,
) -> Result<Arc<RegistryMaps>, StateFault> {
    // PostgreSQL's estimate, which costs nothing; -1 if there is none yet.
    let estimate = sqlx::query!(
        "SELECT
             (SELECT reltuples FROM pg_class WHERE oid = 'access_keys'::regclass)::bigint AS \"keys!\",
             (SELECT reltuples FROM pg_class WHERE oid = 'restrictions'::regclass)::bigint AS \"restrictions!\""
    )
    .fetch_one(pool)
    .await?;
    let room = |count| usize::try_from(count).unwrap_or_default();
    let maps = Arc::new(RegistryMaps::with_room(
        room(estimate.keys),
        room(estimate.restrictions),
    ));
    let beside = tokio::spawn({
        let (pool, maps) = (pool.clone(), Arc::clone(&maps));
        async move { read_all_restrictions(&pool, &maps).await }
    });
    reload_policy(pool, &maps, patience).await?;
    stream_all_keys(pool, &maps).await?;
    read_all_sessions(pool, &maps).await?;
    beside
        .await
        .map_err(|_| StateFault::Corrupt("the registry in memory"))??;
    Ok(maps)
}

/// Reads everything again into the maps that there are: what is not met again is gone.
pub(crate) async fn reload_registry(
    pool: &PgPool,
    maps: &RegistryMaps,
    patience: Duration,
) -> Result<(), StateFault> {
    let generation = maps
        .generation
        .fetch_add(1, Ordering::AcqRel)
        .wrapping_add(1);
    read_all_restrictions(pool, maps).await?;
    maps.restrictions
        .pin()
        .retain(|_, restrictions| restrictions.generation == generation);
    reload_policy(pool, maps, patience).await?;
    read_all_keys(pool, maps).await?;
    read_all_sessions(pool, maps).await?;
    maps.credentials
        .pin()
        .retain(|_, known| known.generation == generation);
    Ok(())
}

/// Accounts, exceptions and the mode.
async fn reload_policy(
    pool: &PgPool,
    maps: &RegistryMaps,
    patience: Duration,
) -> Result<(), StateFault> {
    let mut db = pool.acquire().await?;
    load_policy(&mut db, maps, patience).await
}

async fn read_all_restrictions(pool: &PgPool, maps: &RegistryMaps) -> Result<(), StateFault> {
    let mut last = (String::new(), Uuid::nil());
    // The restrictions of the last key: the next range may have more of them.
    let mut open: Option<(AccessKeyId, KeyRestrictions)> = None;
    let close = |open: Option<(AccessKeyId, KeyRestrictions)>| {
        if let Some((id, restrictions)) = open {
            maps.put_restrictions(id, restrictions);
        }
    };
    loop {
        let rows = sqlx::query!(
            "SELECT
                 restriction_id,
                 access_key_id,
                 state,
                 widened_at IS NOT NULL AS \"is_widened!\",
                 lifted_revision,
                 lifted_history
             FROM restrictions
             WHERE (access_key_id, restriction_id) > ($1, $2)
             ORDER BY access_key_id, restriction_id
             LIMIT $3",
            last.0,
            last.1,
            RANGE_ROWS
        )
        .fetch_all(pool)
        .await?;
        let Some(end) = rows.last() else {
            close(open);
            return Ok(());
        };
        last = (end.access_key_id.clone(), end.restriction_id);
        for row in rows {
            let id = parse_key_id(&row.access_key_id)?;
            let restrictions = match open.take() {
                Some((before, restrictions)) if before == id => restrictions,
                before => {
                    close(before);
                    KeyRestrictions::default()
                }
            };
            let (_, restrictions) = open.insert((id, restrictions));
            merge_restriction(
                restrictions,
                row.restriction_id,
                &row.state,
                row.is_widened,
                row.lifted_revision.zip(row.lifted_history),
            )?;
        }
    }
}

/// All keys by one statement, which may take longer than any other.
async fn stream_all_keys(pool: &PgPool, maps: &RegistryMaps) -> Result<(), StateFault> {
    let mut tx = pool.begin().await?;
    sqlx::query!("SELECT set_config('statement_timeout', '0', true)")
        .fetch_one(&mut *tx)
        .await?;
    let mut rows =
        sqlx::query!("SELECT access_key_id, status, revision FROM access_keys").fetch(&mut *tx);
    while let Some(row) = rows.try_next().await? {
        maps.merge_credential(
            parse_key_id(&row.access_key_id)?,
            access_key_entry(row.revision, &row.status)?,
        );
    }
    Ok(())
}

async fn read_all_keys(pool: &PgPool, maps: &RegistryMaps) -> Result<(), StateFault> {
    let mut last = String::new();
    loop {
        let rows = sqlx::query!(
            "SELECT access_key_id, status, revision
             FROM access_keys
             WHERE access_key_id > $1
             ORDER BY access_key_id
             LIMIT $2",
            last,
            RANGE_ROWS
        )
        .fetch_all(pool)
        .await?;
        let Some(end) = rows.last() else {
            return Ok(());
        };
        last.clone_from(&end.access_key_id);
        for row in &rows {
            maps.merge_credential(
                parse_key_id(&row.access_key_id)?,
                access_key_entry(row.revision, &row.status)?,
            );
        }
    }
}

async fn read_all_sessions(pool: &PgPool, maps: &RegistryMaps) -> Result<(), StateFault> {
    let mut last = String::new();
    loop {
        let rows = sqlx::query!(
            "SELECT access_key_id, expires_at, addition
             FROM sessions
             WHERE access_key_id > $1
             ORDER BY access_key_id
             LIMIT $2",
            last,
            RANGE_ROWS
        )
        .fetch_all(pool)
        .await?;
        let Some(end) = rows.last() else {
            return Ok(());
        };
        last.clone_from(&end.access_key_id);
        for row in &rows {
            let what = CredentialState::Session(UtcDateTime::from(row.expires_at));
            maps.merge_credential(
                parse_key_id(&row.access_key_id)?,
                CredentialEntry::new(row.addition, what),
            );
        }
    }
}
