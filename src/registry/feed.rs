//! Following the revision: what changed in Postgres, in the order of commits, into [`Live`].
//!
//! A notification is a hint; the poll is the guarantee. A revision that goes backwards, or another
//! [`Epoch`], is another history: everything is loaded anew.

use std::{
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::TryStreamExt;
use sqlx::{PgPool, postgres::PgListener};
use tokio::sync::{Mutex, watch};

use super::{
    live::{Known, Live, Made, Maps, Mark, OfAccount, What},
    mode,
};
use crate::{
    directory::{
        KeyStatus, StateFault,
        keys::key_id,
        revision::{self, CHANNEL, Epoch, Position},
        within,
    },
    exception::{Exception, Scope},
    restriction::State,
    verdict::Mode,
};

/// How the revision is followed.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Time between two polls, at most a second.
    pub poll: Duration,
    /// Whether notifications are listened for.
    pub notify: bool,
    /// How long one call of the database may take.
    pub timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            poll: Duration::from_millis(250),
            notify: true,
            timeout: Duration::from_secs(5),
        }
    }
}

/// How long the first load, or a new history, may take.
const LOAD: Duration = Duration::from_secs(120);

/// Keeps a [`Live`] as Postgres has it.
pub struct Feed {
    pool: PgPool,
    live: Arc<Live>,
    settings: Settings,
    /// Where `live` stands; held while it is moved, so that changes are applied in order.
    at: Mutex<Option<Position>>,
    /// The revision of `at`, for those who only read; -1 before the first load.
    revision: AtomicI64,
    /// When the counter was last read, in milliseconds since `born`; -1 before the first time.
    read_at: AtomicI64,
    born: Instant,
}

impl Feed {
    /// A feed that has read nothing yet.
    #[must_use]
    pub fn new(pool: PgPool, live: Arc<Live>, settings: Settings) -> Self {
        Self {
            pool,
            live,
            settings,
            at: Mutex::new(None),
            revision: AtomicI64::new(-1),
            read_at: AtomicI64::new(-1),
            born: Instant::now(),
        }
    }

