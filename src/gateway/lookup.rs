//! Looks up a claimed key: in memory if it is known, else in PostgreSQL.
//!
//! 1. A known id whose secret is in the cache costs no database call.
//! 2. A known id whose secret is not in the cache is read from the database once, however many calls wait for it. Only
//!    the database limits how many ids are read at a time.
//! 3. An unknown id may be new from another node. So the node first reads what is new, in one read that all calls with unknown
//!    ids share: every access key and session that was handed out before the call is known then.
//! 4. An id that is still unknown belongs to an expired session or does not exist. At most 8 such ids are looked up at a
//!    time; more are refused ([`Fault::Throttled`]). An id that was not found is not looked up again for 5 seconds.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use akgate_state::database::Pool;
use quick_cache::sync::Cache;
use time::OffsetDateTime;
use tokio::sync::Semaphore;

use akgate_api::keys::KeyStatus;
use akgate_rules::{
    access_key::{AccessKeyId, AccessKeySecret},
    fault::Fault,
    lineage,
    position::{History, Position},
};
use akgate_state::{
    directory::{
        StateFault, keys, principals,
        sealing::KeyRing,
        sessions::{self, Ancestor},
        with_timeout,
    },
    live::{
        feed::Feed,
        memory::{CredentialEntry, CredentialState, LiveRegistry},
    },
};

/// How keys are looked up.
#[derive(Debug, Clone, Copy)]
pub struct LookupSettings {
    /// How many secrets are kept in memory.
    pub cached_keys: usize,
    /// How many unknown ids are looked up at a time.
    pub unknown_at_a_time: usize,
    /// How long an id that was not found is not looked up again.
    pub absent_for: Duration,
    /// How long one call of the database may take.
    pub timeout: Duration,
}

impl Default for LookupSettings {
    fn default() -> Self {
        Self {
            cached_keys: 100_000,
            unknown_at_a_time: 8,
            absent_for: Duration::from_secs(5),
            timeout: Duration::from_secs(5),
        }
    }
}

/// How many ids that were not found are remembered.
const ABSENT_KEYS: usize = 10_000;

/// A key, its secret and its owner.
#[derive(Debug)]
pub struct Caller {
    /// The key or session.
    pub access_key_id: AccessKeyId,
    /// Its secret.
    pub secret: AccessKeySecret,
    /// The account of the principal.
    pub account_id: String,
    /// ARN of the principal.
    pub principal: String,
    /// The RAM user; `None` for the account itself and for a session.
    pub user_name: Option<String>,
    /// The additional facts of a session.
    pub session: Option<CallerSession>,
    /// The position at which this was read.
    position: Position,
}

/// What a session has beyond an access key.
#[derive(Debug)]
pub struct CallerSession {
    /// SHA-256 of its token.
    pub token_sha256: [u8; 32],
    /// The AccessKey that it descends from, then the sessions between.
    pub ancestors: Vec<Ancestor>,
    /// Every account of the lineage.
    pub account_ids: Vec<String>,
    /// The roles and identity providers that the lineage came through, its own first ([`lineage`]).
    pub origins: Vec<String>,
}

impl Caller {
    /// The ancestors of the key; none for an access key.
    #[must_use]
    pub fn ancestors(&self) -> &[Ancestor] {
        self.session
            .as_ref()
            .map_or(&[], |session| &session.ancestors)
    }

    fn is_current(&self, known: CredentialEntry, history: Option<History>) -> bool {
        Some(self.position.history) == history && self.position.revision == known.revision
    }

    /// The AccessKey at the root of the lineage: its own id for an access key.
    #[must_use]
    pub fn root(&self) -> &AccessKeyId {
        self.ancestors()
            .first()
            .map_or(&self.access_key_id, |ancestor| &ancestor.access_key_id)
    }

