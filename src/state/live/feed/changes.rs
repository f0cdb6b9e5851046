//! Applies changed rows of PostgreSQL to the memory.

use std::{
    collections::{HashMap, HashSet},
    str::FromStr,
    time::Duration,
};

use futures_util::{TryFutureExt, TryStreamExt};
use sqlx::PgConnection;
use time::UtcDateTime;
use uuid::Uuid;

use crate::directory::{StateFault, keys::parse_key_id, revision::HistoryFork, with_timeout};
use crate::live::memory::{
    AccountOverrides, ActiveRestriction, CredentialEntry, CredentialState, ExceptionEntry,
    KeyRestrictions, RegistryMaps,
};
use crate::restrictions::active_restriction::parse_state;
use akgate_api::keys::KeyStatus;
use akgate_rules::{
    access_key::AccessKeyId,
    exception::{Exception, ExceptionScope},
    position::{History, Position},
    verdict::Mode,
};

/// Something that changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum ChangedItem {
    /// An access key, a session, its restriction or an exception from that.
    Key(AccessKeyId),
    /// What an account has of its own.
    Account(String),
}

/// What is to be read.
#[derive(Debug, Default)]
pub(crate) struct ChangeQuery {
    /// Everything that changed after this revision.
    after: i64,
    /// Everything that was added after this addition.
    added_after: i64,
    /// These as well, whatever is known of them: they may be gone.
    keys: Vec<String>,
    accounts: Vec<String>,
    /// The mode as well: it is one row, and may be what was lost.
    mode: bool,
    /// How long the database may be silent.
    patience: Duration,
}

impl ChangeQuery {
    /// Everything after a revision and an addition.
    pub fn after(known: HistoryFork, patience: Duration) -> Self {
        Self {
            after: known.revision,
            added_after: known.addition,
            patience,
            ..Self::default()
        }
    }

    /// Everything after a fork, and these.
    pub fn with(fork: HistoryFork, changed: HashSet<ChangedItem>, patience: Duration) -> Self {
        let mut since = Self::after(fork, patience);
        since.mode = true;
        for one in changed {
            match one {
                ChangedItem::Key(id) => since.keys.push(id.as_str().to_owned()),
                ChangedItem::Account(id) => since.accounts.push(id),
            }
        }
        since
    }

    /// An answer of the database, or the next of many rows: none is waited for long.
    async fn wait_for<T>(
        &self,
        answer: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, StateFault> {
        with_timeout(self.patience, answer.err_into::<StateFault>()).await
    }
}

/// What was changed, by counter.
#[derive(Debug, Default)]
pub(crate) struct ChangedItems {
    /// Changes with a revision.
    pub revised: Vec<ChangedItem>,
    /// Additions.
    pub added: Vec<ChangedItem>,
}

/// Applies the changes, read in one snapshot; returns what was changed.
pub(crate) async fn load_changes(
    db: &mut PgConnection,
    maps: &RegistryMaps,
    since: &ChangeQuery,
    changed: &mut ChangedItems,
) -> Result<(), StateFault> {
    // Restrictions first: a key must not be known for a moment without its restriction.
    load_restrictions(db, maps, since, &mut changed.revised).await?;
    load_mode(db, maps, since).await?;
    load_accounts(db, maps, since, &mut changed.revised).await?;
    load_exceptions(db, maps, since, &mut changed.revised).await?;
    load_additions(db, maps, since, changed).await
}

/// Applies additions and changed access keys.
pub(crate) async fn load_additions(
    db: &mut PgConnection,
    maps: &RegistryMaps,
    since: &ChangeQuery,
    changed: &mut ChangedItems,
) -> Result<(), StateFault> {
    let whole: Result<HashSet<AccessKeyId>, _> =
        since.keys.iter().map(|id| parse_key_id(id)).collect();
    let mut found = FoundKeys {
        whole: whole?,
        changed,
    };
    load_access_keys(db, maps, since, &mut found).await?;
    load_sessions(db, maps, since, &mut found).await?;
    for gone in found.whole {
        maps.credentials.pin().remove(&gone);
    }
    Ok(())
}

/// Accounts, exceptions and the mode, whatever is known of them.
pub(crate) async fn load_policy(
    db: &mut PgConnection,
    maps: &RegistryMaps,
    patience: Duration,
) -> Result<(), StateFault> {
    let everything = HistoryFork {
        revision: -1,
        addition: -1,
    };
    let everything = ChangeQuery::after(everything, patience);
    let mut changed = Vec::new();
    load_mode(db, maps, &everything).await?;
    load_accounts(db, maps, &everything, &mut changed).await?;
    let own: HashSet<ChangedItem> = changed.drain(..).collect();
    maps.accounts
        .pin()
        .retain(|id, _| own.contains(&ChangedItem::Account(id.to_string())));
    maps.exceptions.pin().clear();
    load_exceptions(db, maps, &everything, &mut changed).await
}

/// What is found of keys.
struct FoundKeys<'a> {
    /// Those that are read whole and were not found yet.
    whole: HashSet<AccessKeyId>,
    changed: &'a mut ChangedItems,
}

