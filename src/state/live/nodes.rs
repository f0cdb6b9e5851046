//! The nodes in PostgreSQL: each has a row, in which it announces itself and reports what it enforces.

use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::directory::{StateFault, sealing::KeyRing};
use akgate_api::nodes::NodeView;
use akgate_rules::position::{History, Position};

/// How long a node that says nothing may come back as it was, in seconds: it may be stopped, or cut off.
const SILENCE_LIMIT_SECONDS: f64 = 600.0;

/// How a node describes itself.
#[derive(Debug, Clone)]
pub struct NodeInfo {
    /// UUID version 4, new at each start.
    pub node_id: Uuid,
    /// Host and process.
    pub name: String,
    /// Version of akgate.
    pub version: String,
    /// Its roles.
    pub roles: Vec<String>,
    /// Whether it judges calls.
    pub enforces: bool,
    /// Its key ring, of which the ids of the sealing keys are announced.
    pub ring: KeyRing,
    /// When it started, by its own clock.
    pub started_at: OffsetDateTime,
}

impl NodeInfo {
    /// A node of this process that starts now.
    #[must_use]
    pub fn new(
        roles: Vec<String>,
        enforces: bool,
        ring: KeyRing,
        started_at: OffsetDateTime,
    ) -> Self {
        let node_id = Uuid::new_v4();
        let host = rustix::system::uname();
        let host = host.nodename().to_string_lossy().into_owned();
        let (short, ..) = node_id.as_fields();
        Self {
            name: format!("{host}:{}:{short:08x}", std::process::id()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            node_id,
            roles,
            enforces,
            ring,
            started_at,
        }
    }
}

/// Announces a node, so that every later writer waits for it; returns the database's time.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn announce_node(
    pool: &PgPool,
    node_info: &NodeInfo,
    clock_offset_ms: Option<i64>,
) -> Result<OffsetDateTime, StateFault> {
    let now = sqlx::query_scalar!(
        "INSERT INTO nodes (
             node_id,
             name,
             version,
             roles,
             enforces,
             seal_key_ids,
             started_at,
             announcement,
             fenced,
             announced_at,
             clock_offset_ms
         )
         VALUES ($1, $2, $3, $4, $5, $6, $7, gen_random_uuid(), false, clock_timestamp(), $8)
         ON CONFLICT (node_id) DO UPDATE
         SET announcement = excluded.announcement,
             seal_key_ids = excluded.seal_key_ids,
             fenced = false,
             announced_at = excluded.announced_at,
             clock_offset_ms = excluded.clock_offset_ms
         RETURNING announced_at",
        node_info.node_id,
        node_info.name,
        node_info.version,
        &node_info.roles,
        node_info.enforces,
        &node_info.ring.seal_key_ids(),
        node_info.started_at,
        clock_offset_ms
    )
    .fetch_one(pool)
    .await?;
    Ok(now)
}

/// A node's report of what it enforces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnforcementReport {
    /// The position that it enforces.
    pub applied: Position,
    /// Every call that was begun before this revision was enforced has ended.
    pub drained_below: i64,
    /// Calls of restricted keys that have their intent and no answer: the root of the lineage, and the revision at which
    /// they were decided.
    pub calls_under_way: Vec<(String, i64)>,
}

