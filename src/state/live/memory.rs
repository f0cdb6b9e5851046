//! A node's memory: every AccessKeyId, every restriction, and every profile of an account.
//!
//! Only [`super::feed`] writes here, in the order of revisions; the request road reads without waiting. Before the
//! first load, every standing is unknown.
//!
//! The memory has a [`Position`], which is published after the changes that it includes: a reader that reads the
//! position first sees all of these changes, and maybe later ones.

use std::{
    net::IpAddr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU8, AtomicU32, Ordering},
    },
};

use arc_swap::ArcSwapOption;
use papaya::HashMap;
use time::{OffsetDateTime, UtcDateTime};
use tokio::sync::watch;
use uuid::Uuid;

use crate::directory::sessions::Ancestor;
use akgate_api::keys::KeyStatus;
use akgate_rules::{
    access_key::AccessKeyId,
    exception::Exception,
    operation::Operation,
    position::{History, Position},
    verdict::{Mode, Profile, Standing},
};

/// What is known of an AccessKeyId.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CredentialEntry {
    /// The revision of its last change: 0 for an access key that is as it was added, the addition for a session.
    pub revision: i64,
    /// The reload in which it was last seen.
    pub(crate) generation: u32,
    /// What it is.
    pub state: CredentialState,
}

impl CredentialEntry {
    /// What is known at the revision of its last change.
    #[must_use]
    pub fn new(revision: i64, state: CredentialState) -> Self {
        Self {
            revision,
            generation: 0,
            state,
        }
    }
}

/// What an AccessKeyId is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialState {
    /// An AccessKey.
    AccessKey(KeyStatus),
    /// A session, until then.
    Session(UtcDateTime),
}

/// The restrictions of one key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct KeyRestrictions {
    /// The one in force.
    pub in_force: Option<ActiveRestriction>,
    /// The last one that was lifted, and where.
    pub lifted: Option<(Position, ActiveRestriction)>,
    /// The last one that was lifted after it had been widened, and where: a later one that was not widened relaxes
    /// nothing for the sessions of before.
    pub widened_lifted: Option<(Position, ActiveRestriction)>,
    /// The reload in which they were last seen.
    pub generation: u32,
}

/// A restriction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ActiveRestriction {
    pub restriction_id: Uuid,
    /// Sensitive reads are refused as well.
    pub is_widened: bool,
}

/// The settings of an account that override the configured defaults.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AccountOverrides {
    /// What its restricted keys are refused.
    pub profile: Option<Profile>,
    /// Whether its restricted keys may disable or delete themselves.
    pub self_remedy: Option<bool>,
}

/// An exception that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExceptionEntry {
    pub exception_id: Uuid,
    /// The restriction that it is an exception from.
    pub restriction_id: Uuid,
    pub exception: Exception,
}

/// What is known, in place: a new history changes what it has to, key by key.
#[derive(Debug, Default)]
pub(crate) struct RegistryMaps {
    /// Counts the reloads.
    pub generation: AtomicU32,
    pub credentials: HashMap<AccessKeyId, CredentialEntry>,
    pub restrictions: HashMap<AccessKeyId, KeyRestrictions>,
    pub exceptions: HashMap<AccessKeyId, Arc<[ExceptionEntry]>>,
    pub accounts: HashMap<Box<str>, AccountOverrides>,
    pub mode: SwitchedMode,
}

/// The mode that operators have switched to, if any.
#[derive(Debug, Default)]
pub(crate) struct SwitchedMode(AtomicU8);

impl SwitchedMode {
    fn get(&self) -> Option<Mode> {
        let place = usize::from(self.0.load(Ordering::Acquire));
        Mode::ALL.get(place.checked_sub(1)?).copied()
    }

    /// Says whether it was another before.
    pub fn set(&self, mode: Option<Mode>) -> bool {
        let of = |mode: Mode| Mode::ALL.iter().zip(1..).find(|(one, _)| **one == mode);
        let place = mode.and_then(of).map_or(0, |(_, place)| place);
        self.0.swap(place, Ordering::AcqRel) != place
    }
}

/// What this node knows.
#[derive(Debug, Default)]
pub struct LiveRegistry {
    /// `None` before the first load.
    maps: ArcSwapOption<RegistryMaps>,
    /// Where all of it stands; `None` before the first load.
    position: ArcSwapOption<Position>,
    /// Wakes who waits for the position to move.
    moved: watch::Sender<()>,
    /// Held while a look-up adds what it found in the history that is known, and while that becomes another.
    history: RwLock<()>,
}

