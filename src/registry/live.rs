//! What a node knows in memory: every AccessKeyId, every restriction, every profile of an account.
//!
//! Only [`super::feed`] writes here, in the order of revisions; the request road reads without waiting for
//! anybody. Before the first load nothing has a standing.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use arc_swap::ArcSwapOption;
use papaya::HashMap;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    access_key::AccessKeyId,
    directory::{KeyStatus, sessions::Ancestor},
    exception::Exception,
    operation::Operation,
    verdict::{Mode, Profile, Standing},
};

/// What is known of an AccessKeyId.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The revision of its last change.
    pub revision: i64,
    /// What it is.
    pub what: What,
}

/// What an AccessKeyId is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// An AccessKey pair.
    Pair(KeyStatus),
    /// A session, until then.
    Session(OffsetDateTime),
}

/// The restrictions of one key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// The one in force.
    pub in_force: Option<Mark>,
    /// The last one that was lifted, and at which revision.
    pub lifted: Option<(i64, Mark)>,
}

/// A restriction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub restriction_id: Uuid,
    /// Sensitive reads are refused as well.
    pub is_widened: bool,
}

/// What an account has of its own, in place of the configured default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OfAccount {
    /// What its restricted keys are refused.
    pub profile: Option<Profile>,
    /// Whether its restricted keys may disable or delete themselves.
    pub self_remedy: Option<bool>,
}

/// An exception that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Made {
    pub exception_id: Uuid,
    /// The restriction that it is an exception from.
    pub restriction_id: Uuid,
    pub exception: Exception,
}

/// The maps of one history. A new history gets new ones.
#[derive(Debug, Default)]
pub(super) struct Maps {
    pub known: HashMap<AccessKeyId, Known>,
    pub marks: HashMap<AccessKeyId, Marks>,
    pub exceptions: HashMap<AccessKeyId, Arc<[Made]>>,
    pub accounts: HashMap<Box<str>, OfAccount>,
    pub mode: SwitchedMode,
}

/// The mode that operators have switched to, if any.
#[derive(Debug, Default)]
pub(super) struct SwitchedMode(AtomicU8);

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
pub struct Live {
    /// `None` before the first load.
    maps: ArcSwapOption<Maps>,
}

impl Live {
    /// What is known of an AccessKeyId; `None` where nothing is.
    #[must_use]
    pub fn known(&self, id: &AccessKeyId) -> Option<Known> {
        let maps = self.maps.load();
        maps.as_ref()?.known.pin().get(id).copied()
    }

    /// What a node would know of which these restrictions are in force and nothing else: for measurements.
    #[must_use]
    pub fn of_restrictions(
        count: usize,
        restrictions: impl Iterator<Item = (AccessKeyId, Uuid)>,
    ) -> Self {
        let maps = Maps::with_room(0, count);
        for (access_key_id, restriction_id) in restrictions {
            let mark = Mark {
                restriction_id,
                is_widened: false,
            };
            let marks = Marks {
                in_force: Some(mark),
                lifted: None,
            };
            maps.marks.pin().insert(access_key_id, marks);
        }
        let live = Self::default();
        live.replace(Arc::new(maps));
        live
    }

    /// Whether the registry has been loaded.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.maps.load().is_some()
    }

    /// Adds what a look-up in the database has found before the feed told of it.
    pub fn learn(&self, id: &AccessKeyId, found: Known) {
        if let Some(maps) = self.maps.load().as_ref() {
            maps.know(id.clone(), found);
        }
    }

    /// The standing of a key or session and of everything that it descends from.
    #[must_use]
    pub fn lineage(&self, id: &AccessKeyId, ancestors: &[Ancestor]) -> Vec<Standing> {
        let maps = self.maps.load();
        let Some(maps) = maps.as_ref() else {
            return vec![Standing::Unknown];
        };
        let marks = maps.marks.pin();
        let own = marks.get(id).and_then(|marks| marks.in_force);
        let own = own.map_or(Standing::Clear, Mark::standing);
        std::iter::once(own)
            .chain(ancestors.iter().map(|ancestor| {
                marks
                    .get(&ancestor.access_key_id)
                    .map_or(Standing::Clear, |marks| {
                        marks.of_descendant(ancestor.minted_at)
                    })
            }))
            .collect()
    }

    /// Whether an exception from the restriction in force on this key covers a call from there. A session has none:
    /// it may be another's who found the key.
    #[must_use]
    pub fn is_excepted(
        &self,
        id: &AccessKeyId,
        operation: &Operation,
        source: IpAddr,
        now: OffsetDateTime,
    ) -> bool {
        let maps = self.maps.load();
        let Some(maps) = maps.as_ref() else {
            return false;
        };
        let marks = maps.marks.pin();
        let Some(mark) = marks.get(id).and_then(|marks| marks.in_force) else {
            return false;
        };
        let covers = |made: &Made| {
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
    pub fn account(&self, account_id: &str) -> OfAccount {
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
            Some(maps) => (maps.known.len(), maps.marks.len()),
            None => (0, 0),
        }
    }

    /// Forgets the sessions and the exceptions that have ended.
    pub fn sweep(&self, now: OffsetDateTime) {
        if let Some(maps) = self.maps.load().as_ref() {
            let known = maps.known.pin();
            known.retain(|_, known| match known.what {
                What::Pair(_) => true,
                What::Session(expires_at) => now < expires_at,
            });
            let exceptions = maps.exceptions.pin();
            exceptions.retain(|_, made| made.iter().any(|one| now < one.exception.expires_at));
        }
    }

    pub(super) fn maps(&self) -> arc_swap::Guard<Option<Arc<Maps>>> {
        self.maps.load()
    }

    pub(super) fn replace(&self, maps: Arc<Maps>) {
        self.maps.store(Some(maps));
    }
}

