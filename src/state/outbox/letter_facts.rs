//! Queries for the facts of letters, in addition to the restriction itself.

use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::LeasedLetter;
use crate::directory::StateFault;
use akgate_rules::access_key::AccessKeyId;

/// The account that a contact speaks for.
pub struct ContactAccount {
    /// Its number.
    pub account_id: String,
    /// Its own profile, by name; `None` where the configured one holds.
    pub profile: Option<String>,
}

/// Finds the account of a contact.
///
/// # Errors
/// [`StateFault`].
pub async fn account_of_contact(
    pool: &PgPool,
    contact_id: Uuid,
) -> Result<ContactAccount, StateFault> {
    let account = sqlx::query_as!(
        ContactAccount,
        "SELECT a.account_id, a.profile
         FROM contacts c
         JOIN accounts a USING (account_id)
         WHERE c.contact_id = $1",
        contact_id
    );
    Ok(account.fetch_one(pool).await?)
}

/// Whose a suspected AccessKey is.
pub struct SuspectedOwner {
    /// The account.
    pub account_id: String,
    /// The RAM user; `None` for the account itself.
    pub user_name: Option<String>,
    /// The status of the AccessKey, by name.
    pub status: String,
}

/// Finds the owner of a suspected AccessKey; `None` where there is nothing to suspect any more: it is restricted by now, or
/// does not work.
///
/// # Errors
/// [`StateFault`].
pub async fn owner_of_suspected_key(
    pool: &PgPool,
    key: &AccessKeyId,
) -> Result<Option<SuspectedOwner>, StateFault> {
    let owner = sqlx::query_as!(
        SuspectedOwner,
        "SELECT p.account_id, p.user_name, k.status
         FROM access_keys k
         JOIN principals p USING (principal_id)
         WHERE k.access_key_id = $1
           AND k.status = 'Active'
           AND NOT EXISTS (
               SELECT 1
               FROM restrictions r
               WHERE r.access_key_id = k.access_key_id
                 AND r.state <> 'Lifted'
           )",
        key.as_str()
    );
    Ok(owner.fetch_optional(pool).await?)
}

/// When the reader of a letter was last told where the AccessKey was found.
///
/// # Errors
/// [`StateFault`].
pub async fn last_told(pool: &PgPool, letter: &LeasedLetter) -> Result<OffsetDateTime, StateFault> {
    let last = sqlx::query_scalar!(
        "SELECT max(settled_at)
         FROM letters
         WHERE restriction_id = $1
           AND contact_id = $2
           AND kind IN ('Imposed', 'Repeated')
           AND state = 'Sent'",
        letter.about.restriction(),
        letter.contact_id
    )
    .fetch_one(pool)
    .await?;
    Ok(last.unwrap_or(OffsetDateTime::UNIX_EPOCH))
}

/// The address of a contact.
///
/// # Errors
/// [`StateFault`].
pub async fn email_of_contact(
    pool: &PgPool,
    contact_id: Uuid,
) -> Result<Option<String>, StateFault> {
    let email = sqlx::query_scalar!(
        "SELECT email
         FROM contacts
         WHERE contact_id = $1",
        contact_id
    );
    Ok(email.fetch_optional(pool).await?)
}
