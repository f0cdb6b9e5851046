//! Checks of the database server: durability, shared sessions, and enough connections for all nodes.

use super::finding::{CheckFinding, with_timeout};
use crate::{config::Config, serve::capacity::ConnectionNeed};
use akgate_state::{
    database::{self, CommitDurability, DatabaseUrl, Pool},
    directory::StateFault,
};

/// Checks whether a crash or a failover can lose acknowledged changes.
pub(super) async fn check_durability(
    pool: &Pool,
    config: &Config,
    findings: &mut Vec<CheckFinding>,
) {
    let what = "durability";
    let durability = config.sections.database.synchronous_commit;
    let settings = with_timeout(async {
        let fsync = database::server_setting(pool, "fsync").await?;
        let pages = database::server_setting(pool, "full_page_writes").await?;
        Ok::<_, StateFault>((fsync, pages))
    });
    findings.push(match (settings.await, durability) {
        (Err(fault), _) => CheckFinding::wrong(what, fault, "check the database"),
        (Ok((fsync, pages)), _) if fsync == "off" || pages == "off" => CheckFinding::care(
            what,
            format!("fsync = {fsync}, full_page_writes = {pages}: a crash of the server destroys the database"),
            "set both to on in postgresql.conf",
        ),
        (Ok(_), CommitDurability::Off) => CheckFinding::care(
            what,
            "database.synchronous_commit is off: a crash of the server loses restrictions that were acknowledged",
            "database.synchronous_commit = \"on\"",
        ),
        (Ok(_), CommitDurability::Local) => CheckFinding::care(
            what,
            "database.synchronous_commit is local: a failover loses restrictions that were acknowledged",
            "database.synchronous_commit = \"on\", if the server has standbys",
        ),
        (Ok(_), durability) => CheckFinding::good(what, format!("synchronous_commit = {durability}")),
    });
}

/// Checks that no pooler shares sessions; if one does, further checks are not possible.
pub(super) async fn check_sessions(url: &str, findings: &mut Vec<CheckFinding>) -> bool {
    let shared = match DatabaseUrl::parse(url) {
        Ok(url) => database::shares_sessions(&url).await,
        Err(_) => None,
    };
    match shared {
        Some(true) => findings.push(CheckFinding::wrong(
            "sessions",
            "a connection pooler shares them between transactions",
            "let pgbouncer pool sessions (pool_mode = session), or connect to PostgreSQL itself",
        )),
        Some(false) => findings.push(CheckFinding::good("sessions", "not shared")),
        // What follows says why.
        None => {}
    }
    shared != Some(true)
}

/// Whether the server has connections for the pools of all nodes.
pub(super) async fn check_connections(
    pool: &Pool,
    config: &Config,
    findings: &mut Vec<CheckFinding>,
) {
    let what = "connections";
    findings.push(
        match with_timeout(ConnectionNeed::read(config, pool)).await {
            Ok(need) if need.is_short() => CheckFinding::care(
                what,
                need.describe(),
                "raise that limit, or lower database.max_connections",
            ),
            Ok(need) => CheckFinding::good(what, need.describe()),
            Err(fault) => CheckFinding::wrong(what, fault, "check the database"),
        },
    );
}
