//! Decides which candidates of a file are credentials: an id always; a secret if a name vouches for it, or an id of the
//! same file.

use std::collections::VecDeque;

use akgate_rules::access_key::{AccessKeyId, AccessKeySecret};

use crate::{
    search::{Candidate, Kind, Looks},
    shape::Credential,
};

/// How many lines may lie between an id and a secret that nothing else vouches for.
const NEAR_LINES: u64 = 20;

/// How many secrets may wait for an id in one file; of more, the first are given up.
const MAX_WAITING: usize = 1 << 16;

/// A candidate and its place.
pub(crate) struct Judged {
    pub line: u64,
    pub credential: Credential,
}

struct Waiting {
    judged: Judged,
    looks: Looks,
    is_sure: bool,
}

/// The candidates of one file, in their order.
#[derive(Default)]
pub(crate) struct Judge {
    last_id: Option<u64>,
    has_id: bool,
    last_session: Option<u64>,
    waiting: VecDeque<Waiting>,
}

impl Judge {
    /// Takes the next candidate.
    pub fn add(&mut self, candidate: &Candidate, line: u64) {
        let (credential, looks, is_sure) = match candidate.kind {
            Kind::Id => {
                let Ok(id) = AccessKeyId::parse(&candidate.word) else {
                    return;
                };
                self.note_id(line, id.is_session());
                (Credential::Id(id), Looks::default(), true)
            }
            Kind::Secret(looks) => {
                let is_sure = self.is_sure(looks, line);
                let secret = AccessKeySecret::new(candidate.word.as_str().to_owned());
                (Credential::Secret(secret), looks, is_sure)
            }
        };
        let judged = Judged { line, credential };
        self.waiting.push_back(Waiting {
            judged,
            looks,
            is_sure,
        });
        if self.waiting.len() > MAX_WAITING
            && let Some(unsure) = self.waiting.iter().position(|one| !one.is_sure)
        {
            self.waiting.remove(unsure);
        }
    }

    fn note_id(&mut self, line: u64, is_session: bool) {
        self.last_id = Some(line);
        self.has_id = true;
        if is_session {
            self.last_session = Some(line);
        }
        for waiting in self.waiting.iter_mut().rev().filter(|one| !one.is_sure) {
            let is_near = waiting.judged.line + NEAR_LINES >= line;
            waiting.is_sure = matches_id(waiting.looks, is_near)
                || (is_session && is_near && matches_session(waiting.looks));
        }
    }

    fn is_sure(&self, looks: Looks, line: u64) -> bool {
        let near = |last: Option<u64>| last.is_some_and(|last| last + NEAR_LINES >= line);
        stands_alone(looks)
            || (self.has_id && matches_id(looks, near(self.last_id)))
            || (near(self.last_session) && matches_session(looks))
    }

    /// What is sure and in front of everything that is not.
    pub fn settled(&mut self) -> impl Iterator<Item = Judged> {
        std::iter::from_fn(|| {
            let first = self.waiting.front()?;
            first.is_sure.then(|| self.waiting.pop_front())?
        })
        .map(|waiting| waiting.judged)
    }

    /// The file ends: what is sure, whatever stands in front of it.
    pub fn finish(&mut self) -> Vec<Judged> {
        let waiting = std::mem::take(self).waiting;
        let sure = waiting.into_iter().filter(|one| one.is_sure);
        sure.map(|one| one.judged).collect()
    }
}

/// Without any id.
fn stands_alone(looks: Looks) -> bool {
    let is_random = looks.has_digit || looks.is_random;
    let is_vouched =
        (looks.vouching.is_hinted && is_random) || (looks.vouching.is_named && looks.is_quoted);
    is_vouched && !looks.is_sessions
}

/// With an id in the same file.
fn matches_id(looks: Looks, is_near: bool) -> bool {
    !looks.is_sessions && looks.is_apart && (looks.has_digit || (is_near && looks.is_random))
}

/// With the id of a session near.
fn matches_session(looks: Looks) -> bool {
    looks.is_sessions
        && looks.has_digit
        && (looks.vouching.is_named || looks.is_apart && looks.vouching.is_hinted)
}