    /// The revision that [`Live`] has; -1 before the first load.
    #[must_use]
    pub fn revision(&self) -> i64 {
        self.revision.load(Ordering::Acquire)
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

    /// Waits until [`Live`] has a revision: what was just committed, here or at another node.
    ///
    /// # Errors
    /// [`StateFault`]; [`Live`] is as it was.
    pub async fn reach(&self, revision: i64) -> Result<(), StateFault> {
        if self.revision() >= revision {
            return Ok(());
        }
        let mut at = self.at.lock().await;
        // Whoever held the lock may have brought it.
        if self.revision() >= revision {
            return Ok(());
        }
        self.advance(&mut at).await
    }

    /// Makes this node enforce what was committed at `revision`. The others follow within a second; so does this one
    /// where the database fails just now, since the change itself is committed.
    pub async fn enforce(&self, revision: i64) {
        if let Err(fault) = self.reach(revision).await {
            tracing::warn!(%fault, revision, "committed, but not enforced on this node yet");
        }
    }

    /// Reads what has changed since the last time.
    ///
    /// # Errors
    /// [`StateFault`]; [`Live`] is as it was, or has some of the changes.
    pub async fn poll(&self) -> Result<(), StateFault> {
        let mut at = self.at.lock().await;
        self.advance(&mut at).await
    }

    /// Follows the revision until told to stop. A failure is logged once and tried again at the next poll.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        let mut listener = None;
        let mut failing = false;
        while !*stop.borrow() {
            match self.poll().await {
                Ok(()) if failing => {
                    failing = false;
                    tracing::info!(revision = self.revision(), "the registry is followed again");
                }
                Ok(()) => {}
                Err(fault) if failing => tracing::debug!(%fault, "the registry cannot be read"),
                Err(fault) => {
                    failing = true;
                    tracing::error!(%fault, "the registry cannot be read: mutations are refused");
                }
            }
            if self.settings.notify && listener.is_none() && !failing {
                listener = self.listen().await;
            }
            let hint = async {
                match &mut listener {
                    // `None`: the connection was lost, and with it hints. The next poll reads the table.
                    Some(listener) => listener.try_recv().await.is_ok_and(|hint| hint.is_some()),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                alive = hint => if !alive { listener = None; },
                () = tokio::time::sleep(self.settings.poll) => {}
                _ = stop.changed() => break,
            }
        }
    }

    async fn listen(&self) -> Option<PgListener> {
        let connected = within(self.settings.timeout, async {
            let mut listener = PgListener::connect_with(&self.pool).await?;
            listener.listen(CHANNEL).await?;
            Ok::<_, StateFault>(listener)
        });
        connected.await.ok()
    }

    async fn advance(&self, at: &mut Option<Position>) -> Result<(), StateFault> {
        let started = self.born.elapsed();
        let now = within(self.settings.timeout, revision::position(&self.pool)).await?;
        match *at {
            Some(before) if before.epoch == now.epoch && before.revision == now.revision => {}
            Some(before) if before.epoch == now.epoch && before.revision < now.revision => {
                let maps = self.live.maps();
                let Some(maps) = maps.as_ref() else {
                    return Err(StateFault::Corrupt("the registry in memory"));
                };
                within(
                    self.settings.timeout,
                    load(&self.pool, maps, before.revision),
                )
                .await?;
            }
            before => {
                if let Some(before) = before {
                    say_new_history(before, now);
                }
                let maps = within(LOAD, load_all(&self.pool)).await?;
                self.live.replace(maps);
            }
        }
        *at = Some(now);
        self.revision.store(now.revision, Ordering::Release);
        let read_at = i64::try_from(started.as_millis()).unwrap_or(i64::MAX);
        self.read_at.store(read_at, Ordering::Release);
        Ok(())
    }
}

fn say_new_history(before: Position, now: Position) {
    let Epoch { system, timeline } = now.epoch;
    tracing::warn!(
        before = before.revision,
        now = now.revision,
        system,
        timeline,
        "the database has another history: the registry is loaded anew"
    );
}

/// Reads everything into new maps. Nobody sees them before they are whole, so that their parts can be read at the
/// same time.
async fn load_all(pool: &PgPool) -> Result<Arc<Maps>, StateFault> {
    const ALL: i64 = -1;
    // An estimate that costs nothing; -1 where nobody has counted yet.
    let estimate = sqlx::query!(
        "SELECT
             (SELECT reltuples FROM pg_class WHERE oid = 'access_keys'::regclass)::bigint AS \"keys!\",
             (SELECT reltuples FROM pg_class WHERE oid = 'restrictions'::regclass)::bigint AS \"restrictions!\""
    )
    .fetch_one(pool)
    .await?;
    let room = |count| usize::try_from(count).unwrap_or_default();
    let maps = Maps::with_room(room(estimate.keys), room(estimate.restrictions));
    let maps = Arc::new(maps);
    let beside = tokio::spawn({
        let (pool, maps) = (pool.clone(), Arc::clone(&maps));
        async move { restrictions(&pool, &maps, ALL).await }
    });
    policy(pool, &maps, ALL).await?;
    pairs(pool, &maps, ALL).await?;
    sessions(pool, &maps, ALL).await?;
    beside
        .await
        .map_err(|_| StateFault::Corrupt("the registry in memory"))??;
    Ok(maps)
}

/// Applies everything after a revision. What commits meanwhile may be applied in part; it comes again.
async fn load(pool: &PgPool, maps: &Maps, after: i64) -> Result<(), StateFault> {
    // Restrictions first: a key must not be known for a moment without its restriction.
    let restrictions = restrictions(pool, maps, after);
    tokio::try_join!(restrictions, policy(pool, maps, after))?;
    pairs(pool, maps, after).await?;
    sessions(pool, maps, after).await
}

async fn restrictions(pool: &PgPool, maps: &Maps, after: i64) -> Result<(), StateFault> {
    let mut rows = sqlx::query!(
        "SELECT
             restriction_id,
             access_key_id,
             state,
             widened_at IS NOT NULL AS \"is_widened!\",
             lifted_revision
         FROM restrictions
         WHERE revision > $1",
        after
    )
    .fetch(pool);
    // Each row is what has become of a restriction, so their order does not matter.
    while let Some(row) = rows.try_next().await? {
        let marks = maps.marks.pin();
        let id = key_id(&row.access_key_id)?;
        let state = State::parse(&row.state).ok_or(StateFault::Corrupt("state"))?;
        let mut mark = marks.get(&id).copied().unwrap_or_default();
        let this = Mark {
            restriction_id: row.restriction_id,
            is_widened: row.is_widened,
        };
        match (state.is_in_force(), row.lifted_revision) {
            (true, _) => mark.in_force = Some(this),
            (false, Some(lifted_at)) => {
                mark.in_force = mark
                    .in_force
                    .filter(|one| one.restriction_id != this.restriction_id);
                if mark.lifted.is_none_or(|(earlier, _)| earlier <= lifted_at) {
                    mark.lifted = Some((lifted_at, this));
                }
            }
            (false, None) => return Err(StateFault::Corrupt("lifted_revision")),
        }
        marks.insert(id, mark);
    }
    Ok(())
}

/// What accounts have of their own, the mode, and the exceptions: none waits for another.
async fn policy(pool: &PgPool, maps: &Maps, after: i64) -> Result<(), StateFault> {
    let (accounts, switched) = (accounts(pool, maps, after), switched(pool, maps, after));
    tokio::try_join!(accounts, switched, exceptions(pool, maps, after))?;
    Ok(())
}

async fn switched(pool: &PgPool, maps: &Maps, after: i64) -> Result<(), StateFault> {
    let switched = sqlx::query_scalar!(
        "SELECT mode
         FROM policy_switch
         WHERE revision > $1",
        after
    )
    .fetch_optional(pool)
    .await?;
    let Some(switched) = switched else {
        return Ok(());
    };
    let mode = mode::parse(switched.as_deref())?;
    if maps.mode.set(mode) {
        let to = mode.map_or("what is configured", Mode::as_str);
        tracing::warn!(to, "operators have switched the mode");
    }
    Ok(())
}

async fn accounts(pool: &PgPool, maps: &Maps, after: i64) -> Result<(), StateFault> {
    let rows = sqlx::query!(
        "SELECT account_id, profile, self_remedy
         FROM accounts
         WHERE revision > $1
           AND (profile IS NOT NULL OR self_remedy IS NOT NULL OR $1 >= 0)",
        after
    )
    .fetch_all(pool)
    .await?;
    let accounts = maps.accounts.pin();
    for row in rows {
        let profile = row.profile.as_deref().map(str::parse).transpose();
        let own = OfAccount {
            profile: profile.map_err(|_| StateFault::Corrupt("profile"))?,
            self_remedy: row.self_remedy,
        };
        match own == OfAccount::default() {
            true => accounts.remove(row.account_id.as_str()),
            false => accounts.insert(row.account_id.into(), own),
        };
    }
    Ok(())
}

async fn exceptions(pool: &PgPool, maps: &Maps, after: i64) -> Result<(), StateFault> {
    let rows = sqlx::query!(
        "SELECT
             e.exception_id,
             e.restriction_id,
             r.access_key_id,
             e.operations,
             e.networks,
             e.expires_at,
             e.revoked_at IS NOT NULL AS \"is_revoked!\"
         FROM exceptions e
         JOIN restrictions r USING (restriction_id)
         WHERE e.revision > $1
           AND r.state <> 'Lifted'",
        after
    )
    .fetch_all(pool)
    .await?;
    for row in rows {
        let made = Made {
            exception_id: row.exception_id,
            restriction_id: row.restriction_id,
            exception: Exception {
                scope: Scope {
                    operations: parsed(&row.operations, "operations")?,
                    networks: parsed(&row.networks, "networks")?,
                },
                expires_at: row.expires_at,
            },
        };
        let id = key_id(&row.access_key_id)?;
        maps.except(id, row.exception_id, (!row.is_revoked).then_some(&made));
    }
    Ok(())
}

fn parsed<T: FromStr>(texts: &[String], what: &'static str) -> Result<Vec<T>, StateFault> {
    let parsed = texts.iter().map(|text| text.parse());
    let parsed: Result<_, _> = parsed.collect();
    parsed.map_err(|_| StateFault::Corrupt(what))
}

async fn pairs(pool: &PgPool, maps: &Maps, after: i64) -> Result<(), StateFault> {
    let mut rows = sqlx::query!(
        "SELECT access_key_id, status, revision
         FROM access_keys
         WHERE revision > $1",
        after
    )
    .fetch(pool);
    while let Some(row) = rows.try_next().await? {
        let status = KeyStatus::parse(&row.status).ok_or(StateFault::Corrupt("status"))?;
        let known = Known {
            revision: row.revision,
            what: What::Pair(status),
        };
        maps.know(key_id(&row.access_key_id)?, known);
    }
    Ok(())
}

async fn sessions(pool: &PgPool, maps: &Maps, after: i64) -> Result<(), StateFault> {
    let mut rows = sqlx::query!(
        "SELECT access_key_id, expires_at, revision
         FROM sessions
         WHERE revision > $1",
        after
    )
    .fetch(pool);
    while let Some(row) = rows.try_next().await? {
        let known = Known {
            revision: row.revision,
            what: What::Session(row.expires_at),
        };
        maps.know(key_id(&row.access_key_id)?, known);
    }
    Ok(())
}
