//! The feed: applies the changes and additions in PostgreSQL to [`LiveRegistry`], in the order of commits.
//!
//! It runs at each notification and at each poll; only polling is guaranteed. Each round reads position and changes in
//! one snapshot. After a failover the counter has a new history: what was applied after the fork is read again, key by
//! key, or everything, in ranges and in place, if that is no longer known.

mod applied;
mod changes;
pub mod facts;
mod load_slot;
mod reload;
pub mod verification;
mod verification_status;

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex as BlockingMutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::TryFutureExt;
use sqlx::{PgPool, PgTransaction};
use tokio::sync::{Mutex, watch};

use self::{
    applied::RecentChanges,
    changes::{ChangeQuery, ChangedItem, ChangedItems, load_additions, load_changes},
    load_slot::take_load_slot,
    reload::{load_registry, reload_registry},
    verification_status::VerificationRecord,
};
use crate::directory::{
    StateFault,
    revision::{self, AdditionStamp, HistoryFork, REVISION_CHANNEL, RegistryCounters},
    with_timeout,
};
use crate::follow::{NextRound, PollLoop};
use crate::live::memory::{CredentialEntry, CredentialState, LiveRegistry};
use akgate_rules::{access_key::AccessKeyId, position::Position};

pub use self::verification_status::VerificationStatus;

/// How the revision is followed.
#[derive(Debug, Clone, Copy)]
pub struct FeedSettings {
    /// Time between two polls, at most a second.
    pub poll: Duration,
    /// Whether notifications are listened for.
    pub notify: bool,
    /// How long one call of the database may take.
    pub timeout: Duration,
}

impl Default for FeedSettings {
    fn default() -> Self {
        Self {
            poll: Duration::from_millis(250),
            notify: true,
            timeout: Duration::from_secs(5),
        }
    }
}

/// What was applied last, by counter.
#[derive(Debug, Default)]
struct Applied {
    changes: RecentChanges,
    additions: RecentChanges,
}

/// A read of the counters.
#[derive(Debug, Clone, Copy)]
struct Look {
    /// Before it began: everything that was committed by then has been applied.
    began: Instant,
    is_done: bool,
}

/// The least time between two reads of the counters, so that a flood of unknown ids causes a few hundred a second.
const LOOK_INTERVAL: Duration = Duration::from_millis(2);

/// How long the first load, or reading everything again, may take.
const LOAD_TIMEOUT: Duration = Duration::from_secs(120);

/// Keeps a [`LiveRegistry`] up to date with PostgreSQL.
pub struct Feed {
    pool: PgPool,
    live: Arc<LiveRegistry>,
    settings: FeedSettings,
    /// Held while `live` is moved, so that changes are applied in order.
    turn: Mutex<()>,
    /// The addition up to which everything that was added is in `live`.
    addition: AtomicI64,
    /// What was applied last, to be read again should the history become another.
    applied: BlockingMutex<Applied>,
    /// The last read of the counters by [`Self::catch_up`], shared by its callers.
    last_look: Mutex<Option<Look>>,
    /// When the counter was last read, in milliseconds since `born`; -1 before the first time.
    read_at: AtomicI64,
    born: Instant,
    verification: VerificationRecord,
}

impl Feed {
    /// A feed that has read nothing yet.
    #[must_use]
    pub fn new(pool: PgPool, live: Arc<LiveRegistry>, settings: FeedSettings) -> Self {
        Self {
            pool,
            live,
            settings,
            turn: Mutex::new(()),
            addition: AtomicI64::new(-1),
            applied: BlockingMutex::default(),
            last_look: Mutex::default(),
            read_at: AtomicI64::new(-1),
            born: Instant::now(),
            verification: VerificationRecord::default(),
        }
    }

    /// What is kept as Postgres has it.
    #[must_use]
    pub fn live(&self) -> &Arc<LiveRegistry> {
        &self.live
    }

    /// The revision that [`LiveRegistry`] has; -1 before the first load.
    #[must_use]
    pub fn revision(&self) -> i64 {
        self.live
            .position()
            .map_or(-1, |position| position.revision)
    }

