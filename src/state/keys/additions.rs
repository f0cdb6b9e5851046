//! Additions: new access keys and sessions, many in one transaction, and new RAM users, many in another.
//!
//! An addition takes nothing away from anybody, so writers that add need not wait for each other, and no permit names an
//! addition. But a report and a new access key must see each other: a key whose secret is reported at the moment it is added
//! is restricted, whichever commits first. So additions share the revision lock, which every other writer takes alone
//! ([`revision::share_revision_lock`]). A key of which anything is known that could restrict it is not added here:
//! [`AdditionOutcome::NeedsRevision`].
//!
//! Nodes learn of additions from the feed, in the order of their counter, or when they are asked for an unknown AccessKeyId
//! ([`crate::live::feed::Feed::catch_up`]).

use std::collections::HashSet;

use sqlx::{PgPool, PgTransaction};
use time::OffsetDateTime;

use crate::{
    batches::WriteBatch,
    directory::{
        StateFault, collect_column,
        keys::{self, SealedKey},
        principals,
        revision::{self, AdditionStamp},
        sessions::{self, SealedSession},
    },
};

/// A new RAM user.
#[derive(Debug)]
pub struct NewUser {
    /// The account.
    pub account_id: String,
    /// The name.
    pub user_name: String,
    /// The user's id at the IAM; `None` if unknown.
    pub user_id: Option<String>,
    /// When it became known.
    pub now: OffsetDateTime,
}

/// Adds RAM users. No node needs to know them, so they take no lock.
pub struct UserWriter {
    pool: PgPool,
}

impl UserWriter {
    /// Creates a writer.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

impl WriteBatch for UserWriter {
    type Item = NewUser;
    type Outcome = ();

    async fn write(&self, users: &[NewUser]) -> Result<Vec<()>, StateFault> {
        let Some(first) = users.first() else {
            return Ok(Vec::new());
        };
        let accounts = collect_column(users, |user| user.account_id.as_str());
        let names = collect_column(users, |user| Some(user.user_name.as_str()));
        let ids = collect_column(users, |user| user.user_id.as_deref());
        let mut tx = self.pool.begin().await?;
        plan_each_time(&mut tx).await?;
        principals::ensure_principals(&mut tx, &accounts, &names, &ids, first.now).await?;
        tx.commit().await?;
        Ok(users.iter().map(|_| ()).collect())
    }
}

/// Plans statements anew: a cached plan from when a table was small would read the whole table later.
async fn plan_each_time(tx: &mut PgTransaction<'_>) -> Result<(), StateFault> {
    sqlx::query!("SELECT set_config('plan_cache_mode', 'force_custom_plan', true)")
        .fetch_one(&mut **tx)
        .await?;
    Ok(())
}

/// A new access key or session.
#[derive(Debug)]
pub enum Addition {
    /// An access key.
    Key(Box<SealedKey>, OffsetDateTime),
    /// A session.
    Session(Box<SealedSession>),
}

/// The outcome of an addition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdditionOutcome {
    /// It was added.
    Added(AdditionStamp),
    /// The session exists already.
    Known,
    /// Something is known of the access key already, or a restriction reaches the key or session: it must be added with a
    /// revision.
    NeedsRevision,
    /// The session's parent is unknown.
    UnknownParent,
}

/// Adds access keys and sessions.
pub struct AdditionWriter {
    pool: PgPool,
}

impl AdditionWriter {
    /// Creates a writer.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

impl WriteBatch for AdditionWriter {
    type Item = Addition;
    type Outcome = AdditionOutcome;

