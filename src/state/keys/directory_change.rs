//! Changes of the directory that calls to upstreams cause: new users, access keys and sessions are committed in batches, every
//! other change in a transaction of its own.

use std::{sync::Arc, time::Duration};

use rand::CryptoRng;
use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;

use super::{
    additions::{Addition, AdditionOutcome, AdditionWriter, NewUser, UserWriter},
    lifecycle,
};
use crate::{
    batches::{BatchSettings, Batches},
    directory::{
        StateFault,
        keys::{NewKey, SealedKey},
        principals, revision,
        sealing::KeyRing,
        sessions::{NewSession, SealedSession},
    },
    live::{feed::Feed, memory::CredentialState},
};
use akgate_api::keys::KeyStatus;
use akgate_rules::{access_key::AccessKeyId, position::Position};

/// The most users, or access keys and sessions, that one transaction adds.
const MAX_ADDITIONS: usize = 256;

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

/// Commits the changes that calls cause at a node.
pub struct DirectoryWriter {
    pool: PgPool,
    ring: Arc<KeyRing>,
    feed: Arc<Feed>,
    users: Arc<Batches<UserWriter>>,
    additions: Arc<Batches<AdditionWriter>>,
}

impl DirectoryWriter {
    /// Creates a writer. `timeout` is the limit for one batch.
    #[must_use]
    pub fn new(pool: PgPool, ring: Arc<KeyRing>, feed: Arc<Feed>, timeout: Duration) -> Self {
        let settings = BatchSettings {
            // Batches of additions would wait for each other at the counter.
            at_a_time: 1,
            most: MAX_ADDITIONS,
            timeout,
        };
        let users = Batches::new(UserWriter::new(pool.clone()), settings);
        let additions = Batches::new(AdditionWriter::new(pool.clone()), settings);
        Self {
            pool,
            ring,
            feed,
            users: Arc::new(users),
            additions: Arc::new(additions),
        }
    }

    /// Commits a change of this account; returns the position at which it is committed. `None` for an addition that restricts
    /// nothing: this node knows it, and other nodes read it when they are asked for it.
    ///
    /// # Errors
    /// [`StateFault`]; nothing is changed then.
    pub async fn apply(
        &self,
        account_id: &str,
        change: &DirectoryChange,
        now: OffsetDateTime,
        rng: &mut (impl CryptoRng + Send),
    ) -> Result<Option<Position>, StateFault> {
        let (addition, id, state) = match change {
            DirectoryChange::NewUser(user_name, user_id) => {
                let user = NewUser {
                    account_id: account_id.to_owned(),
                    user_name: user_name.clone(),
                    user_id: user_id.clone(),
                    now,
                };
                return self.users.submit(user).await.map(|()| None);
            }
            DirectoryChange::NewKey(key) => {
                let sealed = SealedKey::seal(key.clone(), None, &self.ring, rng)?;
                let state = CredentialState::AccessKey(key.record.status);
                let id = key.record.access_key_id.clone();
                (Addition::Key(Box::new(sealed), now), id, state)
            }
            DirectoryChange::NewSession(session) => {
                let state = CredentialState::Session(session.record.expires_at.into());
                let sealed = SealedSession::seal((**session).clone(), &self.ring, rng)?;
                let id = session.record.access_key_id.clone();
                (Addition::Session(Box::new(sealed)), id, state)
            }
            DirectoryChange::KeyStatus(..)
            | DirectoryChange::RenamedUser(..)
            | DirectoryChange::DeletedUser(_) => {
                return self
                    .commit_with_revision(account_id, change, now, rng)
                    .await
                    .map(Some);
            }
        };
        match self.additions.submit(addition).await? {
            AdditionOutcome::Added(at) => {
                self.feed.add_new(&id, at, state);
                Ok(None)
            }
            AdditionOutcome::Known => Ok(None),
            AdditionOutcome::NeedsRevision => self
                .commit_with_revision(account_id, change, now, rng)
                .await
                .map(Some),
            AdditionOutcome::UnknownParent => Err(StateFault::UnknownParent),
        }
    }

    /// Commits a change that advances the revision.
    async fn commit_with_revision(
        &self,
        account_id: &str,
        change: &DirectoryChange,
        now: OffsetDateTime,
        rng: &mut (impl CryptoRng + Send),
    ) -> Result<Position, StateFault> {
        let mut tx = self.pool.begin().await?;
        let at = revision::advance_revision(&mut tx, now).await?;
        match change {
            DirectoryChange::NewKey(key) => {
                lifecycle::upsert_key(&mut tx, &self.ring, key, at, rng).await?;
            }
            DirectoryChange::KeyStatus(id, status) => {
                lifecycle::set_key_status(&mut tx, id, *status, at).await?;
            }
            DirectoryChange::RenamedUser(user, to) => {
                let from = name_of(&mut tx, account_id, user).await?;
                principals::rename_user(&mut tx, account_id, &from, to, at).await?;
            }
            DirectoryChange::DeletedUser(user) => {
                let name = name_of(&mut tx, account_id, user).await?;
                principals::delete_user(&mut tx, account_id, &name, at).await?;
            }
            DirectoryChange::NewSession(session) => {
                let sealed = SealedSession::seal((**session).clone(), &self.ring, rng)?;
                lifecycle::store_restricted_session(&mut tx, &sealed, at).await?;
            }
            // An addition alone.
            DirectoryChange::NewUser(..) => {}
        }
        tx.commit().await?;
        Ok(at.position())
    }
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