impl LiveRegistry {
    /// What is known of an AccessKeyId; `None` where nothing is.
    #[must_use]
    pub fn credential(&self, id: &AccessKeyId) -> Option<CredentialEntry> {
        let maps = self.maps.load();
        maps.as_ref()?.credentials.pin().get(id).copied()
    }

    /// What a node would know of which these restrictions are in force and nothing else: for measurements.
    #[must_use]
    pub fn of_restrictions(
        count: usize,
        restrictions: impl Iterator<Item = (AccessKeyId, Uuid)>,
    ) -> Self {
        let maps = RegistryMaps::with_room(0, count);
        for (access_key_id, restriction_id) in restrictions {
            let mark = ActiveRestriction {
                restriction_id,
                is_widened: false,
            };
            let restrictions = KeyRestrictions {
                in_force: Some(mark),
                ..KeyRestrictions::default()
            };
            maps.restrictions.pin().insert(access_key_id, restrictions);
        }
        let live = Self::default();
        live.replace(Arc::new(maps));
        live
    }

    /// Up to where everything is known here; `None` before the first load.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.position.load().as_deref().copied()
    }

    /// Wakes whenever the position moves.
    #[must_use]
    pub fn position_changes(&self) -> watch::Receiver<()> {
        self.moved.subscribe()
    }

    /// Publishes the position, after the changes that it stands for.
    pub(crate) fn publish(&self, position: Position) {
        self.position.store(Some(Arc::new(position)));
        self.moved.send_replace(());
    }

    /// Goes over to another history: from now on no look-up adds what it found in the one before.
    pub(crate) fn switch_history(&self, position: Position) {
        let _guard = self.history.write().unwrap_or_else(PoisonError::into_inner);
        self.position.store(Some(Arc::new(position)));
    }

    /// Whether the registry has been loaded.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.maps.load().is_some()
    }

    /// Adds what a lookup found in the database before the feed delivered it, unless it is from another history.
    /// Returns whether it is newer than what was known.
    pub fn add_looked_up(&self, id: &AccessKeyId, at: Position, state: CredentialState) -> bool {
        let _guard = self.history.read().unwrap_or_else(PoisonError::into_inner);
        let (Some(position), maps) = (self.position(), self.maps.load()) else {
            return false;
        };
        let Some(maps) = maps.as_ref().filter(|_| position.history == at.history) else {
            return false;
        };
        maps.merge_credential(id.clone(), CredentialEntry::new(at.revision, state));
        at.revision > position.revision
    }

    /// Adds an entry that was committed in `history`; returns whether that is the current history.
    pub(crate) fn add_new(
        &self,
        id: &AccessKeyId,
        history: History,
        entry: CredentialEntry,
    ) -> bool {
        let _guard = self.history.read().unwrap_or_else(PoisonError::into_inner);
        let (position, maps) = (self.position(), self.maps.load());
        let is_same = position.is_some_and(|position| position.history == history);
        let Some(maps) = maps.as_ref().filter(|_| is_same) else {
            return false;
        };
        maps.merge_credential(id.clone(), entry);
        true
    }

    /// Whether a restriction of this key is in force.
    #[must_use]
    pub fn is_restricted(&self, id: &AccessKeyId) -> bool {
        let maps = self.maps.load();
        maps.as_ref().is_some_and(|maps| {
            let restrictions = maps.restrictions.pin();
            restrictions
                .get(id)
                .is_some_and(|restrictions| restrictions.in_force.is_some())
        })
    }

    /// The standing of a key or session and of everything that it descends from.
    #[must_use]
    pub fn lineage(&self, id: &AccessKeyId, ancestors: &[Ancestor]) -> Vec<Standing> {
        let maps = self.maps.load();
        let Some(maps) = maps.as_ref() else {
            return vec![Standing::Unknown];
        };
        let restrictions = maps.restrictions.pin();
        let own = restrictions
            .get(id)
            .and_then(|restrictions| restrictions.in_force);
        let own = own.map_or(Standing::Clear, ActiveRestriction::standing);
        std::iter::once(own)
            .chain(ancestors.iter().map(|ancestor| {
                restrictions
                    .get(&ancestor.access_key_id)
                    .map_or(Standing::Clear, |restrictions| {
                        restrictions.of_descendant(ancestor.minted_at)
                    })
            }))
            .collect()
    }

    /// Whether an exception from the restriction in force on this key covers a call from there. A session never has
    /// one, not even from a restriction of its own: a thief of the key may have obtained it.
    #[must_use]
    pub fn is_excepted(
        &self,
        id: &AccessKeyId,
        operation: &Operation,
        source: IpAddr,
        now: OffsetDateTime,
    ) -> bool {
        let maps = self.maps.load();
        let Some(maps) = maps.as_ref().filter(|_| !id.is_session()) else {
            return false;
        };
        let restrictions = maps.restrictions.pin();
        let Some(mark) = restrictions
            .get(id)
            .and_then(|restrictions| restrictions.in_force)
        else {
            return false;
        };
        let covers = |made: &ExceptionEntry| {
            made.restriction_id == mark.restriction_id
                && made.exception.covers(operation, source, now)
        };
        let exceptions = maps.exceptions.pin();
        exceptions
            .get(id)
            .is_some_and(|made| made.iter().any(covers))
    }

    /// What an account has of its own.
    #[must_use]
    pub fn account_overrides(&self, account_id: &str) -> AccountOverrides {
        let maps = self.maps.load();
        let own = maps
            .as_ref()
            .and_then(|maps| maps.accounts.pin().get(account_id).copied());
        own.unwrap_or_default()
    }

    /// The mode that operators have switched to.
    #[must_use]
    pub fn mode(&self) -> Option<Mode> {
        self.maps.load().as_ref()?.mode.get()
    }

    /// How many AccessKeyIds are known, and how many of them have been restricted.
    #[must_use]
    pub fn len(&self) -> (usize, usize) {
        match self.maps.load().as_ref() {
            Some(maps) => (maps.credentials.len(), maps.restrictions.len()),
            None => (0, 0),
        }
    }

    /// Drops the sessions and the exceptions that have ended.
    pub fn sweep(&self, now: OffsetDateTime) {
        if let Some(maps) = self.maps.load().as_ref() {
            let known = maps.credentials.pin();
            known.retain(|_, known| match known.state {
                CredentialState::AccessKey(_) => true,
                CredentialState::Session(expires_at) => now < expires_at,
            });
            let exceptions = maps.exceptions.pin();
            exceptions.retain(|_, made| made.iter().any(|one| now < one.exception.expires_at));
        }
    }

    pub(crate) fn maps(&self) -> arc_swap::Guard<Option<Arc<RegistryMaps>>> {
        self.maps.load()
    }

    pub(crate) fn replace(&self, maps: Arc<RegistryMaps>) {
        self.maps.store(Some(maps));
    }
}

