//! A second, smaller model: what is new. Two nodes add a key each, the first key's secret is reported meanwhile, and a third
//! node follows the additions.
//!
//! - An **adder** shares the writers' turn, takes the next number (the counter's row stays locked until it ends), looks
//!   whether the secret of its key was reported, and commits. If it was reported, the key is added and restricted in a
//!   turn alone.
//! - The **reporter** takes the turn alone, looks whether the key is known, and commits: a restriction if it is, else a
//!   suspicion.
//! - The **follower** reads the counter and every row with a later number in one snapshot. In a new history it forgets and
//!   reads again what it had after the fork.
//! - A **call** with a key that was answered arrives at the follower, which reads again if it does not know the key.
//! - An asynchronous **failover** loses commits and ends what is under way. The first adder on the promoted server, or the
//!   follower, stamps a new history.

use stateright::{Model, Property};

/// How many keys are added, each by an adder of its own. The first one is reported.
pub const KEYS: usize = 2;

/// No call after the answer is refused because the node does not know the key.
pub const KNOWN: &str = "a key that was answered is known to every node that is asked";

/// No key whose secret was reported works.
pub const RESTRICTED: &str = "a key is restricted once it is known and its secret is reported";

/// The rules that a variant can break.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The counter's row stays locked until the commit. A planted bug without that: a sequence.
    pub number_is_locked: bool,
    /// Adders share the turn that a reporter has alone. A planted bug without that: nobody waits.
    pub turn_is_shared: bool,
    /// Whoever adds on a promoted server stamps a new history first. A planted bug without that: only the follower does.
    pub adder_stamps: bool,
    /// A node that does not know a key reads again before it refuses. A planted bug without that: it refuses at once.
    pub reads_again: bool,
}

impl Rules {
    /// The rules that hold.
    pub const SOUND: Self = Self {
        number_is_locked: true,
        turn_is_shared: true,
        adder_stamps: true,
        reads_again: true,
    };
}

/// The protocol within its bounds.
#[derive(Clone, Copy, Debug)]
pub struct Additions {
    /// Which rules hold.
    pub rules: Rules,
    /// How many failovers happen at most.
    pub failovers: u8,
}

/// One server's content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Server {
    history: u8,
    /// The last number that the history shares with the one before.
    fork: u8,
    /// Promoted, and no history stamped yet.
    is_promoted: bool,
    counter: u8,
    /// The number of each key; `None` where it is not known.
    keys: [Option<u8>; KEYS],
    is_suspected: bool,
    is_restricted: bool,
}

/// How far an adder is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Adder {
    #[default]
    Ahead,
    /// It has its share of the turn, and a number.
    Numbered(u8),
    /// It saw whether its key's secret was reported.
    Looked(u8, bool),
    Answered,
}

/// How far the reporter is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Reporter {
    #[default]
    Ahead,
    Begun,
    /// It saw whether the key is known.
    Looked(bool),
    Done,
}

/// What the following node knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Follower {
    history: u8,
    applied: u8,
    /// Each key that it knows, by its number.
    keys: [Option<u8>; KEYS],
}

/// Everything that a step can change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    primary: Server,
    standby: Option<Server>,
    histories: u8,
    failovers: u8,
    adders: [Adder; KEYS],
    /// The numbers that a sequence has given.
    sequence: u8,
    reporter: Reporter,
    follower: Follower,
    /// A key was refused although the database has it.
    was_refused: bool,
}

/// One step of one party; an adder is named by its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// An adder shares the turn and takes a number.
    TakeNumber(usize),
    /// It looks whether the secret was reported.
    LookForReport(usize),
    /// It commits, and the call that made the key is answered.
    Add(usize),
    /// The reporter begins.
    BeginReport,
    /// It looks whether the key is known.
    LookForKey,
    /// It commits.
    Report,
    /// The node reads what is new.
    Follow,
    /// A call with a key that was answered arrives.
    Call(usize),
    /// A standby receives nothing from here on.
    StandbyStalls,
    /// It is promoted.
    FailOver,
}

impl Model for Additions {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::default()]
    }

    fn actions(&self, _: &State, actions: &mut Vec<Action>) {
        for key in 0..KEYS {
            actions.extend([
                Action::TakeNumber(key),
                Action::LookForReport(key),
                Action::Add(key),
                Action::Call(key),
            ]);
        }
        actions.extend([
            Action::BeginReport,
            Action::LookForKey,
            Action::Report,
            Action::Follow,
            Action::StandbyStalls,
            Action::FailOver,
        ]);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = *state;
        match action {
            Action::TakeNumber(key) => self.take_number(&mut next, key),
            Action::LookForReport(key) => next.look_for_report(key),
            Action::Add(key) => self.add(&mut next, key),
            Action::BeginReport => self.begin_report(&mut next),
            Action::LookForKey => next.look_for_key(),
            Action::Report => next.report(),
            Action::Follow => {
                next.follow();
                Some(())
            }
            Action::Call(key) => self.call(&mut next, key),
            Action::StandbyStalls => self.stall_standby(&mut next),
            Action::FailOver => next.fail_over(),
        }?;
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always(KNOWN, |_, state: &State| !state.was_refused),
            Property::always(RESTRICTED, |_, state: &State| {
                let server = state.primary;
                server.keys[0].is_none() || !server.is_suspected || server.is_restricted
            }),
            Property::sometimes(
                "a reported key is restricted as it becomes known",
                |_, state: &State| state.primary.is_suspected && state.primary.is_restricted,
            ),
            Property::sometimes(
                "a known key is restricted by a report",
                |_, state: &State| !state.primary.is_suspected && state.primary.is_restricted,
            ),
        ];
        if self.failovers > 0 {
            properties.push(Property::sometimes(
                "the follower forgets a key that was lost",
                |_, state: &State| {
                    state.follower.history > 0
                        && state.adders[1] == Adder::Answered
                        && state.follower.keys[1].is_none()
                },
            ));
        }
        properties
    }
}