impl Maps {
    /// Empty maps with room for so many keys and restrictions: growing them costs more than filling them.
    pub fn with_room(keys: usize, restrictions: usize) -> Self {
        Self {
            known: HashMap::with_capacity(keys),
            marks: HashMap::with_capacity(restrictions),
            ..Self::default()
        }
    }

    /// Puts an exception in the place of what was known of it, or takes it out.
    pub fn except(&self, id: AccessKeyId, exception_id: Uuid, made: Option<&Made>) {
        let others = |earlier: &Arc<[Made]>| {
            let others = earlier
                .iter()
                .filter(|one| one.exception_id != exception_id);
            others.chain(made).cloned().collect::<Arc<[Made]>>()
        };
        let none = Arc::from([]);
        let exceptions = self.exceptions.pin();
        exceptions.update_or_insert_with(id, others, || others(&none));
    }

    /// The later of two revisions counts: a look-up may be overtaken by the feed.
    pub fn know(&self, id: AccessKeyId, found: Known) {
        self.known.pin().update_or_insert_with(
            id,
            |earlier| {
                if earlier.revision > found.revision {
                    *earlier
                } else {
                    found
                }
            },
            || found,
        );
    }
}

impl Mark {
    fn standing(self) -> Standing {
        if self.is_widened {
            Standing::Widened(self.restriction_id)
        } else {
            Standing::Restricted(self.restriction_id)
        }
    }
}

impl Marks {
    /// The standing that a key hands on to what it minted at a revision: a lift frees the key, never the
    /// sessions that were asked for before it.
    fn of_descendant(self, minted_at: i64) -> Standing {
        match (self.in_force, self.lifted) {
            (Some(mark), _) => mark.standing(),
            (None, Some((lifted_at, mark))) if minted_at < lifted_at => mark.standing(),
            (None, Some(_) | None) => Standing::Clear,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> AccessKeyId {
        AccessKeyId::parse(text).unwrap()
    }

    fn live(marks: &[(&str, Marks)]) -> Live {
        let maps = Maps::default();
        for (key, one) in marks {
            maps.marks.pin().insert(id(key), *one);
        }
        let live = Live::default();
        live.replace(Arc::new(maps));
        live
    }

    fn ancestor(key: &str, minted_at: i64) -> Ancestor {
        Ancestor {
            access_key_id: id(key),
            minted_at,
        }
    }

    fn mark(is_widened: bool) -> Mark {
        Mark {
            restriction_id: Uuid::from_u128(7),
            is_widened,
        }
    }

    #[test]
    fn nothing_has_a_standing_before_the_first_load() {
        let live = Live::default();
        assert!(!live.is_loaded());
        assert_eq!(live.lineage(&id("a"), &[]), [Standing::Unknown]);
    }

    #[test]
    fn lift_frees_the_key_and_not_what_it_minted_before() {
        let restriction = Uuid::from_u128(7);
        let lifted = Marks {
            in_force: None,
            lifted: Some((10, mark(false))),
        };
        let live = live(&[("key", lifted)]);
        assert_eq!(live.lineage(&id("key"), &[]), [Standing::Clear]);
        let session = |minted_at| live.lineage(&id("STS.1"), &[ancestor("key", minted_at)])[1];
        assert_eq!(session(9), Standing::Restricted(restriction));
        assert_eq!(session(10), Standing::Clear);
        // A session of a session that was asked for before the lift.
        let chain = [ancestor("key", 9), ancestor("STS.1", 12)];
        let standings = live.lineage(&id("STS.2"), &chain);
        assert_eq!(standings[1], Standing::Restricted(restriction));
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
            let imposed = Marks {
                in_force: Some(mark(is_widened)),
                lifted: None,
            };
            let live = live(&[("key", imposed)]);
            let standings = live.lineage(&id("STS.3"), &chain);
            assert_eq!(standings[1], standing);
            assert_eq!(live.lineage(&id("key"), &[]), [standing]);
            assert_eq!(live.lineage(&id("other"), &[]), [Standing::Clear]);
        }
    }

    #[test]
    fn older_news_does_not_undo_newer() {
        let live = live(&[]);
        let known = |revision, status| Known {
            revision,
            what: What::Pair(status),
        };
        live.learn(&id("key"), known(5, KeyStatus::Inactive));
        live.learn(&id("key"), known(4, KeyStatus::Active));
        assert_eq!(live.known(&id("key")), Some(known(5, KeyStatus::Inactive)));
    }
}