    /// What the calls of a session count for when the session is gone: the AccessKey that it descends from, or its
    /// identity provider. `None` for an access key, whose calls count for itself.
    #[must_use]
    pub fn session_root(&self) -> Option<&str> {
        let session = self.session.as_ref()?;
        let provider = session.origins.iter().find(|one| lineage::is_provider(one));
        match (session.ancestors.first(), provider) {
            (Some(ancestor), _) => Some(ancestor.access_key_id.as_str()),
            (None, Some(provider)) => Some(provider),
            (None, None) => None,
        }
    }

    /// Everything that whatever this caller makes descends from ([`lineage`]).
    #[must_use]
    pub fn origins(&self) -> Vec<String> {
        let session = self.session.iter().flat_map(|session| &session.origins);
        let mut origins = vec![self.root().as_str().to_owned()];
        for one in session {
            // A session of a role that assumes the same role comes through it twice.
            if !origins.contains(one) {
                origins.push(one.clone());
            }
        }
        origins
    }

    /// Every account whose profile counts.
    #[must_use]
    pub fn account_ids(&self) -> &[String] {
        self.session
            .as_ref()
            .map_or(std::slice::from_ref(&self.account_id), |session| {
                &session.account_ids
            })
    }
}

/// Looks up keys, with a cache.
pub struct KeyLookup {
    pool: Pool,
    ring: Arc<KeyRing>,
    feed: Arc<Feed>,
    settings: LookupSettings,
    secrets: Cache<AccessKeyId, Arc<Caller>>,
    absent: Cache<AccessKeyId, Instant>,
    unknown: Semaphore,
}

impl KeyLookup {
    /// A look-up with an empty cache.
    #[must_use]
    pub fn new(pool: Pool, ring: Arc<KeyRing>, feed: Arc<Feed>, settings: LookupSettings) -> Self {
        Self {
            pool,
            ring,
            feed,
            settings,
            secrets: Cache::new(settings.cached_keys),
            absent: Cache::new(ABSENT_KEYS),
            unknown: Semaphore::new(settings.unknown_at_a_time),
        }
    }

    /// Finds a key that may sign at `now`.
    ///
    /// # Errors
    /// [`Fault::AccessKeyNotFound`], [`Fault::AccessKeyInactive`], [`Fault::SecurityTokenExpired`];
    /// [`Fault::Throttled`] where too many unknown ids are looked up; [`Fault::Unavailable`] where the
    /// database does not answer.
    pub async fn find_caller(
        self: &Arc<Self>,
        id: &AccessKeyId,
        now: OffsetDateTime,
    ) -> Result<Arc<Caller>, Fault> {
        let mut known = self.live().credential(id);
        if known.is_none() {
            self.catch_up().await?;
            known = self.live().credential(id);
        }
        let is_unknown = match known {
            Some(known) => {
                check_usable(known, now)?;
                let history = self.history();
                let is_current = |cached: &Caller| cached.is_current(known, history);
                match self.secrets.get(id) {
                    Some(found) if is_current(&found) => return Ok(found),
                    Some(_) => {
                        self.secrets.remove_if(id, |cached| !is_current(cached));
                    }
                    None => {}
                }
                false
            }
            None if self.was_absent(id) => return Err(Fault::AccessKeyNotFound),
            None => true,
        };
        // On a task of its own, so that a caller who hangs up does not interrupt a database read.
        let (lookup, id) = (Arc::clone(self), id.clone());
        tokio::spawn(async move { lookup.fetch(&id, is_unknown, now).await })
            .await
            .unwrap_or(Err(Fault::Internal("a look-up ended in a panic")))
    }

    fn live(&self) -> &LiveRegistry {
        self.feed.live()
    }

    fn history(&self) -> Option<History> {
        self.live().position().map(|position| position.history)
    }

    async fn catch_up(&self) -> Result<(), Fault> {
        let caught_up = self.feed.catch_up().await;
        caught_up.map_err(|fault| {
            tracing::debug!(%fault, "an unknown key cannot be looked up");
            Fault::Unavailable
        })
    }

    fn was_absent(&self, id: &AccessKeyId) -> bool {
        self.absent
            .get(id)
            .is_some_and(|since| since.elapsed() < self.settings.absent_for)
    }

