//! A restriction and its life: `Imposed → Confirmed → Lifted`.
//!
//! `Confirmed` is a statement of the owner, not a proof, and can be withdrawn: back to `Imposed`. After a confirmation,
//! one operator can lift, but not the one who recorded it; otherwise a second must approve. With [`LiftRule::AutoLift`], akgate lifts on facts alone.
//! A new report after `Lifted` opens a new restriction. The delivery of letters is not part of the state.

use serde::{Deserialize, Serialize};

crate::text_enum! {
    /// The state of a restriction.
    pub enum RestrictionState {
        /// In force.
        Imposed = "Imposed",
        /// In force; the owner says that the leak is cleaned up.
        Confirmed = "Confirmed",
        /// Over.
        Lifted = "Lifted",
    }
}

impl RestrictionState {
    /// Whether it restricts the key.
    #[must_use]
    pub fn is_in_force(self) -> bool {
        match self {
            Self::Imposed | Self::Confirmed => true,
            Self::Lifted => false,
        }
    }
}

crate::text_enum! {
    /// Why a restriction was imposed.
    pub enum RestrictionCause {
        /// A leak was reported.
        Reported = "Reported",
        /// An access key that was inactive when its restriction was lifted is active again.
        Reactivated = "Reactivated",
        /// A restricted access key made it, or what it came through.
        Descendant = "Descendant",
    }
}

crate::text_enum! {
    /// Who may lift a restriction.
    #[derive(Default)]
    pub enum LiftRule {
        /// Operators alone.
        #[default]
        Operator = "operator",
        /// Operators, and the policy where facts allow it: [`policy_lift_terms`].
        AutoLift = "auto_lift",
    }
}

/// Why a restriction is not lifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LiftRefusal {
    /// Nobody has confirmed the clean-up.
    #[error("the clean-up has not been confirmed")]
    NotConfirmed,
    /// It is over already.
    #[error("the restriction is already lifted")]
    AlreadyLifted,
    /// The leaked key still works.
    #[error("the leaked access key is still active")]
    KeyActive,
}

crate::text_enum! {
    /// Why a restriction is closed, in the operator's judgement.
    pub enum Resolution {
        /// Another key has taken the leaked one's place.
        Rotated = "Rotated",
        /// The key is disabled.
        Disabled = "Disabled",
        /// The key is deleted.
        Deleted = "Deleted",
        /// It was no leak.
        FalsePositive = "FalsePositive",
        /// The key is used in tests only.
        UsedInTests = "UsedInTests",
        /// The owner accepts the risk.
        AcceptedRisk = "AcceptedRisk",
    }
}

/// What an operator accepts when lifting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedConditions {
    /// The leaked key may still work.
    pub active_key: bool,
    /// The owner may not have confirmed.
    pub no_confirmation: bool,
}

/// What a lift needs, and what it leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiftTerms {
    /// A tombstone: the key is restricted again if it becomes active.
    pub tombstone: bool,
    /// A second operator must approve.
    pub needs_approval: bool,
}

/// What a lift is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiftConditions {
    /// The state of the restriction.
    pub state: RestrictionState,
    /// Whether the leaked key still works.
    pub key_is_active: bool,
    /// Whether the operator who lifts has recorded the confirmation: then there is one person's word for both.
    pub confirmed_by_requester: bool,
}

/// Whether a restriction may be lifted: after the confirmation, if the access key is no longer active. If the operator
/// accepts that one of these is missing, or has recorded the confirmation, a second operator must approve.
///
/// # Errors
/// [`LiftRefusal`].
pub fn check_lift(
    conditions: LiftConditions,
    accepts: AcceptedConditions,
) -> Result<LiftTerms, LiftRefusal> {
    let LiftConditions {
        state,
        key_is_active,
        confirmed_by_requester,
    } = conditions;
    let is_confirmed = match state {
        RestrictionState::Imposed => false,
        RestrictionState::Confirmed => true,
        RestrictionState::Lifted => return Err(LiftRefusal::AlreadyLifted),
    };
    if !is_confirmed && !accepts.no_confirmation {
        return Err(LiftRefusal::NotConfirmed);
    }
    if key_is_active && !accepts.active_key {
        return Err(LiftRefusal::KeyActive);
    }
    Ok(LiftTerms {
        tombstone: !key_is_active,
        needs_approval: key_is_active || !is_confirmed || confirmed_by_requester,
    })
}

