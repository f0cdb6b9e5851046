//! What descends from a leaked key: found through everything that it made, and restricted where a policy that operators
//! chose, or an operator, says so.
//!
//! A restriction with `descendants_since` reaches what its key made since then, to any depth: the access keys, and the
//! sessions of roles and identity providers. Each gets a restriction of its own, which names that of the key as its
//! ancestor. What becomes known later is restricted in the transaction in which it becomes known
//! (`restrict_new_descendants`); writers of both kinds wait for each other, so that nothing comes between.

use std::collections::HashSet;

use sqlx::{PgConnection, PgTransaction};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    audit::Actor,
    directory::{StateFault, collect_column, keys::parse_key_id, revision::WriteStamp},
    outbox,
    restrictions::impose::{RestrictionTarget, impose_restrictions, list_in_force},
};
use akgate_api::descendants::DescendantView;
use akgate_rules::{access_key::AccessKeyId, restriction::RestrictionCause};

/// A restriction, and since when what its key made is to be looked at.
#[derive(Debug, Clone, Copy)]
pub struct LineageRoot {
    /// The restriction.
    pub restriction_id: Uuid,
    /// What was made before is not looked at.
    pub since: OffsetDateTime,
}

/// An access key or a session that is free, and descends from a restricted key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreeDescendant {
    /// The restriction of the key that it descends from.
    pub ancestor_id: Uuid,
    /// Its id.
    pub access_key_id: AccessKeyId,
    /// Its account.
    pub account_id: String,
    /// Whether that is the account of the restricted key as well.
    pub is_same_account: bool,
    /// The restriction that it has from an ancestor whose own was lifted without it.
    left_behind: Option<Uuid>,
}

impl FreeDescendant {
    /// Whether nothing restricts it yet.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.left_behind.is_none()
    }
}

/// Finds the access keys and the sessions still valid that descend from restricted keys and that nothing restricts, or
/// only what an earlier restriction of an ancestor has left behind. What an operator has freed by itself is left out, with all that it made. Sessions that inherit the restriction of an
/// access key are left out as well.
///
/// # Errors
/// [`StateFault`].
pub async fn find_free_descendants(
    db: &mut PgConnection,
    roots: &[LineageRoot],
    now: OffsetDateTime,
) -> Result<Vec<FreeDescendant>, StateFault> {
    if roots.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query!(
        "WITH RECURSIVE root AS (
             SELECT
                 n.restriction_id,
                 n.since,
                 r.access_key_id,
                 COALESCE(r.ancestor_id, r.restriction_id) AS ancestor_id,
                 COALESCE(p.account_id, s.account_id) AS account_id
             FROM unnest($1::uuid[], $2::timestamptz[]) AS n (restriction_id, since)
             JOIN restrictions r USING (restriction_id)
             LEFT JOIN access_keys k USING (access_key_id)
             LEFT JOIN principals p USING (principal_id)
             LEFT JOIN sessions s USING (access_key_id)
         ),
         down (restriction_id, thing) AS (
             SELECT restriction_id, access_key_id
             FROM root
             UNION
             SELECT d.restriction_id, c.made
             FROM down d
             JOIN root USING (restriction_id)
             JOIN creations c ON c.origin = d.thing
             WHERE (d.thing <> root.access_key_id OR c.made_at >= root.since)
               AND NOT EXISTS (
                   SELECT 1
                   FROM restrictions f
                   JOIN restrictions a ON a.restriction_id = f.ancestor_id
                   WHERE f.access_key_id = c.made
                     AND f.state = 'Lifted'
                     AND a.state <> 'Lifted'
               )
         ),
         found AS (
             SELECT d.restriction_id, k.access_key_id, p.account_id
             FROM down d
             JOIN access_keys k ON k.access_key_id = d.thing
             JOIN principals p USING (principal_id)
             WHERE k.status <> 'Deleted'
             UNION ALL
             SELECT d.restriction_id, s.access_key_id, s.account_id
             FROM down d
             JOIN sessions s ON s.origins @> ARRAY[d.thing]
             WHERE d.thing LIKE '%:%'
               AND s.expires_at > $3
         )
         SELECT DISTINCT ON (f.access_key_id)
             root.ancestor_id AS \"ancestor_id!\",
             f.access_key_id AS \"access_key_id!\",
             f.account_id AS \"account_id!\",
             COALESCE(f.account_id = root.account_id, false) AS \"is_same_account!\",
             own.restriction_id AS \"left_behind?\"
         FROM found f
         JOIN root USING (restriction_id)
         LEFT JOIN restrictions own ON own.access_key_id = f.access_key_id AND own.state <> 'Lifted'
         WHERE NOT EXISTS (
             SELECT 1
             FROM restrictions r
             LEFT JOIN restrictions a ON a.restriction_id = r.ancestor_id
             WHERE r.access_key_id = f.access_key_id
               AND (a.state <> 'Lifted' OR (r.state <> 'Lifted' AND a.restriction_id IS NULL))
         )
         ORDER BY f.access_key_id, f.restriction_id",
        &collect_column(roots, |root| root.restriction_id),
        &collect_column(roots, |root| root.since),
        now
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(FreeDescendant {
                ancestor_id: row.ancestor_id,
                access_key_id: parse_key_id(&row.access_key_id)?,
                account_id: row.account_id,
                is_same_account: row.is_same_account,
                left_behind: row.left_behind,
            })
        })
        .collect()
}

