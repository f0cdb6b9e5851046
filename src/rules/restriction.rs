//! A restriction and its life: `Imposed → Remediated → Lifted`.
//!
//! `Remediated` is a statement of the owner, not a proof, and can be withdrawn: back to `Imposed`. An operator lifts
//! after it; where [`LiftRule::AutoLift`] says so, facts alone do. A new report after `Lifted` opens a new
//! restriction. Delivery of letters is no state of it.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

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

/// Who lifts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LiftRule {
    /// Operators alone.
    #[default]
    Operator,
    /// Operators, and the policy where facts allow it: [`may_lift_by_policy`].
    AutoLift,
}

impl LiftRule {
    /// The name in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::AutoLift => "auto_lift",
        }
    }
}

/// A text that names no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is none of operator, auto_lift")]
pub struct UnknownLiftRule(String);

impl FromStr for LiftRule {
    type Err = UnknownLiftRule;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Operator, Self::AutoLift]
            .into_iter()
            .find(|rule| rule.as_str() == text)
            .ok_or_else(|| UnknownLiftRule(text.to_owned()))
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

/// What facts alone lift, confirmed or not: the pair is disabled or deleted, and the owner has looked at everything
/// that it made and changed. `None` where they do not.
#[must_use]
pub fn may_lift_by_policy(
    state: State,
    pair_is_gone: bool,
    all_acknowledged: bool,
) -> Option<Lift> {
    (state.is_in_force() && pair_is_gone && all_acknowledged).then_some(Lift { tombstone: true })
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
    fn policy_lifts_on_facts_alone() {
        for state in [State::Imposed, State::Remediated] {
            let lift = |gone, acknowledged| may_lift_by_policy(state, gone, acknowledged);
            assert_eq!(lift(true, true), Some(Lift { tombstone: true }));
            assert_eq!(lift(false, true), None);
            assert_eq!(lift(true, false), None);
        }
        assert_eq!(may_lift_by_policy(State::Lifted, true, true), None);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Some(state));
        }
        assert_eq!(State::parse("lifted"), None);
        for rule in [LiftRule::Operator, LiftRule::AutoLift] {
            assert_eq!(rule.as_str().parse(), Ok(rule));
            assert_eq!(serde_json::to_value(rule).unwrap(), rule.as_str());
        }
    }
}