/// Whether one operator alone may undo what restricted a key, which lifts the restriction without a tombstone and frees
/// its sessions: only where a lift that accepts everything would not need a second operator either.
#[must_use]
pub fn may_undo_alone(conditions: LiftConditions) -> bool {
    let accepts = AcceptedConditions {
        active_key: true,
        no_confirmation: true,
    };
    check_lift(conditions, accepts).is_ok_and(|terms| !terms.needs_approval)
}

/// The terms on which facts alone lift a restriction, confirmed or not: the key is disabled or deleted, and the owner
/// has reviewed everything that it made and changed. `None` if they do not.
#[must_use]
pub fn policy_lift_terms(
    state: RestrictionState,
    key_is_gone: bool,
    all_acknowledged: bool,
) -> Option<LiftTerms> {
    (state.is_in_force() && key_is_gone && all_acknowledged).then_some(LiftTerms {
        tombstone: true,
        needs_approval: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lift_needs_a_confirmation_and_a_dead_key_or_approval() {
        let two = |tombstone| {
            Ok(LiftTerms {
                tombstone,
                needs_approval: true,
            })
        };
        let one = Ok(LiftTerms {
            tombstone: true,
            needs_approval: false,
        });
        for (state, active, unaccepted, accepted) in [
            (
                RestrictionState::Imposed,
                true,
                Err(LiftRefusal::NotConfirmed),
                two(false),
            ),
            (
                RestrictionState::Imposed,
                false,
                Err(LiftRefusal::NotConfirmed),
                two(true),
            ),
            (
                RestrictionState::Confirmed,
                true,
                Err(LiftRefusal::KeyActive),
                two(false),
            ),
            (RestrictionState::Confirmed, false, one, one),
            (
                RestrictionState::Lifted,
                true,
                Err(LiftRefusal::AlreadyLifted),
                Err(LiftRefusal::AlreadyLifted),
            ),
            (
                RestrictionState::Lifted,
                false,
                Err(LiftRefusal::AlreadyLifted),
                Err(LiftRefusal::AlreadyLifted),
            ),
        ] {
            let conditions = |confirmed_by_requester| LiftConditions {
                state,
                key_is_active: active,
                confirmed_by_requester,
            };
            let lift = |active_key, no_confirmation| {
                check_lift(
                    conditions(false),
                    AcceptedConditions {
                        active_key,
                        no_confirmation,
                    },
                )
            };
            assert_eq!(lift(false, false), unaccepted, "{state:?} {active}");
            assert_eq!(lift(true, true), accepted, "{state:?} {active}");
            assert_eq!(may_undo_alone(conditions(false)), accepted == one);
            assert!(!may_undo_alone(conditions(true)), "{state:?} {active}");
        }
        // One acceptance stands for no other.
        let lift = |active_key, no_confirmation| {
            check_lift(
                LiftConditions {
                    state: RestrictionState::Imposed,
                    key_is_active: true,
                    confirmed_by_requester: false,
                },
                AcceptedConditions {
                    active_key,
                    no_confirmation,
                },
            )
        };
        assert_eq!(lift(true, false), Err(LiftRefusal::NotConfirmed));
        assert_eq!(lift(false, true), Err(LiftRefusal::KeyActive));
    }

    #[test]
    fn one_operator_does_not_confirm_and_lift() {
        let own = LiftConditions {
            state: RestrictionState::Confirmed,
            key_is_active: false,
            confirmed_by_requester: true,
        };
        let terms = check_lift(own, AcceptedConditions::default());
        assert_eq!(terms.map(|terms| terms.needs_approval), Ok(true));
    }

    #[test]
    fn policy_lifts_on_facts_alone() {
        let alone = Some(LiftTerms {
            tombstone: true,
            needs_approval: false,
        });
        for state in [RestrictionState::Imposed, RestrictionState::Confirmed] {
            let lift = |gone, acknowledged| policy_lift_terms(state, gone, acknowledged);
            assert_eq!(lift(true, true), alone);
            assert_eq!(lift(false, true), None);
            assert_eq!(lift(true, false), None);
        }
        assert_eq!(
            policy_lift_terms(RestrictionState::Lifted, true, true),
            None
        );
    }

    #[test]
    fn names_survive_writing_and_reading() {
        for state in RestrictionState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert!("lifted".parse::<RestrictionState>().is_err());
        for resolution in Resolution::ALL {
            assert_eq!(
                serde_json::to_value(resolution).unwrap(),
                resolution.as_str()
            );
        }
        for rule in [LiftRule::Operator, LiftRule::AutoLift] {
            assert_eq!(rule.as_str().parse(), Ok(rule));
            assert_eq!(serde_json::to_value(rule).unwrap(), rule.as_str());
        }
    }
}