/// Makes restrictions reach what their keys made, and restricts what is known of that. The restrictions count as changed
/// with it. Returns the new restrictions' ids.
///
/// # Errors
/// [`StateFault`].
pub(crate) async fn restrict_descendants(
    tx: &mut PgTransaction<'_>,
    roots: &[LineageRoot],
    actor: &Actor,
    at: WriteStamp,
) -> Result<Vec<Uuid>, StateFault> {
    if roots.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query!(
        "UPDATE restrictions r
         SET descendants_since = LEAST(r.descendants_since, n.since),
             revision = $3
         FROM unnest($1::uuid[], $2::timestamptz[]) AS n (restriction_id, since)
         WHERE r.restriction_id = n.restriction_id",
        &collect_column(roots, |root| root.restriction_id),
        &collect_column(roots, |root| root.since),
        at.revision
    )
    .execute(&mut **tx)
    .await?;
    let (found, left_behind): (Vec<_>, Vec<_>) = find_free_descendants(tx, roots, at.now)
        .await?
        .into_iter()
        .partition(FreeDescendant::is_free);
    sqlx::query!(
        "UPDATE restrictions r
         SET ancestor_id = n.ancestor_id
         FROM unnest($1::uuid[], $2::uuid[]) AS n (restriction_id, ancestor_id)
         WHERE r.restriction_id = n.restriction_id",
        &collect_column(&left_behind, |one| one.left_behind) as &[Option<Uuid>],
        &collect_column(&left_behind, |one| one.ancestor_id)
    )
    .execute(&mut **tx)
    .await?;
    impose_on_descendants(tx, &found, actor, at).await
}

/// An access key or a session that becomes known.
#[derive(Debug, Clone)]
pub(crate) struct NewDescendant<'a> {
    pub access_key_id: &'a AccessKeyId,
    pub account_id: &'a str,
    /// What it descends from ([`akgate_rules::lineage`]).
    pub origins: Vec<String>,
}