    /// How long ago the counter was last read; `None` where it never was.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        let read_at = u64::try_from(self.read_at.load(Ordering::Acquire)).ok()?;
        Some(
            self.born
                .elapsed()
                .saturating_sub(Duration::from_millis(read_at)),
        )
    }

    /// What comparing [`LiveRegistry`] with Postgres has found.
    #[must_use]
    pub fn verification(&self) -> VerificationStatus {
        self.verification.status()
    }

    /// Brings [`LiveRegistry`] to a position: what was just committed, here or at another node. What is begun is done, whether
    /// or not the caller waits for it.
    ///
    /// # Errors
    /// [`StateFault`]; also where the database has another history by now.
    pub async fn reach(self: &Arc<Self>, wanted: Position) -> Result<(), StateFault> {
        let is_there = move |feed: &Self| {
            let position = feed.live.position();
            position.is_some_and(|position| position.covers(wanted))
        };
        if is_there(self) {
            return Ok(());
        }
        let feed = Arc::clone(self);
        let reading = tokio::spawn(async move {
            let _turn = feed.turn.lock().await;
            // Whoever had the turn may have brought it.
            match is_there(&feed) {
                true => Ok(()),
                false => feed.advance().await,
            }
        });
        // Reading everything takes longer than any caller waits.
        let read = tokio::time::timeout(self.settings.timeout, reading).await?;
        read.map_err(|_| StateFault::Corrupt("the registry in memory"))??;
        match is_there(self) {
            true => Ok(()),
            false => Err(StateFault::OtherHistory),
        }
    }

    /// Makes this node enforce what was committed. The others follow; so does this one where the database fails just
    /// now, since the change itself is committed.
    pub async fn enforce(self: &Arc<Self>, committed: Position) {
        if let Err(fault) = self.reach(committed).await {
            let revision = committed.revision;
            tracing::warn!(%fault, revision, "a change is committed, but this node does not enforce it yet");
        }
    }

    /// Brings [`LiveRegistry`] to where the registry stands now: afterwards, whatever was committed before is in it. Whoever
    /// asks at the same time shares one look. What is begun is done, whether or not the caller waits for it.
    ///
    /// # Errors
    /// [`StateFault`].
    pub async fn catch_up(self: &Arc<Self>) -> Result<(), StateFault> {
        let asked = Instant::now();
        with_timeout(self.settings.timeout, self.look(asked)).await
    }

    async fn look(self: &Arc<Self>, asked: Instant) -> Result<(), StateFault> {
        let mut last = self.last_look.lock().await;
        if let Some(look) = last.filter(|look| look.began >= asked) {
            return match look.is_done {
                true => Ok(()),
                false => Err(StateFault::TimedOut),
            };
        }
        if let Some(look) = *last {
            tokio::time::sleep_until((look.began + LOOK_INTERVAL).into()).await;
        }
        let began = Instant::now();
        let feed = Arc::clone(self);
        let reading = tokio::spawn(async move { feed.read_if_moved().await });
        let read = tokio::time::timeout(self.settings.timeout, reading).await;
        let is_done = matches!(read, Ok(Ok(Ok(()))));
        *last = Some(Look { began, is_done });
        read?.map_err(|_| StateFault::Corrupt("the registry in memory"))?
    }

    /// Reads what has changed, if anything has.
    async fn read_if_moved(&self) -> Result<(), StateFault> {
        let reading = async {
            let mut db = self.pool.acquire().await?;
            revision::read_counters(&mut db).await
        };
        let now = with_timeout(self.settings.timeout, reading).await?;
        match now.is_some() && now == self.counters() {
            true => Ok(()),
            false => self.poll().await,
        }
    }

    /// Up to where everything is in [`LiveRegistry`]; `None` before the first load.
    fn counters(&self) -> Option<RegistryCounters> {
        let addition = self.addition.load(Ordering::Acquire);
        let position = self.live.position()?;
        Some(RegistryCounters { position, addition })
    }

    /// Reads what has changed since the last time.
    ///
    /// # Errors
    /// [`StateFault`]; [`LiveRegistry`] is as it was, or has some of the changes.
    pub async fn poll(&self) -> Result<(), StateFault> {
        let _turn = self.turn.lock().await;
        self.advance().await
    }

    /// Adds to what is known here what a look-up has found in the database.
    pub fn add_looked_up(&self, id: &AccessKeyId, at: Position, state: CredentialState) {
        let is_newer = self.live.add_looked_up(id, at, state);
        // Nothing of a session changes once it is known.
        if is_newer && matches!(state, CredentialState::AccessKey(_)) {
            self.applied()
                .changes
                .add(at.revision, ChangedItem::Key(id.clone()));
        }
    }

    /// Adds an access key or a session that this node has just committed.
    pub fn add_new(&self, id: &AccessKeyId, at: AdditionStamp, state: CredentialState) {
        let revision = match state {
            CredentialState::AccessKey(_) => 0,
            CredentialState::Session(_) => at.addition,
        };
        let entry = CredentialEntry::new(revision, state);
        if self.live.add_new(id, at.history, entry) {
            self.applied()
                .additions
                .add(at.addition, ChangedItem::Key(id.clone()));
        }
    }

    /// Follows the revision until told to stop. A failure is logged once and tried again at the next poll.
    pub async fn run(&self, stop: watch::Receiver<bool>) {
        let rounds = PollLoop {
            pool: &self.pool,
            channel: self.settings.notify.then_some(REVISION_CHANNEL),
            poll: self.settings.poll,
            retry: self.settings.poll,
            timeout: self.settings.timeout,
            failed: "cannot read the registry; mutations are refused",
            recovered: "reading the registry again",
        };
        let round = || self.poll().map_ok(|()| NextRound::Later);
        rounds.run(stop, round).await;
    }

    async fn advance(&self) -> Result<(), StateFault> {
        let started = self.born.elapsed();
        let timeout = self.settings.timeout;
        match self.counters() {
            None => {
                let slot = with_timeout(LOAD_TIMEOUT, take_load_slot(&self.pool)).await?;
                let now = with_timeout(timeout, revision::current_counters(&self.pool)).await?;
                let maps = with_timeout(LOAD_TIMEOUT, load_registry(&self.pool, timeout)).await?;
                drop(slot);
                let later = self.still(now).await?;
                self.live.replace(maps);
                // What was committed meanwhile may have been loaded: it is not told apart.
                self.applied().forget_up_to(later);
                self.publish(now);
            }
            Some(before) => {
                // Each answer of the database is waited for by its own patience.
                if let Some(now) = with_timeout(LOAD_TIMEOUT, self.follow(before)).await? {
                    self.switch_history(before, now).await?;
                }
            }
        }
        let read_at = i64::try_from(started.as_millis()).unwrap_or(i64::MAX);
        self.read_at.store(read_at, Ordering::Release);
        Ok(())
    }

    /// Publishes the counters up to which everything is applied.
    fn publish(&self, now: RegistryCounters) {
        self.addition.store(now.addition, Ordering::Release);
        self.live.publish(now.position);
    }

    /// Applies what has changed in this history; returns the counters if the history has changed.
    async fn follow(
        &self,
        before: RegistryCounters,
    ) -> Result<Option<RegistryCounters>, StateFault> {
        let timeout = self.settings.timeout;
        let mut tx = with_timeout(timeout, begin_snapshot(&self.pool)).await?;
        let Some(now) = with_timeout(timeout, revision::read_counters(&mut tx)).await? else {
            drop(tx);
            let stamping = revision::stamp_history(&self.pool, None);
            return with_timeout(timeout, stamping).await.map(Some);
        };
        if now.position.history != before.position.history {
            return Ok(Some(now));
        }
        if now.position.revision < before.position.revision || now.addition < before.addition {
            drop(tx);
            // The database was replaced by an older copy.
            let stamping = revision::stamp_history(&self.pool, Some(before));
            return with_timeout(timeout, stamping).await.map(Some);
        }
        self.apply_since(&mut tx, before, now).await?;
        with_timeout(timeout, tx.commit().err_into::<StateFault>()).await?;
        Ok(None)
    }

    /// Applies what was committed after `before`, of the same history, from the snapshot of a transaction.
    async fn apply_since(
        &self,
        tx: &mut PgTransaction<'_>,
        before: RegistryCounters,
        now: RegistryCounters,
    ) -> Result<(), StateFault> {
        if now == before {
            return Ok(());
        }
        let known = HistoryFork {
            revision: before.position.revision,
            addition: before.addition,
        };
        let since = ChangeQuery::after(known, self.settings.timeout);
        self.apply(tx, &since, before.position, now).await?;
        self.publish(now);
        Ok(())
    }

    /// Goes over from one history to another.
    async fn switch_history(
        &self,
        before: RegistryCounters,
        now: RegistryCounters,
    ) -> Result<(), StateFault> {
        let timeout = self.settings.timeout;
        let (old, new) = (before.position, now.position);
        let fork = with_timeout(timeout, async {
            let mut db = self.pool.acquire().await?;
            revision::find_fork(&mut db, old.history, new.history).await
        });
        let fork = fork.await?.map(|fork| HistoryFork {
            revision: fork.revision.min(old.revision),
            addition: fork.addition.min(before.addition),
        });
        tracing::warn!(
            before = %old,
            now = %new,
            fork = fork.map(|fork| fork.revision),
            "the database has a different history: reading all changes since then again"
        );
        // From here on, no old position is valid and no new one is known yet: callers that need a position wait.
        let nowhere = new.at(-1);
        let lost = fork.and_then(|fork| Some((fork, self.applied().since(fork)?)));
        self.live.switch_history(nowhere);
        let done = match lost {
            Some((fork, changed)) => {
                let since = ChangeQuery::with(fork, changed, timeout);
                with_timeout(LOAD_TIMEOUT, self.read_again(fork, &since, now)).await
            }
            None => with_timeout(LOAD_TIMEOUT, self.reload(now)).await,
        };
        match done {
            Ok(reached) => {
                self.publish(reached);
                Ok(())
            }
            Err(fault) => {
                // It is begun anew from where it began.
                self.live.switch_history(old);
                Err(fault)
            }
        }
    }

    /// Reads again what was applied after the fork, and what has changed since; returns that position.
    async fn read_again(
        &self,
        fork: HistoryFork,
        since: &ChangeQuery,
        now: RegistryCounters,
    ) -> Result<RegistryCounters, StateFault> {
        let timeout = self.settings.timeout;
        let mut tx = with_timeout(timeout, begin_snapshot(&self.pool)).await?;
        let seen = with_timeout(timeout, revision::read_counters(&mut tx)).await?;
        let seen = seen.filter(|seen| seen.position.history == now.position.history);
        let seen = seen.ok_or(StateFault::OtherHistory)?;
        self.apply(&mut tx, since, now.position.at(-1), seen)
            .await?;
        self.applied().carry_over(fork, seen);
        with_timeout(timeout, tx.commit().err_into::<StateFault>()).await?;
        Ok(seen)
    }

    async fn reload(&self, now: RegistryCounters) -> Result<RegistryCounters, StateFault> {
        let maps = self.live.maps();
        let maps = maps
            .as_ref()
            .ok_or(StateFault::Corrupt("the registry in memory"))?;
        reload_registry(&self.pool, maps, self.settings.timeout).await?;
        let later = self.still(now).await?;
        self.applied().forget_up_to(later);
        Ok(now)
    }

    /// The current counters in the same history; an error if the history has changed.
    async fn still(&self, now: RegistryCounters) -> Result<RegistryCounters, StateFault> {
        let reading = revision::current_counters(&self.pool);
        let later = with_timeout(self.settings.timeout, reading).await?;
        match later.position.history == now.position.history {
            true => Ok(later),
            false => Err(StateFault::OtherHistory),
        }
    }

    /// Applies what has changed; only additions if the revision has not moved.
    async fn apply(
        &self,
        tx: &mut PgTransaction<'_>,
        since: &ChangeQuery,
        before: Position,
        now: RegistryCounters,
    ) -> Result<(), StateFault> {
        let maps = self.live.maps();
        let maps = maps
            .as_ref()
            .ok_or(StateFault::Corrupt("the registry in memory"))?;
        let mut changed = ChangedItems::default();
        let loaded = match now.position == before {
            true => load_additions(tx, maps, since, &mut changed).await,
            false => load_changes(tx, maps, since, &mut changed).await,
        };
        // Also what a load that failed has applied in part.
        let mut applied = self.applied();
        for one in changed.revised {
            applied.changes.add(now.position.revision, one);
        }
        for one in changed.added {
            applied.additions.add(now.addition, one);
        }
        loaded
    }

    fn applied(&self) -> std::sync::MutexGuard<'_, Applied> {
        // Each change is one push: a panic elsewhere leaves it whole.
        self.applied.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Applied {
    /// What was applied after a fork; `None` where not all of it is remembered.
    fn since(&self, fork: HistoryFork) -> Option<HashSet<ChangedItem>> {
        let mut changed = self.changes.since(fork.revision)?;
        changed.extend(self.additions.since(fork.addition)?);
        Some(changed)
    }

    /// Everything up to there was read at once.
    fn forget_up_to(&mut self, now: RegistryCounters) {
        self.changes.forget_up_to(now.position.revision);
        self.additions.forget_up_to(now.addition);
    }

    /// What was applied after `fork` has been read again, up to `now` of another history.
    fn carry_over(&mut self, fork: HistoryFork, now: RegistryCounters) {
        self.changes
            .carry_over(fork.revision, now.position.revision);
        self.additions.carry_over(fork.addition, now.addition);
    }
}

/// A transaction that sees one state of the database, and changes nothing.
async fn begin_snapshot(pool: &PgPool) -> Result<PgTransaction<'_>, StateFault> {
    let mut tx = pool
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await?;
    // A statement may take long if much has changed, but no single row may be waited for long.
    sqlx::query!("SELECT set_config('statement_timeout', '120s', true)")
        .fetch_one(&mut *tx)
        .await?;
    Ok(tx)
}
