//! Reads restrictions for operators and owners.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::directory::StateFault;
use crate::restrictions::{etag::Etag, reports};
use akgate_api::restrictions::RestrictionView;
use akgate_rules::{access_key::AccessKeyId, restriction::RestrictionState};

/// Which restrictions to list; the newest come first.
#[derive(Debug, Clone, Default)]
pub struct RestrictionCriteria {
    /// Only the one with this id.
    pub restriction_id: Option<Uuid>,
    /// Only those in this state.
    pub state: Option<RestrictionState>,
    /// Only those of this key.
    pub access_key_id: Option<String>,
    /// Only those of this account.
    pub account_id: Option<String>,
    /// Of which something begins with this: the key, its account or user, the ticket, where or under which number it was
    /// found.
    pub query: Option<String>,
    /// Only older ones: the last id of the previous page.
    pub before: Option<Uuid>,
    /// Maximum number of rows.
    pub limit: i64,
}

/// Reads restrictions.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn list_restrictions(
    db: &mut PgConnection,
    criteria: &RestrictionCriteria,
) -> Result<Vec<RestrictionView>, StateFault> {
    let found = list_candidate_ids(db, criteria).await?;
    let rows = sqlx::query!(
        "SELECT
             r.restriction_id,
             r.access_key_id,
             COALESCE(p.account_id, s.account_id) AS account_id,
             p.user_name AS \"user_name?\",
             k.status AS \"key_status?\",
             r.state,
             r.cause,
             r.imposed_at,
             r.confirmed_at,
             r.confirmed_by,
             r.ticket,
             r.lifted_at,
             r.lifted_by,
             r.lift_reason,
             r.resolution,
             r.approved_by,
             COALESCE(r.lifted_revision = 0, false) AS \"undone!\",
             r.tombstone,
             r.notified_at,
             r.widened_at,
             r.next_contacts_at,
             r.disabling_proposed_at,
             r.ancestor_id,
             r.descendants_since,
             l.first_seen AS \"first_seen?\",
             l.report_count AS \"report_count!\"
         FROM restrictions r
         CROSS JOIN LATERAL (
             SELECT min(first_seen) AS first_seen, count(*) AS report_count
             FROM leak_reports
             WHERE restriction_id = r.restriction_id
         ) AS l
         LEFT JOIN access_keys k USING (access_key_id)
         LEFT JOIN principals p USING (principal_id)
         LEFT JOIN sessions s USING (access_key_id)
         WHERE ($1::uuid IS NULL OR r.restriction_id = $1)
           AND ($2::text IS NULL OR r.state = $2)
           AND ($3::text IS NULL OR r.access_key_id = $3)
           AND ($4::uuid IS NULL OR r.restriction_id < $4)
           AND ($5::uuid[] IS NULL OR r.restriction_id = ANY($5))
         ORDER BY r.restriction_id DESC
         LIMIT $6",
        criteria.restriction_id,
        criteria.state.map(RestrictionState::as_str),
        criteria.access_key_id.as_deref(),
        criteria.before,
        found.as_deref(),
        criteria.limit
    )
    .fetch_all(&mut *db)
    .await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.restriction_id).collect();
    let reports = reports::list_reports_of_restrictions(db, &ids).await?;
    let views = rows.into_iter().map(|row| RestrictionView {
        reports: reports
            .iter()
            .filter(|report| report.restriction_id == Some(row.restriction_id))
            .cloned()
            .collect(),
        restriction_id: row.restriction_id,
        access_key_id: row.access_key_id,
        account_id: row.account_id,
        user_name: row.user_name,
        key_status: row.key_status,
        state: row.state,
        cause: row.cause,
        imposed_at: row.imposed_at,
        confirmed_at: row.confirmed_at,
        confirmed_by: row.confirmed_by,
        ticket: row.ticket,
        lifted_at: row.lifted_at,
        lifted_by: row.lifted_by,
        lift_reason: row.lift_reason,
        resolution: row.resolution,
        approved_by: row.approved_by,
        undone: row.undone,
        tombstone: row.tombstone,
        notified_at: row.notified_at,
        widened_at: row.widened_at,
        next_contacts_at: row.next_contacts_at,
        disabling_proposed_at: row.disabling_proposed_at,
        first_seen: row.first_seen,
        report_count: row.report_count,
        ancestor_restriction_id: row.ancestor_id,
        descendants_since: row.descendants_since,
    });
    Ok(views.collect())
}

/// With more restrictions than these that a text finds, they are looked through from the newest on.
const MAX_MATCHES: i64 = 5000;

/// In the order of code points, everything that begins with a text stands from it to before this one.
fn prefix_end(text: &str) -> String {
    format!("{text}\u{10ffff}")
}

