//! Looking a claimed key up: from memory where it is known, from Postgres where it is not.
//!
//! 1. A known id whose secret is in the cache costs no database call.
//! 2. A known id whose secret is not is read once, however many calls wait for it. No limit but the
//!    database's own stands in its way.
//! 3. An unknown id may be one that another node has just learnt, or nobody's. At most 8 are looked up at
//!    a time; more are refused ([`Fault::Throttled`]). What was not found is not looked for again for 5
//!    seconds, unless it is learnt meanwhile.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use quick_cache::sync::Cache;
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::sync::Semaphore;

use crate::{
    access_key::{AccessKeyId, AccessKeySecret},
    directory::{
        KeyStatus, StateFault, keys, principals,
        sealing::KeyRing,
        sessions::{self, Ancestor},
        within,
    },
    fault::Fault,
    registry::live::{Known, Live, What},
};

/// How keys are looked up.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How many secrets are kept in memory.
    pub cached: usize,
    /// How many unknown ids are looked up at a time.
    pub lookups: usize,
    /// For how long an id that was not found is not looked for again.
    pub negative: Duration,
    /// How long one call of the database may take.
    pub timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cached: 100_000,
            lookups: 8,
            negative: Duration::from_secs(5),
            timeout: Duration::from_secs(5),
        }
    }
}

/// How many ids that were not found are remembered.
const NEGATIVE: usize = 10_000;

/// What proves a key, and whose it is.
#[derive(Debug)]
pub struct Credentials {
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
    /// What more a session has.
    pub session: Option<Session>,
    /// The revision at which this was so.
    revision: i64,
}

/// What a session has beyond a pair.
#[derive(Debug)]
pub struct Session {
    /// SHA-256 of its token.
    pub token_sha256: [u8; 32],
    /// The AccessKey that it descends from, then the sessions between.
    pub ancestors: Vec<Ancestor>,
    /// Every account of the lineage.
    pub account_ids: Vec<String>,
}

impl Credentials {
    /// What the key descends from; nothing for a pair.
    #[must_use]
    pub fn ancestors(&self) -> &[Ancestor] {
        self.session
            .as_ref()
            .map_or(&[], |session| &session.ancestors)
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

/// Finds keys.
pub struct Lookup {
    pool: PgPool,
    ring: Arc<KeyRing>,
    live: Arc<Live>,
    settings: Settings,
    secrets: Cache<AccessKeyId, Arc<Credentials>>,
    absent: Cache<AccessKeyId, Instant>,
    unknown: Semaphore,
}

impl Lookup {
    /// A look-up with an empty cache.
    #[must_use]
    pub fn new(pool: PgPool, ring: Arc<KeyRing>, live: Arc<Live>, settings: Settings) -> Self {
        Self {
            pool,
            ring,
            live,
            settings,
            secrets: Cache::new(settings.cached),
            absent: Cache::new(NEGATIVE),
            unknown: Semaphore::new(settings.lookups),
        }
    }

    /// Finds a key that may sign at `now`.
    ///
    /// # Errors
    /// [`Fault::AccessKeyNotFound`], [`Fault::AccessKeyInactive`], [`Fault::SecurityTokenExpired`];
    /// [`Fault::Throttled`] where too many unknown ids are looked up; [`Fault::Unavailable`] where the
    /// database does not answer.
    pub async fn find(
        &self,
        id: &AccessKeyId,
        now: OffsetDateTime,
    ) -> Result<Arc<Credentials>, Fault> {
        match self.live.known(id) {
            Some(known) => {
                usable(known, now)?;
                match self.secrets.get(id) {
                    Some(found) if found.revision == known.revision => Ok(found),
                    Some(_) => {
                        self.secrets
                            .remove_if(id, |cached| cached.revision < known.revision);
                        self.fetch(id, false, now).await
                    }
                    None => self.fetch(id, false, now).await,
                }
            }
            None if self.was_absent(id) => Err(Fault::AccessKeyNotFound),
            None => self.fetch(id, true, now).await,
        }
    }

    fn was_absent(&self, id: &AccessKeyId) -> bool {
        self.absent
            .get(id)
            .is_some_and(|since| since.elapsed() < self.settings.negative)
    }

    /// Reads a key; callers who ask for the same one at the same time share one read.
    async fn fetch(
        &self,
        id: &AccessKeyId,
        unknown: bool,
        now: OffsetDateTime,
    ) -> Result<Arc<Credentials>, Fault> {
        let guard = match self.secrets.get_value_or_guard_async(id).await {
            Ok(found) => {
                // Fresh from the one who read it; its status is the live one, or that of the read.
                if let Some(known) = self.live.known(id) {
                    usable(known, now)?;
                }
                return Ok(found);
            }
            Err(guard) => guard,
        };
        let _turn = match unknown {
            true if self.was_absent(id) => return Err(Fault::AccessKeyNotFound),
            true => Some(self.unknown.try_acquire().map_err(|_| Fault::Throttled)?),
            false => None,
        };
        let read = within(self.settings.timeout, self.read(id)).await;
        let (found, known) = match read {
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
        self.live.learn(id, known);
        let found = Arc::new(found);
        // Nobody waits for an insertion that fails: the cache was cleared meanwhile.
        drop(guard.insert(Arc::clone(&found)));
        usable(known, now)?;
        Ok(found)
    }

    async fn read(&self, id: &AccessKeyId) -> Result<Option<(Credentials, Known)>, StateFault> {
        if id.is_session() {
            let found = sessions::find(&self.pool, &self.ring, id).await?;
            return Ok(found.map(|found| {
                let known = Known {
                    revision: found.revision,
                    what: What::Session(found.record.expires_at),
                };
                let credentials = Credentials {
                    access_key_id: found.record.access_key_id,
                    secret: found.record.secret,
                    account_id: found.record.account_id,
                    principal: found.record.principal,
                    user_name: None,
                    session: Some(Session {
                        token_sha256: found.record.token_sha256,
                        ancestors: found.ancestors,
                        account_ids: found.account_ids,
                    }),
                    revision: found.revision,
                };
                (credentials, known)
            }));
        }
        let found = keys::find(&self.pool, &self.ring, id).await?;
        Ok(found.map(|found| {
            let known = Known {
                revision: found.revision,
                what: What::Pair(found.record.status),
            };
            let record = found.record;
            let credentials = Credentials {
                access_key_id: record.access_key_id,
                secret: record.secret,
                principal: principals::arn(&record.account_id, record.user_name.as_deref()),
                account_id: record.account_id,
                user_name: record.user_name,
                session: None,
                revision: found.revision,
            };
            (credentials, known)
        }))
    }
}

/// Whether a key may sign.
fn usable(known: Known, now: OffsetDateTime) -> Result<(), Fault> {
    match known.what {
        What::Pair(KeyStatus::Active) => Ok(()),
        What::Pair(KeyStatus::Inactive) => Err(Fault::AccessKeyInactive),
        What::Pair(KeyStatus::Deleted) => Err(Fault::AccessKeyNotFound),
        What::Session(expires_at) if now < expires_at => Ok(()),
        What::Session(_) => Err(Fault::SecurityTokenExpired),
    }
}