impl RegistryMaps {
    /// Empty maps with room for so many keys and restrictions: growing them costs more than filling them.
    pub fn with_room(keys: usize, restrictions: usize) -> Self {
        Self {
            credentials: HashMap::with_capacity(keys),
            restrictions: HashMap::with_capacity(restrictions),
            ..Self::default()
        }
    }

    /// Puts an exception in the place of what was known of it, or takes it out.
    pub fn put_exception(
        &self,
        id: AccessKeyId,
        exception_id: Uuid,
        made: Option<&ExceptionEntry>,
    ) {
        let others = |earlier: &Arc<[ExceptionEntry]>| {
            let others = earlier
                .iter()
                .filter(|one| one.exception_id != exception_id);
            others
                .chain(made)
                .cloned()
                .collect::<Arc<[ExceptionEntry]>>()
        };
        let none = Arc::from([]);
        let exceptions = self.exceptions.pin();
        exceptions.update_or_insert_with(id, others, || others(&none));
    }

    /// Counts the reloads.
    pub fn generation(&self) -> u32 {
        self.generation.load(Ordering::Acquire)
    }

    /// Puts the restrictions of a key in the place of what was known of them.
    pub fn put_restrictions(&self, id: AccessKeyId, restrictions: KeyRestrictions) {
        let generation = self.generation();
        let known = self.restrictions.pin();
        match restrictions.in_force.is_none() && restrictions.lifted.is_none() {
            true => known.remove(&id),
            false => known.insert(
                id,
                KeyRestrictions {
                    generation,
                    ..restrictions
                },
            ),
        };
    }

    /// Puts what is known of a key in the place of what was.
    pub fn put_credential(&self, id: AccessKeyId, found: CredentialEntry) {
        let generation = self.generation();
        self.credentials.pin().insert(
            id,
            CredentialEntry {
                generation,
                ..found
            },
        );
    }

    /// The later of two revisions counts, as long as both were seen since the last reload: a look-up may be overtaken
    /// by the feed.
    pub fn merge_credential(&self, id: AccessKeyId, found: CredentialEntry) {
        let found = CredentialEntry {
            generation: self.generation(),
            ..found
        };
        let is_newer = |earlier: &CredentialEntry| {
            earlier.generation == found.generation && earlier.revision > found.revision
        };
        self.credentials.pin().update_or_insert_with(
            id,
            |earlier| if is_newer(earlier) { *earlier } else { found },
            || found,
        );
    }
}