/// Restrictions of which something begins with a text, in no order: each place is looked up by its index. More than
/// [`MAX_MATCHES`] are not all of them.
async fn find_by_prefix(db: &mut PgConnection, text: &str) -> Result<Vec<Uuid>, StateFault> {
    let by_url = format!("https://{text}");
    let ids = sqlx::query_scalar!(
        "SELECT restriction_id AS \"restriction_id!\"
         FROM (
             (
                 SELECT restriction_id
                 FROM restrictions
                 WHERE access_key_id COLLATE \"C\" BETWEEN $1 AND $2
                 LIMIT $5
             )
             UNION
             (
                 SELECT restriction_id
                 FROM restrictions
                 WHERE ticket COLLATE \"C\" BETWEEN $1 AND $2
                 LIMIT $5
             )
             UNION
             (
                 SELECT r.restriction_id
                 FROM principals p
                 JOIN access_keys k USING (principal_id)
                 JOIN restrictions r USING (access_key_id)
                 WHERE p.account_id COLLATE \"C\" BETWEEN $1 AND $2
                 LIMIT $5
             )
             UNION
             (
                 SELECT r.restriction_id
                 FROM principals p
                 JOIN access_keys k USING (principal_id)
                 JOIN restrictions r USING (access_key_id)
                 WHERE p.user_name COLLATE \"C\" BETWEEN $1 AND $2
                 LIMIT $5
             )
             UNION
             (
                 SELECT restriction_id
                 FROM leak_reports
                 WHERE restriction_id IS NOT NULL
                   AND left(reference, 200) COLLATE \"C\" BETWEEN $1 AND $2
                 LIMIT $5
             )
             UNION
             (
                 SELECT restriction_id
                 FROM leak_reports
                 WHERE restriction_id IS NOT NULL
                   AND url IS NOT NULL
                   AND (
                       left(url, 200) COLLATE \"C\" BETWEEN $1 AND $2
                       OR left(url, 200) COLLATE \"C\" BETWEEN $3 AND $4
                   )
                 LIMIT $5
             )
         ) AS found
         LIMIT $5",
        text,
        prefix_end(text),
        by_url,
        prefix_end(&by_url),
        MAX_MATCHES + 1
    )
    .fetch_all(db)
    .await?;
    Ok(ids)
}

/// The same of many, from the newest on, as far as a page goes.
async fn find_newest_by_prefix(
    db: &mut PgConnection,
    text: &str,
    criteria: &RestrictionCriteria,
) -> Result<Vec<Uuid>, StateFault> {
    let by_url = format!("https://{text}");
    let ids = sqlx::query_scalar!(
        "SELECT r.restriction_id
         FROM restrictions r
         LEFT JOIN LATERAL (
             SELECT p.account_id, p.user_name
             FROM access_keys k
             JOIN principals p USING (principal_id)
             WHERE k.access_key_id = r.access_key_id
             -- Asked of each restriction as it comes, never of all of them before.
             OFFSET 0
         ) AS p ON true
         WHERE ($5::text IS NULL OR r.state = $5)
           AND ($6::uuid IS NULL OR r.restriction_id < $6)
           AND ($7::text IS NULL OR p.account_id = $7)
           AND (
               r.access_key_id COLLATE \"C\" BETWEEN $1 AND $2
               OR r.ticket COLLATE \"C\" BETWEEN $1 AND $2
               OR p.account_id COLLATE \"C\" BETWEEN $1 AND $2
               OR p.user_name COLLATE \"C\" BETWEEN $1 AND $2
               OR EXISTS (
                   SELECT 1
                   FROM leak_reports l
                   WHERE l.restriction_id = r.restriction_id
                     AND (
                         left(l.reference, 200) COLLATE \"C\" BETWEEN $1 AND $2
                         OR left(l.url, 200) COLLATE \"C\" BETWEEN $1 AND $2
                         OR left(l.url, 200) COLLATE \"C\" BETWEEN $3 AND $4
                     )
                   OFFSET 0
               )
           )
         ORDER BY r.restriction_id DESC
         LIMIT $8",
        text,
        prefix_end(text),
        by_url,
        prefix_end(&by_url),
        criteria.state.map(RestrictionState::as_str),
        criteria.before,
        criteria.account_id,
        criteria.limit
    )
    .fetch_all(db)
    .await?;
    Ok(ids)
}

/// The restrictions of an account, in no order.
async fn list_account_restrictions(
    db: &mut PgConnection,
    account_id: &str,
) -> Result<Vec<Uuid>, StateFault> {
    let ids = sqlx::query_scalar!(
        "SELECT r.restriction_id
         FROM principals p
         JOIN access_keys k USING (principal_id)
         JOIN restrictions r USING (access_key_id)
         WHERE p.account_id COLLATE \"C\" = $1",
        account_id
    )
    .fetch_all(db)
    .await?;
    Ok(ids)
}

