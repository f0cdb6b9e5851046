//! The decision: may this call go upstream?
//!
//! Pure and total. Who asks, what the registry says and what time it is are parameters; the answer
//! is a [`Permit`] that only this module can make, or a [`Refusal`].
//!
//! What a restricted AccessKey, or a session that descends from one, may still do:
//!
//! | effect | `mutations` | `strict` |
//! | --- | --- | --- |
//! | `Read` | allow | allow, but refuse for RAM and IMS |
//! | `Disclose` | refuse | refuse |
//! | `Mutate(Identity)` | refuse | refuse |
//! | `Mutate(Credential)` | refuse | refuse |
//! | `Mutate(Permission)` | refuse | refuse |
//! | `Mutate(Other)` | allow | allow, but refuse for RAM and IMS |
//! | `MintSession` | allow: the session inherits the restriction | as `mutations` |
//! | `Unknown` | refuse | refuse |
//! | `Uncatalogued`: nobody has judged it | allow | refuse if listed |
//!
//! `strict` refuses what `mutations` refuses and what its list names: all of RAM and IMS, and single
//! operations of other products. STS and ResourceManager are not on that list, so `strict` judges
//! them as `mutations` does.
//!
//! A restriction that was widened ([`Standing::Widened`]) refuses sensitive reads as well, whatever the profile.
//!
//! In the order in which the code checks:
//!
//! 1. Mode `off`: allow, nothing is judged.
//! 2. A restricted key in the lineage and an effect that its profile refuses: refuse with
//!    [`Refusal::RestrictedKey`] (403), unless the key disables or deletes itself and the policy
//!    allows self-remediation, or an approved exception covers the call
//!    ([`crate::exception`]).
//! 3. An unknown standing in the lineage, or no lineage at all: refuse with
//!    [`Refusal::StandingUnknown`] (503), reads included. A road that may serve reads from the last
//!    known state says so by passing that state, never by passing [`Standing::Unknown`].
//! 4. A read that a restriction could refuse, at a node without a lease ([`DecisionBasis::is_leased`]): refused like an
//!    unknown standing. Such reads are those that `strict` lists, in strict accounts, and sensitive reads by a
//!    restricted key; with [`Policy::refuses_unleased_reads`], all reads. Other calls are protected by their intent.
//! 5. Everything else: allow. A lineage that is clear throughout is never refused.
//!
//! In mode `shadow`, and before `enforce_from`, a refusal becomes a permit that carries it
//! ([`Permit::withheld`]), so that it can be recorded.

mod grounds;
mod permit;
mod policy;
mod remedy;

use uuid::Uuid;

use crate::operation::{Blocklist, Effect, MutationKind, Operation};
pub use grounds::{Grounds, Refusal};
pub use permit::{
    Clearance, DecisionBasis, ExpiredDecision, OutdatedDecision, PERMIT_LIFETIME, Permit,
};
pub use policy::{Mode, Policy, Profile};
pub use remedy::is_self_remedy;
use time::OffsetDateTime;

/// The standing of an AccessKey in the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// No restriction is in force.
    Clear,
    /// This restriction is in force.
    Restricted(Uuid),
    /// This restriction is in force, and was widened to sensitive reads.
    Widened(Uuid),
    /// The registry cannot say.
    Unknown,
}

/// Everything that a decision depends on.
#[derive(Debug, Clone, Copy)]
pub struct DecisionFacts<'a> {
    /// The operation.
    pub operation: &'a Operation,
    /// The standing of the AccessKey and of every ancestor of its session, in any order.
    pub lineage: &'a [Standing],
    /// The account's profile; of two accounts, [`Profile::stricter`].
    pub profile: Profile,
    /// The policy in force.
    pub policy: Policy,
    /// Whether the key disables or deletes itself: [`is_self_remedy`].
    pub remedies_itself: bool,
    /// Whether an exception from the restriction covers the call: [`crate::exception::Exception::covers`].
    pub is_excepted: bool,
    /// The present instant, or the latest that was ever seen: a clock that steps back frees nothing.
    pub now: OffsetDateTime,
    /// What all of this was read at or after.
    pub basis: DecisionBasis,
}

/// The decision.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// The call may go upstream, once.
    Allow(Permit),
    /// The call must not go upstream.
    Refuse(Refusal),
}

/// Decides, by the table and the order in the module's documentation.
pub fn decide_call(strict: &Blocklist, facts: &DecisionFacts<'_>) -> Verdict {
    let judged = match facts.policy.mode {
        Mode::Off => Ok(Grounds::Off),
        Mode::Shadow => Ok(judge_call(strict, facts).unwrap_or_else(Grounds::Withheld)),
        Mode::Enforce if facts.policy.is_announced_for_later(facts.now) => {
            Ok(judge_call(strict, facts).unwrap_or_else(Grounds::Withheld))
        }
        Mode::Enforce => judge_call(strict, facts),
    };
    match judged {
        Ok(grounds) => Verdict::Allow(Permit {
            effect: facts.operation.effect(),
            grounds,
            basis: facts.basis,
        }),
        Err(refusal) => Verdict::Refuse(refusal),
    }
}

