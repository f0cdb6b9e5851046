//! The separate connection pools of a process, so that a flood at one listener does not delay the others.

use sqlx::PgPool;

use super::connect::{Database, PoolSettings};

/// The pools of a process.
#[derive(Debug, Clone)]
pub struct NodePools {
    /// Calls: their keys, their intents, their records.
    pub calls: PgPool,
    /// What the node follows and announces: the registry, leases, barriers, probes.
    pub control: PgPool,
    /// The admin API.
    pub admin: PgPool,
    /// Sources of leak reports and owners' pages.
    pub public: PgPool,
    /// Letters, events, upkeep.
    pub worker: PgPool,
}

impl NodePools {
    /// The most connections of all pools but `calls`, each opened as it is used, and of those that listen for
    /// notifications.
    pub const RESERVED: u32 = CONTROL + ADMIN + PUBLIC + WORKER + LISTENERS;

    /// Pools of their own; `calls` says how those of calls are set.
    #[must_use]
    pub fn open(database: &Database, calls: PoolSettings) -> Self {
        let beside = |connections| {
            database.pool(PoolSettings {
                connections,
                ..calls
            })
        };
        Self {
            control: beside(CONTROL),
            admin: beside(ADMIN),
            public: beside(PUBLIC),
            worker: beside(WORKER),
            calls: database.pool(calls),
        }
    }

    /// One pool for everything, for tests and demonstrations.
    #[must_use]
    pub fn shared(pool: &PgPool) -> Self {
        Self {
            calls: pool.clone(),
            control: pool.clone(),
            admin: pool.clone(),
            public: pool.clone(),
            worker: pool.clone(),
        }
    }
}

/// Connections for the feed, announcements, reports and probes.
const CONTROL: u32 = 4;
const ADMIN: u32 = 4;
const PUBLIC: u32 = 4;
/// Letters that are settled side by side, and the upkeep.
const WORKER: u32 = 4;
/// For the registry, letters and events: each is a connection of its own (`follow.rs`).
const LISTENERS: u32 = 3;