    async fn write(&self, additions: &[Addition]) -> Result<Vec<AdditionOutcome>, StateFault> {
        let (mut keys, mut sessions) = (Vec::new(), Vec::new());
        for (index, addition) in additions.iter().enumerate() {
            match addition {
                Addition::Key(key, now) => keys.push((index, &**key, *now)),
                Addition::Session(session) => sessions.push((index, &**session)),
            }
        }
        let mut tx = self.pool.begin().await?;
        revision::share_revision_lock(&mut tx).await?;
        plan_each_time(&mut tx).await?;
        let Some(at) = revision::advance_addition(&mut tx).await? else {
            drop(tx);
            revision::stamp_history(&self.pool, None).await?;
            return Err(StateFault::OtherHistory);
        };
        let mut outcomes = add_keys(&mut tx, &keys, at).await?;
        outcomes.extend(add_sessions(&mut tx, &sessions, at).await?);
        tx.commit().await?;
        outcomes.sort_unstable_by_key(|(index, _)| *index);
        Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
    }
}

/// Adds the access keys of which nothing is known; returns the outcome of each, by index.
async fn add_keys(
    tx: &mut PgTransaction<'_>,
    given: &[(usize, &SealedKey, OffsetDateTime)],
    at: AdditionStamp,
) -> Result<Vec<(usize, AdditionOutcome)>, StateFault> {
    let Some((.., now)) = given.first() else {
        return Ok(Vec::new());
    };
    let ids = collect_column(given, |(_, key, _)| key.access_key_id.as_str());
    let blind_indexes = collect_column(given, |(_, key, _)| key.blind_index());
    let origins = collect_column(given, |(_, key, _)| key.origins());
    let mut known: HashSet<usize> = find_known(tx, &ids, &blind_indexes, &origins).await?;
    let mut seen = HashSet::new();
    known.extend((0..ids.len()).filter(|at| ids.get(*at).is_some_and(|id| !seen.insert(*id))));
    let is_new = |place: usize| !known.contains(&place);
    let new: Vec<&SealedKey> = given
        .iter()
        .enumerate()
        .filter(|(place, _)| is_new(*place))
        .map(|(_, (_, key, _))| *key)
        .collect();
    keys::insert_new_keys(tx, &new, at, *now).await?;
    let told = given.iter().enumerate();
    let outcome = |(place, (index, ..)): (usize, &(usize, _, _))| match is_new(place) {
        true => (*index, AdditionOutcome::Added(at)),
        false => (*index, AdditionOutcome::NeedsRevision),
    };
    Ok(told.map(outcome).collect())
}

/// Finds access keys, by index, of which something is known that could restrict them: the key itself, a restriction of any
/// state, a report of its secret, or a restriction that reaches what it descends from.
async fn find_known(
    tx: &mut PgTransaction<'_>,
    ids: &[&str],
    blind_indexes: &[&[u8]],
    origins: &[Vec<String>],
) -> Result<HashSet<usize>, StateFault> {
    let descends: Vec<(i64, &str)> = (1..)
        .zip(origins)
        .flat_map(|(position, origins)| origins.iter().map(move |one| (position, one.as_str())))
        .collect();
    let known = sqlx::query_scalar!(
        "SELECT n.position AS \"position!\"
         FROM unnest($1::text[], $2::bytea[])
             WITH ORDINALITY AS n (access_key_id, blind_index, position)
         WHERE EXISTS (
                 SELECT 1
                 FROM access_keys k
                 WHERE k.access_key_id = n.access_key_id
             )
             OR EXISTS (
                 SELECT 1
                 FROM restrictions r
                 WHERE r.access_key_id = n.access_key_id
             )
             OR EXISTS (
                 SELECT 1
                 FROM leak_reports l
                 WHERE l.access_key_id IS NULL
                   AND l.secret_digest = n.blind_index
             )
             OR (
                 -- Looked at once, whatever the number of keys.
                 EXISTS (SELECT 1 FROM restrictions WHERE descendants_since IS NOT NULL AND state <> 'Lifted')
                 AND restricting_ancestor(ARRAY(
                     SELECT o.origin
                     FROM unnest($3::bigint[], $4::text[]) AS o (position, origin)
                     WHERE o.position = n.position
                 )) IS NOT NULL
             )",
        ids as &[&str],
        blind_indexes as &[&[u8]],
        &collect_column(&descends, |(position, _)| *position),
        &collect_column(&descends, |(_, origin)| *origin) as &[&str]
    )
    .fetch_all(&mut **tx)
    .await?;
    let places = known
        .into_iter()
        .map(|position| usize::try_from(position - 1));
    places
        .collect::<Result<_, _>>()
        .map_err(|_| StateFault::Corrupt("a position"))
}

async fn add_sessions(
    tx: &mut PgTransaction<'_>,
    given: &[(usize, &SealedSession)],
    at: AdditionStamp,
) -> Result<Vec<(usize, AdditionOutcome)>, StateFault> {
    if given.is_empty() {
        return Ok(Vec::new());
    }
    let new = collect_column(given, |(_, session)| *session);
    let parents: Vec<&str> = new
        .iter()
        .filter_map(|session| session.parent_session())
        .collect();
    let known = sessions::find_session_ids(tx, &parents).await?;
    let (mut told, mut written) = (Vec::with_capacity(given.len()), Vec::new());
    for (index, session) in given {
        match session.parent_session() {
            Some(parent) if !known.contains(parent) => {
                told.push((*index, AdditionOutcome::UnknownParent));
            }
            Some(_) | None => written.push((*index, *session)),
        }
    }
    let rows = collect_column(&written, |(_, session)| *session);
    let stored = sessions::insert_sessions(tx, &rows, at, false).await?;
    told.extend(written.into_iter().map(|(index, session)| {
        let id = session.access_key_id();
        let outcome = match (stored.held.contains(id), stored.inserted.contains(id)) {
            (true, _) => AdditionOutcome::NeedsRevision,
            (false, true) => AdditionOutcome::Added(at),
            (false, false) => AdditionOutcome::Known,
        };
        (index, outcome)
    }));
    Ok(told)
}
