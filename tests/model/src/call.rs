//! The call whose fate is asked for.

use crate::{
    config::{Calls, Comparison},
    log::{Key, Position},
    model::{Action, Akgate},
    state::State,
};

/// The call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// It has not begun.
    Ahead,
    /// It goes on.
    Running {
        /// The key that it uses.
        key: Key,
        /// The writers whose receipts for this key were given before it began: one bit each.
        receipts: u8,
        /// How far it is.
        stage: Stage,
    },
    /// It came to its end.
    Ended(Outcome),
}

/// The stages of a call. A permit is the position that was read before the look-up, an intent the position that its
/// statement returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// A strict read: the lease was found valid; the key is looked up next.
    Leased,
    /// A mutation: the position was read; the key is looked up next.
    Positioned {
        /// See [`Stage`].
        permit: Position,
        /// See [`Stage`]. There is one if the decision is being repeated.
        intent: Option<Position>,
    },
    /// A mutation: the decision was "pass"; the intent is written next.
    Permitted {
        /// See [`Stage`].
        permit: Position,
    },
    /// A mutation: permit and intent are compared next.
    Recorded {
        /// See [`Stage`].
        permit: Position,
        /// See [`Stage`].
        intent: Position,
    },
    /// A mutation: the intent was newer; the decision is repeated when the node has caught up.
    CatchingUp {
        /// See [`Stage`].
        intent: Position,
    },
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It passed.
    Passed {
        /// The writers whose receipts came before it and whose commits are not lost: the promise says none.
        receipts: u8,
    },
    /// It was refused.
    Refused {
        /// Whether the decision had been repeated for it.
        caught_up: bool,
    },
}

impl Call {
    /// The stage of a call that goes on.
    pub fn stage(&self) -> Option<Stage> {
        match self {
            Self::Running { stage, .. } => Some(*stage),
            Self::Ahead | Self::Ended(_) => None,
        }
    }

    /// The call's own next step.
    pub fn next_step(&self) -> Option<Action> {
        self.stage().map(|stage| match stage {
            Stage::Leased | Stage::Positioned { .. } => Action::LookUp,
            Stage::Permitted { .. } => Action::WriteIntent,
            Stage::Recorded { .. } => Action::Compare,
            Stage::CatchingUp { .. } => Action::Repeat,
        })
    }

    fn proceed(&mut self, to: Stage) {
        if let Self::Running { stage, .. } = self {
            *stage = to;
        }
    }

    fn pass(&mut self) {
        if let Self::Running { receipts, .. } = *self {
            *self = Self::Ended(Outcome::Passed { receipts });
        }
    }
}

/// The steps. Each is `None` if it cannot be taken.
impl Akgate {
    /// A call arrives. A strict read without a lease is refused at once, which is not explored.
    pub fn begin_call(&self, state: &mut State, key: Key) -> Option<()> {
        if state.call != Call::Ahead {
            return None;
        }
        let stage = match self.bounds.calls {
            Calls::Mutations => Stage::Positioned {
                permit: state.called.position(),
                intent: None,
            },
            Calls::StrictReads => {
                state.called.lease?;
                state.forget_leases();
                Stage::Leased
            }
        };
        state.call = Call::Running {
            key,
            receipts: state.receipts(key),
            stage,
        };
        Some(())
    }

    /// Compares permit and intent: the call passes if the permit covers the intent.
    pub fn compare(&self, state: &mut State) -> Option<()> {
        let Some(Stage::Recorded { permit, intent }) = state.call.stage() else {
            return None;
        };
        let decided = match self.protocol.comparison {
            Comparison::Permit => permit,
            Comparison::NodeAfterwards => state.called.position(),
        };
        if decided.covers(intent, self.protocol.compare) {
            state.call.pass();
        } else {
            state.call.proceed(Stage::CatchingUp { intent });
        }
        Some(())
    }

    /// Repeats the decision, with the intent of before. An intent of a lost history is never caught up with.
    pub fn repeat(&self, state: &mut State) -> Option<()> {
        let Some(Stage::CatchingUp { intent }) = state.call.stage() else {
            return None;
        };
        let permit = state.called.position();
        if !permit.covers(intent, self.protocol.compare) {
            return None;
        }
        state.call.proceed(Stage::Positioned {
            permit,
            intent: Some(intent),
        });
        Some(())
    }
}

/// The steps that no rule changes.
impl State {
    /// Looks the key up in the node's memory.
    pub fn look_up(&mut self) -> Option<()> {
        let Call::Running { key, stage, .. } = self.call else {
            return None;
        };
        if self.called.memory.restricts(key) {
            let caught_up = matches!(stage, Stage::Positioned { intent, .. } if intent.is_some());
            self.call = Call::Ended(Outcome::Refused { caught_up });
            return Some(());
        }
        match stage {
            Stage::Leased => self.call.pass(),
            Stage::Positioned { permit, intent } => self.call.proceed(match intent {
                Some(intent) => Stage::Recorded { permit, intent },
                None => Stage::Permitted { permit },
            }),
            Stage::Permitted { .. } | Stage::Recorded { .. } | Stage::CatchingUp { .. } => {
                return None;
            }
        }
        Some(())
    }

    /// Writes the intent; it returns the position of the snapshot that its statement started with.
    pub fn write_intent(&mut self) -> Option<()> {
        let Some(Stage::Permitted { permit }) = self.call.stage() else {
            return None;
        };
        let intent = self.primary.position();
        self.call.proceed(Stage::Recorded { permit, intent });
        Some(())
    }
}