/// Where to look: `None` for everywhere.
async fn list_candidate_ids(
    db: &mut PgConnection,
    criteria: &RestrictionCriteria,
) -> Result<Option<Vec<Uuid>>, StateFault> {
    let Some(text) = criteria.query.as_deref() else {
        return match criteria.account_id.as_deref() {
            Some(account_id) => list_account_restrictions(db, account_id).await.map(Some),
            None => Ok(None),
        };
    };
    let found = find_by_prefix(db, text).await?;
    if i64::try_from(found.len()).is_ok_and(|count| count > MAX_MATCHES) {
        return find_newest_by_prefix(db, text, criteria).await.map(Some);
    }
    match criteria.account_id.as_deref() {
        None => Ok(Some(found)),
        Some(account_id) => {
            let of_account = list_account_restrictions(db, account_id).await?;
            let both = found.into_iter().filter(|id| of_account.contains(id));
            Ok(Some(both.collect()))
        }
    }
}

/// Reads one restriction.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn find_restriction(
    db: &mut PgConnection,
    restriction_id: Uuid,
) -> Result<Option<RestrictionView>, StateFault> {
    let criteria = RestrictionCriteria {
        restriction_id: Some(restriction_id),
        limit: 1,
        ..RestrictionCriteria::default()
    };
    Ok(list_restrictions(db, &criteria).await?.pop())
}

/// Whether a restriction is unchanged since `seen`, if that is given. A missing restriction counts as unchanged: the
/// change itself will report it.
///
/// # Errors
/// [`StateFault::Database`].
pub(crate) async fn matches_etag(
    db: &mut PgConnection,
    restriction_id: Uuid,
    seen: Option<&[Etag]>,
) -> Result<bool, StateFault> {
    let Some(seen) = seen else {
        return Ok(true);
    };
    let view = find_restriction(db, restriction_id).await?;
    Ok(view.is_none_or(|view| seen.contains(&Etag::of(&view))))
}

/// Since when others may have had a key, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exposure {
    /// When the key was first seen in public; `None` if a report does not say when, or says no time before the
    /// restriction: nobody knows how long others have had the key.
    pub first_seen: Option<OffsetDateTime>,
    /// When akgate came to know, and restricted the key.
    pub known_at: OffsetDateTime,
    /// Since when calls are on record: what was done before is not known.
    pub recorded_since: Option<OffsetDateTime>,
    /// Whether the restriction is in force.
    pub is_in_force: bool,
}

impl Exposure {
    /// Since when everything is looked at: the first sighting, or all that is recorded.
    #[must_use]
    pub fn looked_at_since(&self) -> OffsetDateTime {
        self.first_seen.unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

/// Finds since when others may have had the key of a restriction; `None` if nothing has this id. A time counts only if
/// every report states one.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn find_exposure(
    db: &mut PgConnection,
    restriction_id: Uuid,
) -> Result<Option<Exposure>, StateFault> {
    let exposure = sqlx::query_as!(
        Exposure,
        "SELECT
             CASE
                 WHEN count(l.first_seen) > 0
                     AND count(l.first_seen) = count(l.report_id)
                     AND min(l.first_seen) < r.imposed_at
                 THEN min(l.first_seen)
             END AS first_seen,
             r.imposed_at AS known_at,
             (
                 SELECT min(to_date(right(c.relname, 8), 'YYYYMMDD'))::timestamp AT TIME ZONE 'UTC'
                 FROM pg_inherits i
                 JOIN pg_class c ON c.oid = i.inhrelid
                 WHERE i.inhparent = 'intents'::regclass
                   AND c.relname ~ '^intents_[0-9]{8}$'
             ) AS recorded_since,
             r.state <> 'Lifted' AS \"is_in_force!\"
         FROM restrictions r
         LEFT JOIN leak_reports l USING (restriction_id)
         WHERE r.restriction_id = $1
         GROUP BY r.restriction_id",
        restriction_id
    )
    .fetch_optional(db)
    .await?;
    Ok(exposure)
}

/// Since when others may have had the key: the first sighting, or the restriction.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn find_public_since(
    db: &mut PgConnection,
    restriction_id: Uuid,
) -> Result<OffsetDateTime, StateFault> {
    let since = sqlx::query_scalar!(
        "SELECT LEAST(r.imposed_at, min(l.first_seen)) AS \"since!\"
         FROM restrictions r
         LEFT JOIN leak_reports l USING (restriction_id)
         WHERE r.restriction_id = $1
         GROUP BY r.restriction_id",
        restriction_id
    )
    .fetch_one(db)
    .await?;
    Ok(since)
}

/// How many other keys of the same principal work: what a leaked one was replaced by, or can be.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn count_other_keys(
    db: &mut PgConnection,
    access_key_id: &AccessKeyId,
) -> Result<i64, StateFault> {
    let count = sqlx::query_scalar!(
        "SELECT count(*) AS \"count!\"
         FROM access_keys leaked
         JOIN access_keys other USING (principal_id)
         WHERE leaked.access_key_id = $1
           AND other.access_key_id <> $1
           AND other.status = 'Active'",
        access_key_id.as_str()
    )
    .fetch_one(db)
    .await?;
    Ok(count)
}