impl FoundKeys<'_> {
    fn add(&mut self, maps: &RegistryMaps, id: AccessKeyId, known: CredentialEntry, is_new: bool) {
        let changed = match is_new {
            true => &mut self.changed.added,
            false => &mut self.changed.revised,
        };
        changed.push(ChangedItem::Key(id.clone()));
        match self.whole.remove(&id) {
            // What was known of it belongs to another history.
            true => maps.put_credential(id, known),
            false => maps.merge_credential(id, known),
        }
    }
}

/// Adds one more row to a key's restrictions. Their order does not matter: at most one is in force.
pub(crate) fn merge_restriction(
    restrictions: &mut KeyRestrictions,
    restriction_id: Uuid,
    state: &str,
    is_widened: bool,
    lifted_at: Option<(i64, Uuid)>,
) -> Result<(), StateFault> {
    let state = parse_state(state)?;
    let this = ActiveRestriction {
        restriction_id,
        is_widened,
    };
    if state.is_in_force() {
        restrictions.in_force = Some(this);
        return Ok(());
    }
    let (revision, history) = lifted_at.ok_or(StateFault::Corrupt("lifted_revision"))?;
    let lifted_at = Position {
        history: History(history),
        revision,
    };
    restrictions.in_force = restrictions
        .in_force
        .filter(|one| one.restriction_id != restriction_id);
    // One that was undone is as if it had never been.
    if lifted_at.revision != 0 {
        restrictions.add_lifted(lifted_at, this);
    }
    Ok(())
}

async fn load_restrictions(
    db: &mut PgConnection,
    maps: &RegistryMaps,
    since: &ChangeQuery,
    changed: &mut Vec<ChangedItem>,
) -> Result<(), StateFault> {
    let rows = sqlx::query!(
        "SELECT
             restriction_id,
             access_key_id,
             state,
             widened_at IS NOT NULL AS \"is_widened!\",
             lifted_revision,
             lifted_history
         FROM restrictions
         WHERE revision > $1
            OR access_key_id = ANY($2)",
        since.after,
        &since.keys
    )
    .fetch_all(db);
    let rows = since.wait_for(rows).await?;
    let known = maps.restrictions.pin();
    // Keys that are read completely must not keep older facts.
    let mut made: HashMap<AccessKeyId, KeyRestrictions> = HashMap::with_capacity(rows.len());
    for id in &since.keys {
        made.insert(parse_key_id(id)?, KeyRestrictions::default());
    }
    for row in rows {
        let id = parse_key_id(&row.access_key_id)?;
        let restrictions = made
            .entry(id)
            .or_insert_with_key(|id| known.get(id).copied().unwrap_or_default());
        merge_restriction(
            restrictions,
            row.restriction_id,
            &row.state,
            row.is_widened,
            row.lifted_revision.zip(row.lifted_history),
        )?;
    }
    for (id, restrictions) in made {
        changed.push(ChangedItem::Key(id.clone()));
        maps.put_restrictions(id, restrictions);
    }
    Ok(())
}

async fn load_mode(
    db: &mut PgConnection,
    maps: &RegistryMaps,
    since: &ChangeQuery,
) -> Result<(), StateFault> {
    let switched = sqlx::query_scalar!(
        "SELECT mode
         FROM policy_switch
         WHERE revision > $1
            OR $2",
        since.after,
        since.mode
    )
    .fetch_optional(db);
    let Some(switched) = since.wait_for(switched).await? else {
        return Ok(());
    };
    let mode = switched.as_deref().map(str::parse::<Mode>).transpose();
    let mode = mode.map_err(|_| StateFault::Corrupt("mode"))?;
    if maps.mode.set(mode) {
        let to = mode.map_or("the configured mode", Mode::as_str);
        tracing::warn!(to, "operators have switched the mode");
    }
    Ok(())
}

