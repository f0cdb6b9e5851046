//! The permission to forward one call, from the decision to the first byte that the upstream gets.
//!
//! ```text
//! decide ─> Permit ─┬─ unproven_read ────────────> Clearance ─ spend ─> forwarded
//!                   └─ bind_to_intent(intent) ─┬────> Clearance            └─ Expired: decide anew
//!                                           └─ Outdated: catch up, decide anew, join with the same intent
//! ```
//!
//! A permit names the position at which it was decided. That position is read when the call is received, before
//! anything is waited for, so that a later comparison detects every change in between.

use std::time::Duration;

use super::grounds::{Grounds, Refusal};
use crate::{
    operation::Effect,
    position::{BootInstant, Position},
};

/// How long a permit is good for, up to the first byte that upstream gets: a node that was stopped for an hour
/// forwards nothing that it decided before.
pub const PERMIT_LIFETIME: Duration = Duration::from_secs(5);

/// What a decision is based on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecisionBasis {
    /// What the node knew: read before anything else that the decision depends on.
    pub position: Position,
    /// When that was read.
    pub since: BootInstant,
    /// Whether the node held a lease then: whatever was receipted before is in its memory.
    pub is_leased: bool,
}

/// The permission to forward one call, with the position at which it was decided. It cannot be cloned, so that
/// forwarding uses it up.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Permit {
    pub(super) effect: Effect,
    pub(super) grounds: Grounds,
    pub(super) basis: DecisionBasis,
}

/// A permit that is ready to be used: it has its intent or needs none, and can only expire.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Clearance {
    permit: Permit,
}

/// The registry has changed since the decision, which must be made again at [`OutdatedDecision::required`] or later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the registry has changed since this was decided")]
pub struct OutdatedDecision {
    /// Where the intent found the registry.
    pub required: Position,
}

/// The decision is too old.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this was decided too long ago")]
pub struct ExpiredDecision;

impl Permit {
    /// Joins the permit with the intent of its call, which found the registry at `intent`.
    ///
    /// # Errors
    /// [`OutdatedDecision`] if that is another history, or newer than what the decision is based on.
    pub fn bind_to_intent(self, intent: Position) -> Result<Clearance, OutdatedDecision> {
        if self.basis.position.covers(intent) {
            Ok(Clearance { permit: self })
        } else {
            Err(OutdatedDecision { required: intent })
        }
    }

    /// Clears a plain read, which needs no intent. Returns the permit if the call is not a plain read.
    ///
    /// # Errors
    /// The permit itself.
    pub fn clear_read(self) -> Result<Clearance, Self> {
        match self.effect {
            Effect::Read => Ok(Clearance { permit: self }),
            Effect::Disclose
            | Effect::Mutate(_)
            | Effect::MintSession
            | Effect::Unknown
            | Effect::Uncatalogued => Err(self),
        }
    }

    /// The effect of the operation that is permitted.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// Why it is permitted.
    #[must_use]
    pub fn grounds(&self) -> Grounds {
        self.grounds
    }

    /// What the decision is based on.
    #[must_use]
    pub fn basis(&self) -> DecisionBasis {
        self.basis
    }

    /// The refusal that was withheld, where the policy is in shadow or not yet in force.
    #[must_use]
    pub fn withheld(&self) -> Option<Refusal> {
        match self.grounds {
            Grounds::Withheld(refusal) => Some(refusal),
            Grounds::Clear
            | Grounds::Harmless(_)
            | Grounds::SelfRemedy(_)
            | Grounds::Excepted(_)
            | Grounds::Off
            | Grounds::Anonymous => None,
        }
    }
}

impl Clearance {
    /// Uses the clearance, just before the first byte is sent; returns the deadline for that byte.
    ///
    /// # Errors
    /// [`ExpiredDecision`].
    pub fn spend(self, now: BootInstant) -> Result<BootInstant, ExpiredDecision> {
        let until = self.permit.basis.since.after(PERMIT_LIFETIME);
        if now < until {
            Ok(until)
        } else {
            Err(ExpiredDecision)
        }
    }

    /// The permit that it was.
    pub fn permit(&self) -> &Permit {
        &self.permit
    }
}
