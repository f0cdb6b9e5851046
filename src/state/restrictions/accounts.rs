//! Accounts: their profile and self-remediation settings, and their numbers of keys and restrictions.

use sqlx::{PgConnection, PgPool, PgTransaction};
use time::OffsetDateTime;

use crate::restrictions::etag::Etag;
use crate::{
    audit::{self, Actor, AuditAction, AuditEntry},
    directory::{StateFault, revision},
};
use akgate_api::accounts::AccountView;
use akgate_rules::{position::Position, verdict::Profile};

/// What of an account is set; `None` for the configured default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountSetting {
    /// What its restricted keys are refused.
    Profile(Option<Profile>),
    /// Whether they may disable or delete themselves.
    SelfRemedy(Option<bool>),
}

/// Why an account is not set.
#[derive(Debug, thiserror::Error)]
pub enum AccountFault {
    /// The account is unknown.
    #[error("the account does not exist")]
    NotFound,
    /// It has changed since the operator read it.
    #[error("the account has changed since you read it")]
    Changed,
    /// The database failed.
    #[error(transparent)]
    State(#[from] StateFault),
}

impl From<sqlx::Error> for AccountFault {
    fn from(fault: sqlx::Error) -> Self {
        Self::State(fault.into())
    }
}

/// Sets something of an account that is still as it was `seen`; returns the change.
///
/// # Errors
/// [`AccountFault`]; nothing is changed then.
pub async fn set_account(
    pool: &PgPool,
    account_id: &str,
    setting: AccountSetting,
    actor: &Actor,
    seen: Option<&[Etag]>,
    now: OffsetDateTime,
) -> Result<Position, AccountFault> {
    let mut tx = pool.begin().await?;
    let at = revision::advance_revision(&mut tx, now).await?;
    let view = find_account(&mut tx, account_id)
        .await?
        .ok_or(AccountFault::NotFound)?;
    if seen.is_some_and(|seen| !seen.contains(&Etag::of(&view))) {
        return Err(AccountFault::Changed);
    }
    let (action, detail) = match setting {
        AccountSetting::Profile(profile) => {
            sqlx::query!(
                "UPDATE accounts
                 SET profile = $2,
                     revision = $3
                 WHERE account_id = $1",
                account_id,
                profile.map(Profile::as_str),
                at.revision
            )
            .execute(&mut *tx)
            .await?;
            let detail = serde_json::json!({ "account_id": account_id, "profile": profile });
            (AuditAction::SetProfile, detail)
        }
        AccountSetting::SelfRemedy(allowed) => {
            sqlx::query!(
                "UPDATE accounts
                 SET self_remedy = $2,
                     revision = $3
                 WHERE account_id = $1",
                account_id,
                allowed,
                at.revision
            )
            .execute(&mut *tx)
            .await?;
            let detail = serde_json::json!({ "account_id": account_id, "self_remedy": allowed });
            (AuditAction::SetSelfRemedy, detail)
        }
    };
    audit_account(&mut tx, action, actor, detail, now).await?;
    tx.commit().await?;
    Ok(at.position())
}

async fn audit_account(
    tx: &mut PgTransaction<'_>,
    action: AuditAction,
    actor: &Actor,
    detail: serde_json::Value,
    now: OffsetDateTime,
) -> Result<(), StateFault> {
    let entry = AuditEntry {
        at: now,
        actor,
        action,
        access_key_id: None,
        restriction_id: None,
        detail,
    };
    audit::insert_audit_record(tx, entry).await
}

/// Which accounts to list, sorted by id.
#[derive(Debug, Clone, Default)]
pub struct AccountCriteria {
    /// Only the one with this id.
    pub account_id: Option<String>,
    /// Only those that override a configured default.
    pub own: bool,
    /// Only later ids: the last id of the previous page.
    pub after: Option<String>,
    /// Maximum number of rows.
    pub limit: i64,
}

/// Reads accounts.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn list_accounts(
    db: &mut PgConnection,
    criteria: &AccountCriteria,
) -> Result<Vec<AccountView>, StateFault> {
    let views = sqlx::query_as!(
        AccountView,
        "SELECT
             a.account_id,
             a.profile,
             a.self_remedy,
             ARRAY(
                 SELECT c.email
                 FROM contacts c
                 WHERE c.account_id = a.account_id
                 ORDER BY c.rank, c.email
             ) AS \"contacts!\",
             k.keys AS \"keys!\",
             k.restrictions AS \"restrictions!\",
             a.created_at
         FROM (
             SELECT *
             FROM accounts
             WHERE ($1::text IS NULL OR account_id = $1)
               AND (NOT $2 OR profile IS NOT NULL OR self_remedy IS NOT NULL)
               AND ($3::text IS NULL OR account_id > $3)
             ORDER BY account_id
             LIMIT $4
         ) AS a
         CROSS JOIN LATERAL (
             SELECT count(*) AS keys, count(r.restriction_id) AS restrictions
             FROM principals p
             JOIN access_keys k USING (principal_id)
             LEFT JOIN restrictions r
                 ON r.access_key_id = k.access_key_id
                 AND r.state <> 'Lifted'
             WHERE p.account_id = a.account_id
         ) AS k
         ORDER BY a.account_id",
        criteria.account_id.as_deref(),
        criteria.own,
        criteria.after.as_deref(),
        criteria.limit
    )
    .fetch_all(db)
    .await?;
    Ok(views)
}

/// Reads one account.
///
/// # Errors
/// [`StateFault::Database`].
pub async fn find_account(
    db: &mut PgConnection,
    account_id: &str,
) -> Result<Option<AccountView>, StateFault> {
    let criteria = AccountCriteria {
        account_id: Some(account_id.to_owned()),
        limit: 1,
        ..AccountCriteria::default()
    };
    Ok(list_accounts(db, &criteria).await?.pop())
}
