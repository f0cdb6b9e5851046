//! The signing keys of a source: cached in memory and, for all nodes, in the database; fetched at most once a minute.
//!
//! Anyone can name an unknown key and so cause a fetch. Therefore all nodes together fetch at most once a minute, the
//! number of waiting deliveries is limited, and a delivery with a known key never waits.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use akgate_state::database::Pool;
use arc_swap::ArcSwap;
use time::OffsetDateTime;
use tokio::sync::Semaphore;

use super::{delivery_contract::KeyIdCheck, fetch::SigningKeyFetcher, signature::VerifyingKey};
use akgate_net::metrics::Metrics;
use akgate_state::{
    clock::Clock,
    directory::{StateFault, with_timeout},
    leaks::sources::{self, SigningKeyText},
};

/// The age at which a set is fetched again; it stays in use meanwhile.
const REFRESH_AGE: time::Duration = time::Duration::HOUR;

/// How many deliveries may wait for a fetch because they name an unknown key.
const MAX_WAITING_DELIVERIES: usize = 64;

/// The time between two reads of the database for a set that another node has fetched.
const DATABASE_CHECK_INTERVAL: time::Duration = time::Duration::SECOND;

/// A key, ready to verify.
#[derive(Debug, Clone)]
pub struct SigningKey {
    /// The key.
    pub key: VerifyingKey,
    /// Whether the source marks it as current.
    pub is_current: bool,
}

/// Why a key is not available.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningKeyFault {
    /// A fetch has just confirmed that the source does not publish this key.
    Unknown,
    /// The keys cannot be fetched now.
    NotNow,
}

#[derive(Default)]
struct CachedKeys {
    keys: HashMap<String, SigningKey>,
    fetched_at: Option<OffsetDateTime>,
}

/// The keys of one source.
pub struct SigningKeys {
    source: String,
    id_check: KeyIdCheck,
    fetch: SigningKeyFetcher,
    pool: Pool,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    timeout: Duration,
    known: ArcSwap<CachedKeys>,
    turn: tokio::sync::Mutex<()>,
    waiting: Semaphore,
    looked_at: Mutex<Option<OffsetDateTime>>,
}

impl SigningKeys {
    /// An empty cache: the first delivery fetches the keys.
    #[must_use]
    pub fn new(
        source: String,
        id_check: KeyIdCheck,
        fetch: SigningKeyFetcher,
        pool: Pool,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        timeout: Duration,
    ) -> Self {
        Self {
            source,
            id_check,
            fetch,
            pool,
            clock,
            metrics,
            timeout,
            known: ArcSwap::default(),
            turn: tokio::sync::Mutex::default(),
            waiting: Semaphore::new(MAX_WAITING_DELIVERIES),
            looked_at: Mutex::default(),
        }
    }

    /// Returns the key with this identifier. An old set is fetched again in the background.
    ///
    /// # Errors
    /// [`SigningKeyFault`].
    pub async fn find(
        self: &Arc<Self>,
        key_identifier: &str,
    ) -> Result<SigningKey, SigningKeyFault> {
        let known = self.known.load();
        let now = self.clock.now();
        if let Some(key) = known.keys.get(key_identifier) {
            if known.fetched_at.is_none_or(|at| at + REFRESH_AGE <= now) {
                let this = Arc::clone(self);
                tokio::spawn(async move {
                    // Another delivery is already fetching.
                    if let Ok(_turn) = this.turn.try_lock() {
                        this.refresh(now - REFRESH_AGE).await;
                    }
                });
            }
            return Ok(key.clone());
        }
        let _waiting = self
            .waiting
            .try_acquire()
            .map_err(|_| SigningKeyFault::NotNow)?;
        drop(known);
        let _turn = self.turn.lock().await;
        let known = self.known.load();
        let mut is_fresh = known.fetched_at >= Some(now);
        if !is_fresh && !known.keys.contains_key(key_identifier) {
            is_fresh = self.refresh(now).await;
        }
        let known = self.known.load();
        let key = known.keys.get(key_identifier).cloned();
        key.ok_or(if is_fresh {
            SigningKeyFault::Unknown
        } else {
            SigningKeyFault::NotNow
        })
    }