    /// Reads a key; callers who ask for the same one at the same time share one read, as long as nothing newer is known
    /// when it ends.
    async fn fetch(
        &self,
        id: &AccessKeyId,
        unknown: bool,
        now: OffsetDateTime,
    ) -> Result<Arc<Caller>, Fault> {
        let guard = loop {
            match self.secrets.get_value_or_guard_async(id).await {
                // The shared read may have begun before this call arrived: its result counts only if nothing newer is
                // known.
                Ok(found) => match self.live().credential(id) {
                    Some(known) if found.is_current(known, self.history()) => {
                        check_usable(known, now)?;
                        return Ok(found);
                    }
                    // Also what is not known any more: a session that has expired, or a key that a failover has lost.
                    Some(_) | None => {
                        self.secrets
                            .remove_if(id, |cached| Arc::ptr_eq(cached, &found));
                    }
                },
                Err(guard) => break guard,
            }
        };
        let _turn = match unknown {
            true if self.was_absent(id) => return Err(Fault::AccessKeyNotFound),
            true => Some(self.unknown.try_acquire().map_err(|_| Fault::Throttled)?),
            false => None,
        };
        let read = with_timeout(self.settings.timeout, self.read(id)).await;
        let (found, what) = match read {
            Ok(Some(found)) => found,
            Ok(None) => {
                self.absent.insert(id.clone(), Instant::now());
                return Err(Fault::AccessKeyNotFound);
            }
            Err(fault) => {
                tracing::warn!(access_key_id = id.masked(), %fault, "a key cannot be looked up");
                return Err(Fault::Unavailable);
            }
        };
        self.feed.add_looked_up(id, found.position, what);
        let found = Arc::new(found);
        // An insertion that fails is ignored: the cache was cleared meanwhile.
        drop(guard.insert(Arc::clone(&found)));
        check_usable(CredentialEntry::new(found.position.revision, what), now)?;
        if unknown {
            // It was added just now, and its restriction may not be known here yet.
            self.catch_up().await?;
        }
        Ok(found)
    }

    async fn read(
        &self,
        id: &AccessKeyId,
    ) -> Result<Option<(Caller, CredentialState)>, StateFault> {
        if id.is_session() {
            let found = sessions::find_session(&self.pool, &self.ring, id).await?;
            return Ok(found.map(|found| {
                let what = CredentialState::Session(found.record.expires_at.into());
                let caller = Caller {
                    access_key_id: found.record.access_key_id,
                    secret: found.record.secret,
                    account_id: found.record.account_id,
                    principal: found.record.principal,
                    user_name: None,
                    session: Some(CallerSession {
                        token_sha256: found.record.token_sha256,
                        ancestors: found.ancestors,
                        account_ids: found.account_ids,
                        origins: found.origins,
                    }),
                    position: found.position,
                };
                (caller, what)
            }));
        }
        let found = keys::find_key(&self.pool, &self.ring, id).await?;
        Ok(found.map(|found| {
            let what = CredentialState::AccessKey(found.record.status);
            let record = found.record;
            let caller = Caller {
                access_key_id: record.access_key_id,
                secret: record.secret,
                principal: principals::principal_arn(
                    &record.account_id,
                    record.user_name.as_deref(),
                ),
                account_id: record.account_id,
                user_name: record.user_name,
                session: None,
                position: found.position,
            };
            (caller, what)
        }))
    }
}

/// Whether a key may sign.
fn check_usable(known: CredentialEntry, now: OffsetDateTime) -> Result<(), Fault> {
    match known.state {
        CredentialState::AccessKey(KeyStatus::Active) => Ok(()),
        CredentialState::AccessKey(KeyStatus::Inactive) => Err(Fault::AccessKeyInactive),
        CredentialState::AccessKey(KeyStatus::Deleted) => Err(Fault::AccessKeyNotFound),
        CredentialState::Session(expires_at) if now < expires_at => Ok(()),
        CredentialState::Session(_) => Err(Fault::SecurityTokenExpired),
    }
}