/// A permit for a call without an AccessKey: only for the two federated calls of STS, and only
/// where the configuration lets them pass, which the caller has checked.
#[must_use]
pub fn permit_anonymous(operation: &Operation, basis: DecisionBasis) -> Option<Permit> {
    operation.may_be_anonymous().then(|| Permit {
        effect: operation.effect(),
        grounds: Grounds::Anonymous,
        basis,
    })
}

fn judge_call(strict: &Blocklist, facts: &DecisionFacts<'_>) -> Result<Grounds, Refusal> {
    let standing = LineageStanding::of(facts.lineage);
    let grounds = match standing.restriction {
        None => Grounds::Clear,
        Some(id) if !profile_refuses(strict, facts.operation, facts.profile, standing.widened) => {
            Grounds::Harmless(id)
        }
        Some(id) if facts.policy.self_remedy && facts.remedies_itself => Grounds::SelfRemedy(id),
        Some(id) if facts.is_excepted => Grounds::Excepted(id),
        Some(id) => return Err(Refusal::RestrictedKey(id)),
    };
    if standing.all_known && (facts.basis.is_leased || !rests_on_lease(strict, facts, &standing)) {
        Ok(grounds)
    } else {
        Err(Refusal::StandingUnknown)
    }
}

/// Whether a change that this node may not know yet could refuse a call that has no intent.
fn rests_on_lease(
    strict: &Blocklist,
    facts: &DecisionFacts<'_>,
    standing: &LineageStanding,
) -> bool {
    match facts.operation.effect() {
        Effect::Read => {
            let is_listed = facts.profile == Profile::Strict && strict.lists(facts.operation);
            let may_be_widened = standing.restriction.is_some() && facts.operation.is_sensitive();
            is_listed || may_be_widened || facts.policy.refuses_unleased_reads
        }
        Effect::Disclose
        | Effect::Mutate(_)
        | Effect::MintSession
        | Effect::Unknown
        | Effect::Uncatalogued => false,
    }
}

/// Whether a profile refuses this operation to a restricted key, or to one whose restriction was widened.
#[must_use]
pub fn profile_refuses(
    strict: &Blocklist,
    operation: &Operation,
    profile: Profile,
    widened: bool,
) -> bool {
    let by_effect = match operation.effect() {
        Effect::Read => widened && operation.is_sensitive(),
        Effect::MintSession | Effect::Uncatalogued => false,
        Effect::Mutate(MutationKind::Other) => false,
        Effect::Mutate(
            MutationKind::Identity | MutationKind::Credential | MutationKind::Permission,
        ) => true,
        Effect::Disclose | Effect::Unknown => true,
    };
    match profile {
        Profile::Mutations => by_effect,
        Profile::Strict => by_effect || strict.lists(operation),
    }
}

/// How a profile treats an operation of a restricted key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileJudgement {
    /// It passes.
    Allow,
    /// It is refused.
    Refuse,
    /// It passes because nobody has said what it changes.
    NotJudged,
}

/// What a profile says about an operation; `widened` as in [`profile_refuses`].
#[must_use]
pub fn judge_by_profile(
    strict: &Blocklist,
    operation: &Operation,
    profile: Profile,
    widened: bool,
) -> ProfileJudgement {
    match profile_refuses(strict, operation, profile, widened) {
        true => ProfileJudgement::Refuse,
        false if operation.effect() == Effect::Uncatalogued => ProfileJudgement::NotJudged,
        false => ProfileJudgement::Allow,
    }
}

/// Combines the standings of a key and its ancestors: a restriction outweighs an unknown standing, and an unknown
/// outweighs a clear one. A widened restriction is the one that is named: it refuses whatever another refuses.
struct LineageStanding {
    restriction: Option<Uuid>,
    widened: bool,
    all_known: bool,
}

impl LineageStanding {
    fn of(standings: &[Standing]) -> Self {
        // An empty lineage means that the registry was not asked.
        let start = Self {
            restriction: None,
            widened: false,
            all_known: !standings.is_empty(),
        };
        standings.iter().fold(start, |lineage, one| match one {
            Standing::Clear => lineage,
            Standing::Restricted(id) => Self {
                restriction: lineage.restriction.or(Some(*id)),
                ..lineage
            },
            Standing::Widened(_) if lineage.widened => lineage,
            Standing::Widened(id) => Self {
                restriction: Some(*id),
                widened: true,
                ..lineage
            },
            Standing::Unknown => Self {
                all_known: false,
                ..lineage
            },
        })
    }
}

#[cfg(test)]
mod tests;