    /// Gets a set that is newer than `since`: from the database, or from the source if a fetch is allowed now. Returns
    /// whether there is a fresh one.
    async fn refresh(&self, since: OffsetDateTime) -> bool {
        let now = self.clock.now();
        if !self.may_look(now) {
            return false;
        }
        match self.look().await {
            Ok(Some(at)) if at > since => return true,
            Ok(_) => {}
            Err(fault) => {
                tracing::error!(source = self.source, %fault, "cannot read the stored signing keys");
                return false;
            }
        }
        let claim = sources::claim_key_request(&self.pool, &self.source, now);
        match with_timeout(self.timeout, claim).await {
            Ok(true) => {}
            Ok(false) => return false,
            Err(fault) => {
                tracing::error!(source = self.source, %fault, "cannot fetch the source's signing keys");
                return false;
            }
        }
        self.ask(now).await
    }

    fn may_look(&self, now: OffsetDateTime) -> bool {
        let mut looked_at = self
            .looked_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let may = looked_at.is_none_or(|at| now >= at + DATABASE_CHECK_INTERVAL || now < at);
        if may {
            *looked_at = Some(now);
        }
        may
    }

    /// Reads the stored set; returns when it was fetched from the source.
    async fn look(&self) -> Result<Option<OffsetDateTime>, StateFault> {
        let kept = with_timeout(
            self.timeout,
            sources::find_signing_keys(&self.pool, &self.source),
        )
        .await?;
        let Some((texts, fetched_at)) = kept else {
            return Ok(None);
        };
        if self.known.load().fetched_at < Some(fetched_at) {
            self.take(&texts, fetched_at);
        }
        Ok(Some(fetched_at))
    }

    /// Fetches the keys from the source; if that fails, the last valid set stays.
    async fn ask(&self, now: OffsetDateTime) -> bool {
        let texts = match self.fetch.keys().await {
            Ok(texts) if self.read(&texts).is_empty() => {
                tracing::error!(source = self.source, "the source publishes no usable key");
                self.metrics.key_fetch(&self.source, "empty");
                return false;
            }
            Ok(texts) => texts,
            Err(fault) => {
                tracing::error!(source = self.source, %fault, "keeping the last valid set of signing keys");
                self.metrics.key_fetch(&self.source, "failed");
                return false;
            }
        };
        self.metrics.key_fetch(&self.source, "read");
        self.take(&texts, now);
        let keep = sources::replace_signing_keys(&self.pool, &self.source, &texts, now);
        if let Err(fault) = with_timeout(self.timeout, keep).await {
            tracing::error!(source = self.source, %fault, "cannot store the signing keys");
        }
        true
    }

    fn take(&self, texts: &[SigningKeyText], fetched_at: OffsetDateTime) {
        self.known.store(Arc::new(CachedKeys {
            keys: self.read(texts),
            fetched_at: Some(fetched_at),
        }));
    }

    /// Those of the keys that can be used.
    fn read(&self, texts: &[SigningKeyText]) -> HashMap<String, SigningKey> {
        let mut keys = HashMap::new();
        for text in texts {
            let id = &text.key_identifier;
            if !self.id_check.holds(id, &text.key) {
                tracing::error!(
                    source = self.source,
                    key_identifier = id,
                    "ignoring a signing key whose identifier is not its digest"
                );
                continue;
            }
            let Some(key) = VerifyingKey::from_pem(&text.key) else {
                tracing::error!(
                    source = self.source,
                    key_identifier = id,
                    "ignoring a signing key that is not a P-256 key in PEM form"
                );
                continue;
            };
            let is_current = text.is_current;
            keys.insert(id.clone(), SigningKey { key, is_current });
        }
        keys
    }
}
