//! Finds the host that accepts writes among several. sqlx knows one host; libpq has `target_session_attrs`.

use std::time::Duration;

use futures_util::{StreamExt, stream::FuturesUnordered};
use sqlx::{Connection as _, PgConnection, PgPool, postgres::PgConnectOptions};

use super::{error::DatabaseError, failures, reason::describe_error, session, url::host_name};

/// The time between two looks at the hosts, however often sessions fail.
const PROBE_INTERVAL: Duration = Duration::from_millis(250);

/// The index of the first host that accepts writes.
///
/// # Errors
/// [`DatabaseError::Unreachable`] of one host, [`DatabaseError::NoPrimary`] of several.
pub(super) async fn find_primary(hosts: &[PgConnectOptions]) -> Result<usize, DatabaseError> {
    let mut probes: FuturesUnordered<_> = hosts
        .iter()
        .enumerate()
        .map(|(place, host)| async move { (place, probe_host(host).await) })
        .collect();
    let mut faults = Vec::new();
    while let Some((place, probed)) = probes.next().await {
        match probed {
            Ok(()) => return Ok(place),
            Err(fault) => faults.push((place, fault)),
        }
    }
    if faults.len() == 1
        && let Some((_, fault)) = faults.pop()
    {
        return Err(fault.into());
    }
    faults.sort_by_key(|(place, _)| *place);
    let reasons = hosts.iter().zip(&faults);
    let reasons =
        reasons.map(|(host, (_, fault))| format!("{}: {}", host_name(host), describe_error(fault)));
    Err(DatabaseError::NoPrimary(
        reasons.collect::<Vec<_>>().join("; "),
    ))
}

/// Looks for the host that accepts writes whenever a session has failed, and reports a change; never completes.
pub(super) async fn follow_primary(
    hosts: &[PgConnectOptions],
    mut current: usize,
    tell: impl Fn(&PgConnectOptions),
) {
    let mut seen = 0;
    let mut is_lost = false;
    loop {
        if !is_lost {
            seen = failures::failure_after(seen).await;
        }
        let found = find_primary(hosts).await;
        is_lost = found.is_err();
        match found {
            Ok(place) if place == current => {}
            Ok(place) => {
                current = place;
                if let Some(host) = hosts.get(place) {
                    tracing::warn!(host = host_name(host), "another host accepts writes now");
                    tell(host);
                }
            }
            Err(fault) => tracing::error!(%fault, "looking for the primary"),
        }
        tokio::time::sleep(PROBE_INTERVAL).await;
    }
}

/// Opens a session of its own and looks whether it can write: a pool says only that it waits in vain.
///
/// # Errors
/// Why not.
pub async fn probe_database(pool: &PgPool) -> Result<(), String> {
    let probed = probe_host(&pool.connect_options()).await;
    probed.map_err(|error| describe_error(&error))
}

/// Opens a session and looks whether it can write.
///
/// # Errors
/// What it met; [`sqlx::Error::PoolTimedOut`] where it took too long.
pub(super) async fn probe_host(host: &PgConnectOptions) -> Result<(), sqlx::Error> {
    session::within_timeout(session::PROBE_TIMEOUT, async {
        let mut connection = PgConnection::connect_with(host).await?;
        session::apply_base_settings(&mut connection).await?;
        session::require_writable(&mut connection).await?;
        connection.close().await
    })
    .await
}
