//! Changes of the directory that calls to upstreams cause, each committed in one transaction.

use rand::CryptoRng;
use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;

use super::lifecycle;
use crate::directory::{
    StateFault,
    keys::NewKey,
    principals, revision,
    sealing::KeyRing,
    sessions::{self, NewSession},
};
use akgate_api::keys::KeyStatus;
use akgate_rules::{access_key::AccessKeyId, position::Position};

/// A change that the directory learns of.
#[derive(Debug, Clone)]
pub enum DirectoryChange {
    /// An access key was made.
    NewKey(NewKey),
    /// An access key was enabled, disabled, deleted or brought back.
    KeyStatus(AccessKeyId, KeyStatus),
    /// A session was handed out.
    NewSession(Box<NewSession>),
    /// A RAM user was made: its name, and its id where that is known.
    NewUser(String, Option<String>),
    /// A RAM user has another name.
    RenamedUser(UserRef, String),
    /// A RAM user was deleted, and with it its access keys.
    DeletedUser(UserRef),
}

/// How a call names a RAM user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserRef {
    /// By `UserName`, or the part of `UserPrincipalName` before the `@`.
    Name(String),
    /// By `UserId`, as IMS allows.
    Id(String),
}

/// Commits a change of this account; returns the position at which it is committed, or `None` for a new user: no node
/// needs to know it, so it does not take the revision lock.
///
/// # Errors
/// [`StateFault`]; nothing is changed then.
pub async fn apply(
    pool: &PgPool,
    ring: &KeyRing,
    account_id: &str,
    change: &DirectoryChange,
    now: OffsetDateTime,
    rng: &mut (impl CryptoRng + Send),
) -> Result<Option<Position>, StateFault> {
    let mut tx = pool.begin().await?;
    if let DirectoryChange::NewUser(name, user_id) = change {
        let id = principals::ensure_principal(&mut tx, account_id, Some(name), now).await?;
        if let Some(user_id) = user_id {
            principals::set_user_id(&mut tx, id, user_id).await?;
        }
        tx.commit().await?;
        return Ok(None);
    }
    let at = revision::advance_revision(&mut tx, now).await?;
    match change {
        DirectoryChange::NewKey(key) => {
            lifecycle::upsert_key(&mut tx, ring, key, at, rng).await?;
        }
        DirectoryChange::KeyStatus(id, status) => {
            lifecycle::set_key_status(&mut tx, id, *status, at).await?;
        }
        DirectoryChange::NewSession(session) => {
            sessions::insert_session(&mut tx, ring, session, at, rng).await?;
        }
        // Done above.
        DirectoryChange::NewUser(..) => {}
        DirectoryChange::RenamedUser(user, to) => {
            let from = name_of(&mut tx, account_id, user).await?;
            principals::rename_user(&mut tx, account_id, &from, to, at).await?;
        }
        DirectoryChange::DeletedUser(user) => {
            let name = name_of(&mut tx, account_id, user).await?;
            principals::delete_user(&mut tx, account_id, &name, at).await?;
        }
    }
    tx.commit().await?;
    Ok(Some(at.position()))
}

async fn name_of(
    tx: &mut PgTransaction<'_>,
    account_id: &str,
    user: &UserRef,
) -> Result<String, StateFault> {
    match user {
        UserRef::Name(name) => Ok(name.clone()),
        UserRef::Id(id) => principals::find_user_name(tx, account_id, id).await,
    }
}
