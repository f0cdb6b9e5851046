//! What operators and owners are shown of restrictions.

use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::directory::{StateFault, keys::key_id};
use crate::{
    restrictions::reports::{self, ReportView},
    restrictions::seen::Seen,
};
use akgate_rules::{access_key::AccessKeyId, restriction::State};

/// A restriction with its key and its leak reports.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RestrictionView {
    /// UUID version 7.
    pub restriction_id: Uuid,
    /// The key.
    pub access_key_id: String,
    /// The key's account; null if the key is unknown.
    pub account_id: Option<String>,
    /// The key's RAM user; null for the account itself.
    pub user_name: Option<String>,
    /// `Active`, `Inactive` or `Deleted`; null if the key is unknown.
    pub key_status: Option<String>,
    /// `Imposed`, `Remediated` or `Lifted`.
    pub state: String,
    /// `Reported` or `Reactivated`.
    pub cause: String,
    /// When it was imposed.
    #[serde(with = "time::serde::rfc3339")]
    pub imposed_at: OffsetDateTime,
    /// When the clean-up was confirmed.
    #[serde(with = "time::serde::rfc3339::option")]
    pub remediated_at: Option<OffsetDateTime>,
    /// Who confirmed it: `contact:ID` or `operator:NAME`.
    pub confirmed_by: Option<String>,
    /// Ticket number of a confirmation recorded by an operator.
    pub ticket: Option<String>,
    /// When it was lifted.
    #[serde(with = "time::serde::rfc3339::option")]
    pub lifted_at: Option<OffsetDateTime>,
    /// Who lifted it: `operator:NAME` or `policy`.
    pub lifted_by: Option<String>,
    /// Why it was lifted, in the operator's words.
    pub lift_reason: Option<String>,
    /// The resolution: `Rotated`, `Disabled`, `Deleted`, `FalsePositive`, `UsedInTests` or `AcceptedRisk`.
    pub closing: Option<String>,
    /// The approver of a lift that needed approval: `operator:NAME`.
    pub approved_by: Option<String>,
    /// It was undone, as if it had never existed: neither sessions nor the key, if it comes back, are restricted by it.
    pub undone: bool,
    /// If the key is enabled or restored again, it is restricted again.
    pub tombstone: bool,
    /// When the owner was first notified; the reminders and escalation steps count from here.
    #[serde(with = "time::serde::rfc3339::option")]
    pub told_at: Option<OffsetDateTime>,
    /// Since when sensitive reads are refused too.
    #[serde(with = "time::serde::rfc3339::option")]
    pub widened_at: Option<OffsetDateTime>,
    /// When the account's other contacts were notified.
    #[serde(with = "time::serde::rfc3339::option")]
    pub next_contacts_at: Option<OffsetDateTime>,
    /// When operators were asked to disable the key.
    #[serde(with = "time::serde::rfc3339::option")]
    pub disabling_proposed_at: Option<OffsetDateTime>,
    /// The leak reports, oldest first.
    pub reports: Vec<ReportView>,
}

impl RestrictionView {
    /// The key's id, read.
    ///
    /// # Errors
    /// [`StateFault::Corrupt`].
    pub fn key_id(&self) -> Result<AccessKeyId, StateFault> {
        key_id(&self.access_key_id)
    }

    /// Since when somebody may have had the key: as [`public_since`] reads it.
    #[must_use]
    pub fn public_since(&self) -> OffsetDateTime {
        let seen = self.reports.iter().filter_map(|report| report.first_seen);
        seen.fold(self.imposed_at, OffsetDateTime::min)
    }
}

/// Which restrictions are wanted, the newest first.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// This one alone.
    pub restriction_id: Option<Uuid>,
    /// In this state.
    pub state: Option<State>,
    /// Of this key.
    pub access_key_id: Option<String>,
    /// Of this account.
    pub account_id: Option<String>,
    /// Of which something begins with this: the key, its account or user, the ticket, where or under which number it was
    /// found.
    pub query: Option<String>,
    /// Older than this one: where the last page ended.
    pub before: Option<Uuid>,
    /// At most so many.
    pub limit: i64,
}