/// Restricts those of the new access keys and sessions that a restriction reaches.
///
/// # Errors
/// [`StateFault`].
pub(crate) async fn restrict_new_descendants(
    tx: &mut PgTransaction<'_>,
    new: &[NewDescendant<'_>],
    at: WriteStamp,
) -> Result<(), StateFault> {
    let things: Vec<(i64, &str)> = (1..)
        .zip(new)
        .flat_map(|(position, one)| one.origins.iter().map(move |of| (position, of.as_str())))
        .collect();
    if things.is_empty() {
        return Ok(());
    }
    let reached = sqlx::query!(
        "SELECT
             n.position AS \"position!\",
             r.restriction_id,
             COALESCE(p.account_id, s.account_id) AS account_id
         FROM (
             SELECT position, restricting_ancestor(array_agg(origin)) AS restriction_id
             FROM unnest($1::bigint[], $2::text[]) AS o (position, origin)
             GROUP BY position
         ) AS n
         JOIN restrictions r USING (restriction_id)
         LEFT JOIN access_keys k USING (access_key_id)
         LEFT JOIN principals p USING (principal_id)
         LEFT JOIN sessions s USING (access_key_id)
         ORDER BY n.position",
        &collect_column(&things, |(position, _)| *position),
        &collect_column(&things, |(_, origin)| *origin) as &[&str]
    )
    .fetch_all(&mut **tx)
    .await?;
    if reached.is_empty() {
        return Ok(());
    }
    let ids = collect_column(new, |one| one.access_key_id.as_str());
    let in_force = list_in_force(tx, &ids).await?;
    let found: Vec<FreeDescendant> = reached
        .into_iter()
        .filter_map(|row| {
            let place = usize::try_from(row.position - 1).ok()?;
            let one = new.get(place)?;
            let is_free = !in_force.contains_key(one.access_key_id.as_str());
            is_free.then(|| FreeDescendant {
                ancestor_id: row.restriction_id,
                access_key_id: one.access_key_id.clone(),
                account_id: one.account_id.to_owned(),
                is_same_account: row.account_id.as_deref() == Some(one.account_id),
                left_behind: None,
            })
        })
        .collect();
    impose_on_descendants(tx, &found, &Actor::Policy, at).await?;
    Ok(())
}

/// Restricts descendants. The contacts of the leaked key's account are told of theirs together; those of another account
/// get letters about their own keys.
async fn impose_on_descendants(
    tx: &mut PgTransaction<'_>,
    found: &[FreeDescendant],
    actor: &Actor,
    at: WriteStamp,
) -> Result<Vec<Uuid>, StateFault> {
    let targets: Vec<RestrictionTarget<'_>> = found
        .iter()
        .map(|one| RestrictionTarget {
            access_key_id: &one.access_key_id,
            account_id: Some(&one.account_id),
            ancestor_id: Some(one.ancestor_id),
            is_told: !one.is_same_account,
        })
        .collect();
    let cause = RestrictionCause::Descendant;
    let imposed = impose_restrictions(tx, &targets, cause, actor, at).await?;
    let told: HashSet<Uuid> = found
        .iter()
        .filter(|one| one.is_same_account)
        .map(|one| one.ancestor_id)
        .collect();
    outbox::enqueue_descendants(tx, &Vec::from_iter(told), at.now).await?;
    Ok(imposed)
}

/// Reads what descends from the key of a restriction: access keys, sessions still valid, users, roles and everything else
/// that it made since then; the first made first.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn list_descendants(
    db: &mut PgConnection,
    restriction_id: Uuid,
    since: OffsetDateTime,
    now: OffsetDateTime,
    limit: i64,
) -> Result<Vec<DescendantView>, StateFault> {
    let found = sqlx::query_as!(
        DescendantView,
        "WITH RECURSIVE root AS (
             SELECT access_key_id
             FROM restrictions
             WHERE restriction_id = $1
         ),
         down (thing, distance) AS (
             SELECT access_key_id, 0
             FROM root
             UNION
             SELECT c.made, d.distance + 1
             FROM down d
             CROSS JOIN root
             JOIN creations c ON c.origin = d.thing
             WHERE d.distance < 32
               AND c.made <> root.access_key_id
               AND (d.distance > 0 OR c.made_at >= $2)
         ),
         made AS (
             SELECT d.thing AS id, d.distance, c.made_by, c.made_at, c.request_id
             FROM (SELECT thing, min(distance) AS distance FROM down WHERE distance > 0 GROUP BY thing) AS d
             CROSS JOIN LATERAL (
                 SELECT made_by, made_at, request_id
                 FROM creations
                 WHERE made = d.thing
                 ORDER BY made_at
                 LIMIT 1
             ) AS c
         ),
         found AS (
             SELECT
                 m.id,
                 CASE WHEN m.id LIKE '%:%' THEN split_part(m.id, ':', 1) ELSE 'key' END AS kind,
                 m.distance,
                 COALESCE(p.account_id, NULLIF(split_part(split_part(m.id, ':', 2), '/', 1), '')) AS account_id,
                 p.user_name,
                 k.status,
                 NULLIF(m.made_by, '') AS made_by,
                 m.made_at,
                 m.request_id,
                 NULL::timestamptz AS expires_at
             FROM made m
             LEFT JOIN access_keys k ON k.access_key_id = m.id
             LEFT JOIN principals p USING (principal_id)
             UNION ALL
             SELECT DISTINCT ON (s.access_key_id)
                 s.access_key_id,
                 'session',
                 m.distance + 1,
                 s.account_id,
                 s.principal,
                 'Live',
                 m.id,
                 s.minted_at,
                 s.request_id,
                 s.expires_at
             FROM made m
             JOIN sessions s ON s.origins @> ARRAY[m.id]
             WHERE m.id LIKE '%:%'
               AND s.expires_at > $3
         )
         SELECT
             f.id AS \"id!\",
             f.kind AS \"kind!\",
             f.distance AS \"distance!\",
             f.account_id,
             f.user_name,
             f.status,
             f.made_by,
             f.made_at AS \"made_at!\",
             f.request_id AS \"request_id!\",
             f.expires_at,
             r.restriction_id AS \"restriction_id?\",
             r.state AS \"restriction?\"
         FROM found f
         LEFT JOIN restrictions r ON r.access_key_id = f.id AND r.state <> 'Lifted'
         ORDER BY f.made_at, f.id
         LIMIT $4",
        restriction_id,
        since,
        now,
        limit
    )
    .fetch_all(db)
    .await?;
    Ok(found)
}