impl Additions {
    fn take_number(&self, state: &mut State, key: usize) -> Option<()> {
        if state.adders[key] != Adder::Ahead {
            return None;
        }
        if self.rules.turn_is_shared && state.reports() {
            return None;
        }
        if self.rules.number_is_locked && state.adds() {
            return None;
        }
        if self.rules.adder_stamps {
            state.stamp();
        }
        let number = match self.rules.number_is_locked {
            true => state.primary.counter + 1,
            false => {
                state.sequence = state.sequence.max(state.primary.counter) + 1;
                state.sequence
            }
        };
        state.adders[key] = Adder::Numbered(number);
        Some(())
    }

    /// A key of which something is known is added and restricted in a turn alone.
    fn add(&self, state: &mut State, key: usize) -> Option<()> {
        let Adder::Looked(number, is_reported) = state.adders[key] else {
            return None;
        };
        if is_reported && self.rules.turn_is_shared && state.reports() {
            return None;
        }
        let server = &mut state.primary;
        server.keys[key] = Some(number);
        server.counter = server.counter.max(number);
        server.is_restricted |= is_reported;
        state.adders[key] = Adder::Answered;
        Some(())
    }

    fn begin_report(&self, state: &mut State) -> Option<()> {
        if state.reporter != Reporter::Ahead || self.rules.turn_is_shared && state.adds() {
            return None;
        }
        state.reporter = Reporter::Begun;
        Some(())
    }

    /// A key that was answered, and that no failover has lost since.
    fn call(&self, state: &mut State, key: usize) -> Option<()> {
        state.primary.keys[key].filter(|_| state.adders[key] == Adder::Answered)?;
        if state.follower.keys[key].is_none() && self.rules.reads_again {
            state.follow();
        }
        state.was_refused = state.follower.keys[key].is_none();
        Some(())
    }

    fn stall_standby(&self, state: &mut State) -> Option<()> {
        if state.standby.is_some() || state.failovers == self.failovers {
            return None;
        }
        state.standby = Some(state.primary);
        Some(())
    }
}

impl State {
    /// Whether an adder is under way.
    fn adds(&self) -> bool {
        let is_under_way = |adder: &Adder| !matches!(adder, Adder::Ahead | Adder::Answered);
        self.adders.iter().any(is_under_way)
    }

    /// Whether the reporter is under way.
    fn reports(&self) -> bool {
        !matches!(self.reporter, Reporter::Ahead | Reporter::Done)
    }

    fn look_for_report(&mut self, key: usize) -> Option<()> {
        let Adder::Numbered(number) = self.adders[key] else {
            return None;
        };
        self.adders[key] = Adder::Looked(number, key == 0 && self.primary.is_suspected);
        Some(())
    }

    fn look_for_key(&mut self) -> Option<()> {
        if self.reporter != Reporter::Begun {
            return None;
        }
        self.reporter = Reporter::Looked(self.primary.keys[0].is_some());
        Some(())
    }

    fn report(&mut self) -> Option<()> {
        let Reporter::Looked(is_known) = self.reporter else {
            return None;
        };
        self.stamp();
        self.primary.is_restricted |= is_known;
        self.primary.is_suspected |= !is_known;
        self.reporter = Reporter::Done;
        Some(())
    }

    fn stamp(&mut self) {
        let server = &mut self.primary;
        if std::mem::take(&mut server.is_promoted) {
            self.histories += 1;
            server.history = self.histories;
            server.fork = server.counter;
        }
    }

    /// Reads everything after what is known, in one snapshot; whoever follows stamps a promoted server too.
    fn follow(&mut self) {
        self.stamp();
        let (server, follower) = (&self.primary, &mut self.follower);
        if server.history != follower.history {
            // One failover at a time: its fork is the one with the history before.
            follower.applied = follower.applied.min(server.fork);
            for key in &mut follower.keys {
                *key = key.filter(|number| *number <= follower.applied);
            }
            follower.history = server.history;
        }
        for (known, key) in follower.keys.iter_mut().zip(server.keys) {
            if key.is_some_and(|number| number > follower.applied) {
                *known = key;
            }
        }
        follower.applied = server.counter;
    }

    /// What the standby did not receive is lost, and what was under way ends: an adder's call fails, or it is made anew.
    fn fail_over(&mut self) -> Option<()> {
        self.primary = self.standby.take()?;
        self.primary.is_promoted = true;
        self.failovers += 1;
        self.sequence = self.primary.counter;
        for adder in &mut self.adders {
            if *adder != Adder::Answered {
                *adder = Adder::Ahead;
            }
        }
        if self.reporter != Reporter::Done {
            self.reporter = Reporter::Ahead;
        }
        Some(())
    }
}
