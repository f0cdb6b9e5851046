//! Leave to forward one call, from the decision to the first byte that upstream gets.
//!
//! ```text
//! decide ─> Permit ─┬─ unproven_read ────────────> Clearance ─ spend ─> forwarded
//!                   └─ bind_to_intent(intent) ─┬────> Clearance            └─ Expired: decide anew
//!                                           └─ Outdated: catch up, decide anew, join with the same intent
//! ```
//!
//! What is compared after something was waited for was read before it: the permit names the position at which it was
//! decided, and that was read when the call was received.

use std::time::Duration;

use super::grounds::{Grounds, Refusal};
use crate::{
    operation::Effect,
    position::{BootInstant, Position},
};

/// How long a permit is good for, up to the first byte that upstream gets: a node that was stopped for an hour
/// forwards nothing that it decided before.
pub const PERMIT_LIFETIME: Duration = Duration::from_secs(5);

/// What a decision stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecisionBasis {
    /// What the node knew: read before anything else that the decision depends on.
    pub position: Position,
    /// When that was read.
    pub since: BootInstant,
    /// Whether the node held a lease then: whatever was receipted before is in its memory.
    pub is_leased: bool,
}

/// Leave to forward one call, at the position at which it was decided. Not cloneable, so that it is spent by what it
/// permits.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Permit {
    pub(super) effect: Effect,
    pub(super) grounds: Grounds,
    pub(super) basis: DecisionBasis,
}

/// A permit that nothing stands against any more but time: it has its intent, or needs none.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Clearance {
    permit: Permit,
}

/// The registry has changed since the decision: it has to be made anew, at [`OutdatedDecision::required`] or later.
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
    /// [`OutdatedDecision`] where that is another history, or newer than what the decision stands on.
    pub fn bind_to_intent(self, intent: Position) -> Result<Clearance, OutdatedDecision> {
        if self.basis.position.covers(intent) {
            Ok(Clearance { permit: self })
        } else {
            Err(OutdatedDecision { required: intent })
        }
    }

    /// A plain read leaves no intent. Gives the permit back where the call is none.
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

    /// What it stands on.
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
    /// Spends it, just before the first byte goes upstream; gives the instant until which that may be.
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