/// Reads restrictions.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn list(
    db: &mut PgConnection,
    wanted: &Wanted,
) -> Result<Vec<RestrictionView>, StateFault> {
    let found = where_to_look(db, wanted).await?;
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
             r.remediated_at,
             r.confirmed_by,
             r.ticket,
             r.lifted_at,
             r.lifted_by,
             r.lift_reason,
             r.closing,
             r.approved_by,
             COALESCE(r.lifted_revision = 0, false) AS \"undone!\",
             r.tombstone,
             r.told_at,
             r.widened_at,
             r.next_contacts_at,
             r.disabling_proposed_at
         FROM restrictions r
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
        wanted.restriction_id,
        wanted.state.map(State::as_str),
        wanted.access_key_id.as_deref(),
        wanted.before,
        found.as_deref(),
        wanted.limit
    )
    .fetch_all(&mut *db)
    .await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.restriction_id).collect();
    let reports = reports::of_restrictions(db, &ids).await?;
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
        remediated_at: row.remediated_at,
        confirmed_by: row.confirmed_by,
        ticket: row.ticket,
        lifted_at: row.lifted_at,
        lifted_by: row.lifted_by,
        lift_reason: row.lift_reason,
        closing: row.closing,
        approved_by: row.approved_by,
        undone: row.undone,
        tombstone: row.tombstone,
        told_at: row.told_at,
        widened_at: row.widened_at,
        next_contacts_at: row.next_contacts_at,
        disabling_proposed_at: row.disabling_proposed_at,
    });
    Ok(views.collect())
}

/// With more restrictions than these that a text finds, they are looked through from the newest on.
const FEW: i64 = 5000;

/// In the order of code points, everything that begins with a text stands from it to before this one.
fn end(text: &str) -> String {
    format!("{text}\u{10ffff}")
}

/// Restrictions of which something begins with a text, in no order: each place is looked up by its index. More than
/// [`FEW`] are not all of them.
async fn found(db: &mut PgConnection, text: &str) -> Result<Vec<Uuid>, StateFault> {
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
        end(text),
        by_url,
        end(&by_url),
        FEW + 1
    )
    .fetch_all(db)
    .await?;
    Ok(ids)
}

/// The same of many, from the newest on, as far as a page goes.
async fn newest(
    db: &mut PgConnection,
    text: &str,
    wanted: &Wanted,
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
        end(text),
        by_url,
        end(&by_url),
        wanted.state.map(State::as_str),
        wanted.before,
        wanted.account_id,
        wanted.limit
    )
    .fetch_all(db)
    .await?;
    Ok(ids)
}

/// The restrictions of an account, in no order.
async fn of_account(db: &mut PgConnection, account_id: &str) -> Result<Vec<Uuid>, StateFault> {
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
async fn where_to_look(
    db: &mut PgConnection,
    wanted: &Wanted,
) -> Result<Option<Vec<Uuid>>, StateFault> {
    let Some(text) = wanted.query.as_deref() else {
        return match wanted.account_id.as_deref() {
            Some(account_id) => of_account(db, account_id).await.map(Some),
            None => Ok(None),
        };
    };
    let found = found(db, text).await?;
    if i64::try_from(found.len()).is_ok_and(|count| count > FEW) {
        return newest(db, text, wanted).await.map(Some);
    }
    match wanted.account_id.as_deref() {
        None => Ok(Some(found)),
        Some(account_id) => {
            let of_account = of_account(db, account_id).await?;
            let both = found.into_iter().filter(|id| of_account.contains(id));
            Ok(Some(both.collect()))
        }
    }
}

/// Reads one restriction.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn one(
    db: &mut PgConnection,
    restriction_id: Uuid,
) -> Result<Option<RestrictionView>, StateFault> {
    let wanted = Wanted {
        restriction_id: Some(restriction_id),
        limit: 1,
        ..Wanted::default()
    };
    Ok(list(db, &wanted).await?.pop())
}

/// Whether a restriction is still as somebody has `seen` it, where anybody asks. Of one that is not there nothing is
/// otherwise: what wants to change it finds that out.
///
/// # Errors
/// [`StateFault::Database`].
pub(crate) async fn is_as_seen(
    db: &mut PgConnection,
    restriction_id: Uuid,
    seen: Option<&[Seen]>,
) -> Result<bool, StateFault> {
    let Some(seen) = seen else {
        return Ok(true);
    };
    let view = one(db, restriction_id).await?;
    Ok(view.is_none_or(|view| seen.contains(&Seen::of(&view))))
}

/// Since when somebody may have had the key: the first sighting, or the restriction.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn public_since(
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

/// How many other pairs of the same principal work: what a leaked one was replaced by, or can be.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn other_pairs(
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
