//! Why a call was permitted or refused.

use uuid::Uuid;

use crate::fault::Fault;

/// Why a call was permitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grounds {
    /// No restriction is in force on the key or its ancestors.
    Clear,
    /// A restriction is in force, and its profile lets this operation pass.
    Harmless(Uuid),
    /// A restriction is in force, and the key disables or deletes itself.
    SelfRemedy(Uuid),
    /// A restriction is in force, and an exception from it covers the call.
    Excepted(Uuid),
    /// It would have been refused, but the policy is not enforced (yet).
    Withheld(Refusal),
    /// The policy is off.
    Off,
    /// The call carries no AccessKey that could have leaked.
    Anonymous,
}

/// Why a call was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// This restriction forbids it.
    #[error("restriction {0} forbids it")]
    RestrictedKey(Uuid),
    /// Whether a restriction forbids it cannot be said now.
    #[error("it is unknown whether the key is restricted")]
    StandingUnknown,
}

/// The fault that the caller gets.
impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::RestrictedKey(_) => Self::LeakRisk,
            Refusal::StandingUnknown => Self::Unavailable,
        }
    }
}