async fn load_accounts(
    db: &mut PgConnection,
    maps: &RegistryMaps,
    since: &ChangeQuery,
    changed: &mut Vec<ChangedItem>,
) -> Result<(), StateFault> {
    let rows = sqlx::query!(
        "SELECT account_id, profile, self_remedy
         FROM accounts
         WHERE (revision > $1 AND (profile IS NOT NULL OR self_remedy IS NOT NULL OR $1 >= 0))
            OR account_id = ANY($2)",
        since.after,
        &since.accounts
    )
    .fetch_all(db);
    let rows = since.wait_for(rows).await?;
    let accounts = maps.accounts.pin();
    let mut gone: HashSet<&str> = since.accounts.iter().map(String::as_str).collect();
    for row in &rows {
        gone.remove(row.account_id.as_str());
    }
    for account_id in gone {
        accounts.remove(account_id);
    }
    for row in rows {
        changed.push(ChangedItem::Account(row.account_id.clone()));
        let profile = row.profile.as_deref().map(str::parse).transpose();
        let own = AccountOverrides {
            profile: profile.map_err(|_| StateFault::Corrupt("profile"))?,
            self_remedy: row.self_remedy,
        };
        match own == AccountOverrides::default() {
            true => accounts.remove(row.account_id.as_str()),
            false => accounts.insert(row.account_id.into(), own),
        };
    }
    Ok(())
}

async fn load_exceptions(
    db: &mut PgConnection,
    maps: &RegistryMaps,
    since: &ChangeQuery,
    changed: &mut Vec<ChangedItem>,
) -> Result<(), StateFault> {
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
         WHERE (e.revision > $1 OR r.access_key_id = ANY($2))
           AND r.state <> 'Lifted'",
        since.after,
        &since.keys
    )
    .fetch_all(db);
    let rows = since.wait_for(rows).await?;
    for id in &since.keys {
        maps.exceptions.pin().remove(&parse_key_id(id)?);
    }
    for row in rows {
        let made = ExceptionEntry {
            exception_id: row.exception_id,
            restriction_id: row.restriction_id,
            exception: Exception {
                scope: ExceptionScope {
                    operations: parse_all(&row.operations, "operations")?,
                    networks: parse_all(&row.networks, "networks")?,
                },
                expires_at: row.expires_at,
            },
        };
        let id = parse_key_id(&row.access_key_id)?;
        changed.push(ChangedItem::Key(id.clone()));
        maps.put_exception(id, row.exception_id, (!row.is_revoked).then_some(&made));
    }
    Ok(())
}

fn parse_all<T: FromStr>(texts: &[String], what: &'static str) -> Result<Vec<T>, StateFault> {
    let parsed = texts.iter().map(|text| text.parse());
    let parsed: Result<_, _> = parsed.collect();
    parsed.map_err(|_| StateFault::Corrupt(what))
}

async fn load_access_keys(
    db: &mut PgConnection,
    maps: &RegistryMaps,
    since: &ChangeQuery,
    found: &mut FoundKeys<'_>,
) -> Result<(), StateFault> {
    let mut rows = sqlx::query!(
        "SELECT access_key_id, status, revision
         FROM access_keys
         WHERE revision > $1
            OR addition > $3
            OR access_key_id = ANY($2)",
        since.after,
        &since.keys,
        since.added_after
    )
    .fetch(db);
    while let Some(row) = since.wait_for(rows.try_next()).await? {
        let known = access_key_entry(row.revision, &row.status)?;
        let is_new = row.revision <= since.after;
        found.add(maps, parse_key_id(&row.access_key_id)?, known, is_new);
    }
    Ok(())
}

pub(crate) fn access_key_entry(revision: i64, status: &str) -> Result<CredentialEntry, StateFault> {
    let status = status
        .parse::<KeyStatus>()
        .map_err(|_| StateFault::Corrupt("status"))?;
    Ok(CredentialEntry::new(
        revision,
        CredentialState::AccessKey(status),
    ))
}

async fn load_sessions(
    db: &mut PgConnection,
    maps: &RegistryMaps,
    since: &ChangeQuery,
    found: &mut FoundKeys<'_>,
) -> Result<(), StateFault> {
    let mut rows = sqlx::query!(
        "SELECT access_key_id, expires_at, addition
         FROM sessions
         WHERE addition > $1
            OR access_key_id = ANY($2)",
        since.added_after,
        &since.keys
    )
    .fetch(db);
    while let Some(row) = since.wait_for(rows.try_next()).await? {
        let what = CredentialState::Session(UtcDateTime::from(row.expires_at));
        let known = CredentialEntry::new(row.addition, what);
        found.add(maps, parse_key_id(&row.access_key_id)?, known, true);
    }
    Ok(())
}
