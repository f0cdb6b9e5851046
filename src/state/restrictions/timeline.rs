//! What happened to a restriction, in order: found, reported, imposed, refused calls, letters, confirmed, lifted.

use sqlx::PgPool;
use uuid::Uuid;

use crate::directory::StateFault;
use akgate_api::timeline::TimelineEvent;

/// Reads the history of a restriction, the oldest first; of refused calls one event for each hour. At most `limit` events,
/// the newest ones.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn list_timeline(
    pool: &PgPool,
    restriction_id: Uuid,
    limit: i64,
) -> Result<Vec<TimelineEvent>, StateFault> {
    let mut events = sqlx::query_as!(
        TimelineEvent,
        "SELECT
             at AS \"at!\",
             event AS \"event!\",
             by,
             detail
         FROM (
             SELECT l.first_seen AS at, 'Found' AS event, l.source AS by, l.url AS detail, 0 AS step
             FROM leak_reports l
             WHERE l.restriction_id = $1
               AND l.first_seen IS NOT NULL
             UNION ALL
             SELECT l.reported_at, 'Reported', l.source, l.proof, 1
             FROM leak_reports l
             WHERE l.restriction_id = $1
             UNION ALL
             SELECT r.imposed_at, 'Imposed', NULL, r.cause, 2
             FROM restrictions r
             WHERE r.restriction_id = $1
             UNION ALL
             SELECT d.imposed_at, 'DescendantsRestricted', NULL, count(*)::text, 2.2
             FROM restrictions d
             WHERE d.ancestor_id = $1
             GROUP BY d.imposed_at
             UNION ALL
             SELECT DISTINCT
                 e.received_at,
                 'Enforced',
                 NULL,
                 concat_ws(
                     '; ',
                     COALESCE(
                         'at ' || e.nodes || CASE e.nodes WHEN 1 THEN ' node' ELSE ' nodes' END || ' in ' || e.waited_ms || ' ms',
                         'it is unknown which nodes enforce it'
                     ),
                     'without a lease: ' || NULLIF(array_to_string(e.fenced, ', '), ''),
                     NULLIF(e.calls_in_flight, 0) || ' earlier calls still in progress'
                 ),
                 2.5
             FROM audit_records a
             JOIN receipts e USING (history, revision)
             WHERE a.restriction_id = $1
             UNION ALL
             SELECT
                 min(c.refused_at),
                 'CallsRefused',
                 NULL,
                 count(*) || ': ' || string_agg(DISTINCT c.action, ', '),
                 3
             FROM refusals c
             WHERE c.restriction_id = $1
               AND NOT c.withheld
             GROUP BY date_trunc('hour', c.refused_at)
             UNION ALL
             SELECT t.settled_at, 'Letter' || t.state, NULL, t.kind, 4
             FROM letters t
             WHERE t.restriction_id = $1
               AND t.settled_at IS NOT NULL
             UNION ALL
             SELECT r.widened_at, 'Widened', 'akgate', NULL, 5
             FROM restrictions r
             WHERE r.restriction_id = $1
               AND r.widened_at IS NOT NULL
             UNION ALL
             SELECT c.confirmed_at, 'Confirmed', c.confirmed_by, c.remark, 6
             FROM confirmations c
             WHERE c.restriction_id = $1
             UNION ALL
             SELECT c.withdrawn_at, 'Withdrawn', c.withdrawn_by, NULL, 7
             FROM confirmations c
             WHERE c.restriction_id = $1
               AND c.withdrawn_at IS NOT NULL
             UNION ALL
             SELECT a.requested_at, 'ApprovalRequested', a.requested_by, a.kind || ': ' || a.reason, 8
             FROM approvals a
             WHERE a.subject_id = $1
             UNION ALL
             SELECT a.decided_at, 'ApprovalDecided', a.decided_by, a.kind || ': ' || a.state, 9
             FROM approvals a
             WHERE a.subject_id = $1
               AND a.decided_at IS NOT NULL
             UNION ALL
             SELECT e.revoked_at, 'ExceptionRevoked', e.revoked_by, array_to_string(e.operations, ', '), 9
             FROM exceptions e
             WHERE e.restriction_id = $1
               AND e.revoked_at IS NOT NULL
             UNION ALL
             SELECT r.lifted_at, 'Lifted', r.lifted_by, concat_ws(': ', r.resolution, r.lift_reason), 10
             FROM restrictions r
             WHERE r.restriction_id = $1
               AND r.lifted_at IS NOT NULL
         ) AS history
         ORDER BY at DESC, step DESC
         LIMIT $2",
        restriction_id,
        limit
    )
    .fetch_all(pool)
    .await?;
    events.reverse();
    Ok(events)
}
