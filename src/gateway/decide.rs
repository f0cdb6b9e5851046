//! The verdict on a call, from what this node has in memory. Nothing here waits, and nothing here panics.

use std::net::IpAddr;

use akgate_rules::{
    access_key::AccessKeyId,
    operation::{Blocklist, Operation},
    verdict::{self, DecisionBasis, DecisionFacts, Policy, Profile, Standing, Verdict},
};
use akgate_state::{directory::sessions::Ancestor, live::memory::LiveRegistry};
use time::OffsetDateTime;

/// What a node decides with.
#[derive(Debug, Clone, Copy)]
pub struct Decider<'a> {
    /// What it knows in memory.
    pub live: &'a LiveRegistry,
    /// The operations that the profile `strict` refuses.
    pub strict: &'a Blocklist,
    /// The profile of accounts that have none of their own.
    pub default_profile: Profile,
}

/// Who calls what, from where, and when.
#[derive(Debug, Clone, Copy)]
pub struct CallFacts<'a> {
    /// The operation.
    pub operation: &'a Operation,
    /// The key or session that signs.
    pub access_key_id: &'a AccessKeyId,
    /// The ancestors of the session; none for an access key.
    pub ancestors: &'a [Ancestor],
    /// The account of the key or session.
    pub account_id: &'a str,
    /// Every account of the lineage.
    pub account_ids: &'a [String],
    /// The caller's address.
    pub source: IpAddr,
    /// The present instant, or the latest that was ever seen.
    pub now: OffsetDateTime,
    /// What the node knew when it received the call.
    pub basis: DecisionBasis,
}

impl Decider<'_> {
    /// Decides on a call under this policy. `parameter` looks a signed parameter up by its exact name.
    pub fn decide<'a>(
        &self,
        policy: Policy,
        call: &CallFacts<'_>,
        parameter: impl Fn(&str) -> Option<&'a str>,
    ) -> Verdict {
        let lineage = self.live.lineage(call.access_key_id, call.ancestors);
        self.decide_lineage(policy, call, &lineage, parameter)
    }

    /// Decides on a call whose lineage has these standings.
    pub fn decide_lineage<'a>(
        &self,
        policy: Policy,
        call: &CallFacts<'_>,
        lineage: &[Standing],
        parameter: impl Fn(&str) -> Option<&'a str>,
    ) -> Verdict {
        let (operation, id) = (call.operation, call.access_key_id);
        // These facts matter only for a restricted key; a clear key need not pay for them.
        let is_clear = lineage.iter().all(|one| *one == Standing::Clear);
        let facts = DecisionFacts {
            operation,
            lineage,
            profile: self.profile_of(call.account_ids),
            policy: match is_clear {
                true => policy,
                false => self.with_account_overrides(policy, call.account_id),
            },
            is_excepted: !is_clear && self.live.is_excepted(id, operation, call.source, call.now),
            remedies_itself: verdict::is_self_remedy(operation, id, parameter),
            now: call.now,
            basis: call.basis,
        };
        verdict::decide_call(self.strict, &facts)
    }

    /// The strictest profile of the accounts of a lineage.
    #[must_use]
    pub fn profile_of(&self, account_ids: &[String]) -> Profile {
        let profiles = account_ids.iter().map(|account_id| {
            let own = self.live.account_overrides(account_id).profile;
            own.unwrap_or(self.default_profile)
        });
        profiles
            .reduce(Profile::stricter)
            .unwrap_or(self.default_profile)
    }

    /// The policy, with the overrides of the caller's account.
    fn with_account_overrides(&self, policy: Policy, account_id: &str) -> Policy {
        let own = self.live.account_overrides(account_id).self_remedy;
        Policy {
            self_remedy: own.unwrap_or(policy.self_remedy),
            ..policy
        }
    }
}

/// The policy in force: the configured one, with the mode that operators have switched to, if any.
#[must_use]
pub fn policy_in_force(configured: Policy, live: &LiveRegistry) -> Policy {
    match live.mode() {
        Some(mode) => Policy { mode, ..configured },
        None => configured,
    }
}
