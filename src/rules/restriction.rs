//! A restriction and its life: `Imposed → Remediated → Lifted`.
//!
//! `Remediated` is a statement of the owner, not a proof; only an operator lifts. A new report after
//! `Lifted` opens a new restriction. Delivery of letters is no state of it.

use serde::Serialize;

/// Where a restriction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum State {
    /// In force.
    Imposed,
    /// In force; the owner says that the leak is cleaned up.
    Remediated,
    /// Over.
    Lifted,
}

impl State {
    /// Every state, in the order of life.
    pub const ALL: [Self; 3] = [Self::Imposed, Self::Remediated, Self::Lifted];

    /// The name in the database and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Imposed => "Imposed",
            Self::Remediated => "Remediated",
            Self::Lifted => "Lifted",
        }
    }

    /// Reads a name as [`State::as_str`] writes it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether it restricts the key.
    #[must_use]
    pub fn is_in_force(self) -> bool {
        match self {
            Self::Imposed | Self::Remediated => true,
            Self::Lifted => false,
        }
    }
}

/// Why a restriction was imposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Cause {
    /// A leak was reported.
    Reported,
    /// A pair came back that was lifted while it was not active.
    Reactivated,
}

impl Cause {
    /// The name in the database and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "Reported",
            Self::Reactivated => "Reactivated",
        }
    }
}

/// Why a restriction is not lifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LiftRefused {
    /// Nobody has confirmed the clean-up.
    #[error("the clean-up has not been confirmed")]
    NotRemediated,
    /// It is over already.
    #[error("the restriction is lifted already")]
    AlreadyLifted,
    /// The leaked pair still works.
    #[error("the leaked pair is still active")]
    PairActive,
}

/// What a lift leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lift {
    /// Should the pair come back, it is restricted again.
    pub tombstone: bool,
}

/// Whether a restriction may be lifted: after the confirmation, and of a pair that still works only where
/// the operator accepts that.
///
/// # Errors
/// [`LiftRefused`].
pub fn may_lift(
    state: State,
    pair_is_active: bool,
    accept_active_key: bool,
) -> Result<Lift, LiftRefused> {
    match state {
        State::Imposed => Err(LiftRefused::NotRemediated),
        State::Lifted => Err(LiftRefused::AlreadyLifted),
        State::Remediated if pair_is_active && !accept_active_key => Err(LiftRefused::PairActive),
        State::Remediated => Ok(Lift {
            tombstone: !pair_is_active,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lift_needs_a_confirmation_and_a_pair_that_is_gone_or_accepted() {
        for active in [false, true] {
            for accept in [false, true] {
                let refused = |state| may_lift(state, active, accept).unwrap_err();
                assert_eq!(refused(State::Imposed), LiftRefused::NotRemediated);
                assert_eq!(refused(State::Lifted), LiftRefused::AlreadyLifted);
            }
        }
        let lift = |active, accept| may_lift(State::Remediated, active, accept);
        assert_eq!(lift(true, false), Err(LiftRefused::PairActive));
        assert_eq!(lift(true, true), Ok(Lift { tombstone: false }));
        assert_eq!(lift(false, false), Ok(Lift { tombstone: true }));
        assert_eq!(lift(false, true), Ok(Lift { tombstone: true }));
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Some(state));
        }
        assert_eq!(State::parse("lifted"), None);
    }
}
