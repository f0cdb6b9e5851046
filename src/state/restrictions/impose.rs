//! Imposes a restriction: the common part of everything that restricts a key.

use std::collections::HashMap;

use sqlx::PgTransaction;
use uuid::Uuid;

use crate::{
    audit::{self, Actor, AuditAction, AuditEntry},
    directory::{StateFault, collect_column, revision::WriteStamp},
    outbox,
};
use akgate_rules::{
    access_key::AccessKeyId,
    position::{History, Position},
    restriction::RestrictionCause,
};

/// A restriction, and since when it is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestrictionInForce {
    /// Its id.
    pub restriction_id: Uuid,
    /// The change from which on it is enforced.
    pub position: Position,
}

/// A key to be restricted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RestrictionTarget<'a> {
    pub access_key_id: &'a AccessKeyId,
    /// The account that is written to; `None` if the key is unknown.
    pub account_id: Option<&'a str>,
    /// The restriction of the key that it descends from; `None` if it leaked itself.
    pub ancestor_id: Option<Uuid>,
    /// Whether its account gets a letter about it.
    pub is_told: bool,
}

impl<'a> RestrictionTarget<'a> {
    /// A key that leaked itself.
    pub fn leaked(access_key_id: &'a AccessKeyId, account_id: Option<&'a str>) -> Self {
        Self {
            access_key_id,
            account_id,
            ancestor_id: None,
            is_told: true,
        }
    }
}

/// Writes restrictions, audit records and letters; returns the restrictions' ids, in the order of the keys. None of the
/// keys is restricted before, nor named twice.
pub(crate) async fn impose_restrictions(
    tx: &mut PgTransaction<'_>,
    targets: &[RestrictionTarget<'_>],
    cause: RestrictionCause,
    actor: &Actor,
    at: WriteStamp,
) -> Result<Vec<Uuid>, StateFault> {
    let ids: Vec<Uuid> = targets.iter().map(|_| Uuid::now_v7()).collect();
    if ids.is_empty() {
        return Ok(ids);
    }
    let keys: Vec<&str> = targets
        .iter()
        .map(|target| target.access_key_id.as_str())
        .collect();
    sqlx::query!(
        "INSERT INTO restrictions (
             restriction_id,
             access_key_id,
             state,
             cause,
             imposed_at,
             ancestor_id,
             descendants_since,
             revision
         )
         SELECT
             n.restriction_id,
             n.access_key_id,
             'Imposed',
             $3,
             $4,
             n.ancestor_id,
             -- Everything that a descendant ever made descends from the leaked key too.
             CASE WHEN n.ancestor_id IS NOT NULL THEN to_timestamp(0) END,
             $5
         FROM unnest($1::uuid[], $2::text[], $6::uuid[]) AS n (restriction_id, access_key_id, ancestor_id)",
        &ids,
        &keys as &[&str],
        cause.as_str(),
        at.now,
        at.revision,
        &collect_column(targets, |target| target.ancestor_id) as &[Option<Uuid>]
    )
    .execute(&mut **tx)
    .await?;
    let imposed = || targets.iter().zip(&ids);
    let entries: Vec<AuditEntry<'_>> = imposed()
        .map(|(target, id)| AuditEntry {
            at: at.now,
            actor,
            action: AuditAction::Impose,
            access_key_id: Some(target.access_key_id),
            restriction_id: Some(*id),
            detail: match target.ancestor_id {
                Some(ancestor) => serde_json::json!({ "cause": cause, "ancestor": ancestor }),
                None => serde_json::json!({ "cause": cause }),
            },
        })
        .collect();
    audit::insert_audit_records(tx, &entries).await?;
    let told: Vec<(Uuid, Option<&str>)> = imposed()
        .filter(|(target, _)| target.is_told)
        .map(|(target, id)| (*id, target.account_id))
        .collect();
    outbox::enqueue_imposed(tx, &told, at.now).await?;
    Ok(ids)
}

/// Those of the keys that are restricted, each with the restriction that is in force.
pub(crate) async fn list_in_force(
    tx: &mut PgTransaction<'_>,
    access_key_ids: &[&str],
) -> Result<HashMap<String, RestrictionInForce>, StateFault> {
    let rows = sqlx::query!(
        "SELECT
             access_key_id,
             restriction_id,
             revision,
             (SELECT history FROM registry_revision) AS \"history!\"
         FROM restrictions
         WHERE access_key_id = ANY($1)
           AND state <> 'Lifted'",
        access_key_ids as &[&str]
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let restriction = RestrictionInForce {
                restriction_id: row.restriction_id,
                position: Position {
                    history: History(row.history),
                    revision: row.revision,
                },
            };
            (row.access_key_id, restriction)
        })
        .collect())
}