/// Stores what a node enforces, without waiting for the disk: if a crash loses the row, writers only wait longer.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn update_enforcement_report(
    pool: &PgPool,
    node_id: Uuid,
    report: &EnforcementReport,
) -> Result<(), StateFault> {
    let calls = serde_json::to_value(&report.calls_under_way)
        .map_err(|_| StateFault::Corrupt("calls_under_way"))?;
    sqlx::query!(
        "UPDATE nodes
         SET history = $2,
             applied = $3,
             drained_below = $4,
             calls_under_way = $5
         FROM (SELECT set_config('synchronous_commit', 'off', true)) AS quick
         WHERE node_id = $1",
        node_id,
        report.applied.history.0,
        report.applied.revision,
        report.drained_below,
        calls
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Takes a node that has ended out of the list.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn delete_node(pool: &PgPool, node_id: Uuid) -> Result<(), StateFault> {
    sqlx::query!("DELETE FROM nodes WHERE node_id = $1", node_id)
        .execute(pool)
        .await?;
    Ok(())
}

/// Deletes fenced nodes that have been silent for ten minutes. One that comes back is listed again by its announcement,
/// before it takes a lease.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn delete_silent_nodes(pool: &PgPool) -> Result<(), StateFault> {
    sqlx::query!(
        "DELETE FROM nodes
         WHERE (fenced OR NOT enforces)
           AND announced_at < clock_timestamp() - make_interval(secs => $1)",
        SILENCE_LIMIT_SECONDS
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// A node that judges calls, as a barrier sees it.
#[derive(Debug, Clone)]
pub struct EnforcingNode {
    /// Its id.
    pub node_id: Uuid,
    /// Host and process.
    pub name: String,
    /// Its last announcement.
    pub announcement: Uuid,
    /// It is fenced: no change waits for it.
    pub is_fenced: bool,
    /// What it says that it enforces; `None` where it has said nothing yet.
    pub report: Option<EnforcementReport>,
}

/// The nodes that judge calls, and where the registry stands: one snapshot.
#[derive(Debug, Clone)]
pub struct NodeCensus {
    /// Where the registry stands.
    pub position: Position,
    /// Whether every lease of another history has ended.
    pub is_settled: bool,
    /// The nodes.
    pub nodes: Vec<EnforcingNode>,
}

/// Reads the nodes that judge calls; `None` where a new history is to be stamped first.
///
/// # Errors
/// [`StateFault`].
pub async fn read_node_census(db: &mut PgConnection) -> Result<Option<NodeCensus>, StateFault> {
    let rows = sqlx::query!(
        "SELECT
             r.history,
             r.revision,
             (r.system_identifier, r.timeline) = (s.system_identifier, registry_timeline()) AS \"is_stamped!\",
             COALESCE(h.is_settled, false) AS \"is_settled!\",
             n.node_id AS \"node_id?\",
             n.name AS \"name?\",
             n.announcement AS \"announcement?\",
             n.fenced AS \"fenced?\",
             n.history AS \"node_history?\",
             n.applied AS \"applied?\",
             n.drained_below AS \"drained_below?\",
             n.calls_under_way AS \"calls_under_way?\"
         FROM registry_revision r
         CROSS JOIN pg_control_system() s
         LEFT JOIN registry_histories h ON h.history = r.history
         LEFT JOIN nodes n ON n.enforces"
    )
    .fetch_all(db)
    .await?;
    let first = rows
        .first()
        .ok_or(StateFault::Corrupt("registry_revision"))?;
    if !first.is_stamped {
        return Ok(None);
    }
    let position = Position {
        history: History(first.history),
        revision: first.revision,
    };
    let is_settled = first.is_settled;
    let nodes = rows.into_iter().filter_map(|row| {
        let report =
            (row.node_history.zip(row.applied)).map(|(history, revision)| EnforcementReport {
                applied: Position {
                    history: History(history),
                    revision,
                },
                drained_below: row.drained_below.unwrap_or_default(),
                calls_under_way: row
                    .calls_under_way
                    .and_then(|calls| serde_json::from_value(calls).ok())
                    .unwrap_or_default(),
            });
        Some(EnforcingNode {
            node_id: row.node_id?,
            name: row.name?,
            announcement: row.announcement?,
            is_fenced: row.fenced?,
            report,
        })
    });
    Ok(Some(NodeCensus {
        position,
        is_settled,
        nodes: nodes.collect(),
    }))
}

/// Fences a node that has not announced itself since it was seen.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn fence_node(pool: &PgPool, seen: &EnforcingNode) -> Result<bool, StateFault> {
    let fenced = sqlx::query!(
        "UPDATE nodes
         SET fenced = true
         WHERE node_id = $1
           AND announcement = $2",
        seen.node_id,
        seen.announcement
    )
    .execute(pool)
    .await?;
    Ok(fenced.rows_affected() > 0)
}

/// A node that runs, as far as anybody can tell.
#[derive(Debug, Clone)]
pub struct RunningNode {
    /// Its id.
    pub node_id: Uuid,
    /// Host and process.
    pub name: String,
    /// The ids of the keys of its ring.
    pub seal_key_ids: Vec<i32>,
    /// How far its clock is ahead of the database's, in milliseconds.
    pub clock_offset_ms: Option<i64>,
    /// Whether it was heard of within the last five seconds.
    pub is_recent: bool,
}

/// Reads the nodes that run. A node that ended in order is none, and neither is one that nobody has heard of for ten
/// minutes. Between the two, one that is silent or fenced is: it may come back as it was, with its connections, and read
/// what was sealed meanwhile.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn list_running_nodes(pool: &PgPool) -> Result<Vec<RunningNode>, StateFault> {
    let nodes = sqlx::query_as!(
        RunningNode,
        "SELECT
             node_id,
             name,
             seal_key_ids,
             clock_offset_ms,
             announced_at > clock_timestamp() - interval '5 seconds' AS \"is_recent!\"
         FROM nodes
         WHERE announced_at > clock_timestamp() - make_interval(secs => $1)
         ORDER BY name, node_id",
        SILENCE_LIMIT_SECONDS
    )
    .fetch_all(pool)
    .await?;
    Ok(nodes)
}

/// Has a key ring seal with the newest key that all running nodes have. Whether that is another one than before.
///
/// # Errors
/// [`StateFault::Database`]; what sealed before does so still.
pub async fn agree_on_seal_key(pool: &PgPool, ring: &KeyRing) -> Result<bool, StateFault> {
    let nodes = list_running_nodes(pool).await?;
    Ok(ring.seal_with_common_key(&seal_key_ids(nodes)))
}

/// The ids of the keys of each node's ring.
pub(super) fn seal_key_ids(nodes: Vec<RunningNode>) -> Vec<Vec<i32>> {
    nodes.into_iter().map(|node| node.seal_key_ids).collect()
}

/// The latest time that a node and the database have both seen; moves it on to `now`, where the database agrees.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn advance_latest_time(
    pool: &PgPool,
    now: OffsetDateTime,
) -> Result<OffsetDateTime, StateFault> {
    let latest = sqlx::query_scalar!(
        "WITH seen AS (
             SELECT least($1, clock_timestamp()) AS at
         ),
         moved AS (
             UPDATE registry_clock c
             SET latest = s.at
             FROM seen s
             WHERE c.latest < s.at - interval '1 second'
             RETURNING c.latest
         )
         SELECT COALESCE((SELECT latest FROM moved), (SELECT latest FROM registry_clock)) AS \"latest!\"",
        now
    )
    .fetch_one(pool)
    .await?;
    Ok(latest)
}

/// Reads all nodes, by name.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn list_nodes(pool: &PgPool) -> Result<Vec<NodeView>, StateFault> {
    let views = sqlx::query_as!(
        NodeView,
        "SELECT
             n.node_id,
             n.name,
             n.version,
             n.roles,
             CASE
                 WHEN n.fenced THEN 'Fenced'
                 WHEN a.age > 2000 THEN 'Silent'
                 WHEN n.enforces THEN 'Leased'
                 ELSE 'Serving'
             END AS \"state!\",
             n.started_at,
             a.age AS \"age_ms!\",
             n.history,
             n.applied AS revision,
             CASE WHEN n.history = r.history THEN r.revision - n.applied END AS behind,
             n.drained_below,
             n.seal_key_ids,
             n.clock_offset_ms
         FROM registry_revision r
         CROSS JOIN nodes n
         CROSS JOIN LATERAL (
             SELECT greatest(0, extract(epoch FROM clock_timestamp() - n.announced_at) * 1000)::bigint
         ) AS a (age)
         ORDER BY n.name, n.node_id"
    )
    .fetch_all(pool)
    .await?;
    Ok(views)
}