impl ActiveRestriction {
    fn standing(self) -> Standing {
        if self.is_widened {
            Standing::Widened(self.restriction_id)
        } else {
            Standing::Restricted(self.restriction_id)
        }
    }
}

impl KeyRestrictions {
    /// Adds a restriction that was lifted.
    pub fn add_lifted(&mut self, lifted_at: Position, restriction: ActiveRestriction) {
        // Of the histories that this one goes back to, each has later revisions than those before.
        let keep_last = |last: &mut Option<(Position, ActiveRestriction)>| {
            if last.is_none_or(|(earlier, _)| earlier.revision <= lifted_at.revision) {
                *last = Some((lifted_at, restriction));
            }
        };
        keep_last(&mut self.lifted);
        if restriction.is_widened {
            keep_last(&mut self.widened_lifted);
        }
    }

    /// The standing that a key hands on to what it minted at a position: a lift frees the key, never the
    /// sessions that were asked for before it. What restricts them most counts.
    fn of_descendant(self, minted_at: Position) -> Standing {
        // Minted before the lift, or in another history, where the order is unknown.
        let is_earlier = |(lifted_at, _): &(Position, _)| !minted_at.covers(*lifted_at);
        let lifted = self.lifted.filter(is_earlier);
        // What was minted after the last lift was minted after all of them.
        let widened = lifted.and(self.widened_lifted).filter(is_earlier);
        let earlier = [widened, lifted].into_iter().flatten();
        let binding = earlier.map(|(_, mark)| mark).chain(self.in_force);
        let strictest = binding.max_by_key(|mark| mark.is_widened);
        strictest.map_or(Standing::Clear, ActiveRestriction::standing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use akgate_rules::{exception::ExceptionScope, operation::Catalogue};
    use time::{Duration, macros::datetime};

    fn id(text: &str) -> AccessKeyId {
        AccessKeyId::parse(text).unwrap()
    }

    fn live(restrictions: &[(&str, KeyRestrictions)]) -> LiveRegistry {
        let maps = RegistryMaps::default();
        for (key, one) in restrictions {
            maps.restrictions.pin().insert(id(key), *one);
        }
        let live = LiveRegistry::default();
        live.replace(Arc::new(maps));
        live
    }

    fn at(revision: i64) -> Position {
        Position {
            history: History(Uuid::from_u128(1)),
            revision,
        }
    }

    fn ancestor(key: &str, minted_at: i64) -> Ancestor {
        Ancestor {
            access_key_id: id(key),
            minted_at: at(minted_at),
        }
    }

    fn mark(is_widened: bool) -> ActiveRestriction {
        ActiveRestriction {
            restriction_id: Uuid::from_u128(7),
            is_widened,
        }
    }

    #[test]
    fn key_has_no_state_before_the_first_load() {
        let live = LiveRegistry::default();
        assert!(!live.is_loaded());
        assert_eq!(live.lineage(&id("a"), &[]), [Standing::Unknown]);
    }

    #[test]
    fn lift_frees_the_key_and_not_its_earlier_sessions() {
        let restriction = Uuid::from_u128(7);
        let lifted = KeyRestrictions {
            lifted: Some((at(10), mark(false))),
            ..KeyRestrictions::default()
        };
        let live = live(&[("key", lifted)]);
        assert_eq!(live.lineage(&id("key"), &[]), [Standing::Clear]);
        let session = |minted_at| live.lineage(&id("STS.1"), &[ancestor("key", minted_at)])[1];
        assert_eq!(session(9), Standing::Restricted(restriction));
        assert_eq!(session(10), Standing::Clear);
        // In another history, the order is unknown.
        let elsewhere = Ancestor {
            access_key_id: id("key"),
            minted_at: Position {
                history: History(Uuid::from_u128(2)),
                revision: 11,
            },
        };
        let standings = live.lineage(&id("STS.1"), &[elsewhere]);
        assert_eq!(standings[1], Standing::Restricted(restriction));
        // A session of a session that was asked for before the lift.
        let chain = [ancestor("key", 9), ancestor("STS.1", 12)];
        let standings = live.lineage(&id("STS.2"), &chain);
        assert_eq!(standings[1], Standing::Restricted(restriction));
    }

    #[test]
    fn later_restriction_relaxes_nothing_for_the_sessions_of_before() {
        let (widened, plain) = (
            ActiveRestriction {
                restriction_id: Uuid::from_u128(1),
                is_widened: true,
            },
            mark(false),
        );
        let mut restrictions = KeyRestrictions::default();
        restrictions.add_lifted(at(10), widened);
        let once_lifted = restrictions;
        restrictions.add_lifted(at(20), plain);
        let twice_lifted = restrictions;
        let elsewhere = Position {
            history: History(Uuid::from_u128(2)),
            revision: 30,
        };
        restrictions.add_lifted(elsewhere, plain);
        let minted = restrictions.of_descendant(elsewhere);
        assert_eq!(minted, Standing::Clear, "after a lift of the same history");
        let mut restrictions = once_lifted;
        restrictions.in_force = Some(plain);
        let restricted_again = restrictions;
        for (restrictions, minted_at, standing) in [
            (once_lifted, 9, widened.standing()),
            (once_lifted, 10, Standing::Clear),
            (twice_lifted, 9, widened.standing()),
            (twice_lifted, 10, plain.standing()),
            (twice_lifted, 20, Standing::Clear),
            (restricted_again, 9, widened.standing()),
            (restricted_again, 10, plain.standing()),
        ] {
            let found = restrictions.of_descendant(at(minted_at));
            assert_eq!(found, standing, "{minted_at}");
        }
    }

    #[test]
    fn restriction_reaches_every_descendant() {
        let chain = [
            ancestor("key", 1),
            ancestor("STS.1", 2),
            ancestor("STS.2", 3),
        ];
        let restriction = Uuid::from_u128(7);
        for (is_widened, standing) in [
            (false, Standing::Restricted(restriction)),
            (true, Standing::Widened(restriction)),
        ] {
            let imposed = KeyRestrictions {
                in_force: Some(mark(is_widened)),
                ..KeyRestrictions::default()
            };
            let live = live(&[("key", imposed)]);
            let standings = live.lineage(&id("STS.3"), &chain);
            assert_eq!(standings[1], standing);
            assert_eq!(live.lineage(&id("key"), &[]), [standing]);
            assert_eq!(live.lineage(&id("other"), &[]), [Standing::Clear]);
        }
    }

    #[test]
    fn exception_applies_to_an_access_key_and_never_to_a_session() {
        let catalogue = Catalogue::built_in().unwrap();
        let create = catalogue.operation("2015-05-01", "CreateUser").unwrap();
        let expires_at = datetime!(2026-11-26 20:00 UTC);
        let made = ExceptionEntry {
            exception_id: Uuid::from_u128(1),
            restriction_id: mark(false).restriction_id,
            exception: Exception {
                scope: ExceptionScope {
                    operations: vec!["RAM:CreateUser".parse().unwrap()],
                    networks: vec!["192.0.2.0/24".parse().unwrap()],
                },
                expires_at,
            },
        };
        let imposed = KeyRestrictions {
            in_force: Some(mark(false)),
            ..KeyRestrictions::default()
        };
        let live = live(&[("key", imposed), ("STS.1", imposed)]);
        for (name, is_excepted) in [("key", true), ("STS.1", false)] {
            let maps = live.maps();
            let maps = maps.as_ref().unwrap();
            maps.put_exception(id(name), made.exception_id, Some(&made));
            let now = expires_at - Duration::SECOND;
            let source = "192.0.2.1".parse().unwrap();
            let found = live.is_excepted(&id(name), &create, source, now);
            assert_eq!(found, is_excepted, "{name}");
        }
    }

    #[test]
    fn older_change_does_not_undo_a_newer_one() {
        let live = live(&[]);
        live.publish(at(4));
        let inactive = CredentialState::AccessKey(KeyStatus::Inactive);
        assert!(live.add_looked_up(&id("key"), at(5), inactive));
        assert!(!live.add_looked_up(
            &id("key"),
            at(4),
            CredentialState::AccessKey(KeyStatus::Active)
        ));
        assert_eq!(
            live.credential(&id("key")),
            Some(CredentialEntry::new(5, inactive))
        );
    }

    #[test]
    fn lookup_from_another_history_adds_nothing() {
        let live = live(&[]);
        live.publish(at(4));
        let elsewhere = Position {
            history: History(Uuid::from_u128(2)),
            revision: 9,
        };
        live.switch_history(elsewhere);
        assert!(!live.add_looked_up(
            &id("key"),
            at(5),
            CredentialState::AccessKey(KeyStatus::Active)
        ));
        assert_eq!(live.credential(&id("key")), None);
    }
}
