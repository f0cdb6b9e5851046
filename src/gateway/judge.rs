//! Collects the facts of a call for [`verdict`], and records refusals.
//!
//! Everything is read from memory. Nothing here waits, and nothing here panics.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    authenticate::Authenticated,
    gate::Gate,
    lookup::Caller,
    trace::{Trace, VerdictLabel},
};
use akgate_rules::{
    fault::Fault,
    operation::Operation,
    request::ApiRequest,
    verdict::{self, DecisionFacts, Permit, Policy, Profile, Refusal, Standing, Verdict},
};
use akgate_state::calls::{
    CallRecord,
    batch::{CountKey, RefusedCall},
};

/// Why a call got no permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// The verdict refuses it.
    Refused(Refusal),
    /// It carries no access key, and is not a call that may come without one.
    Anonymous,
}

/// Decides on a call under this policy.
///
/// # Errors
/// [`Denied`]; [`record_denial`] turns it into the fault that the caller gets.
pub fn judge(
    gate: &Gate,
    policy: Policy,
    trace: &mut Trace,
    authenticated: &Authenticated,
) -> Result<Permit, Denied> {
    let Some(caller) = &authenticated.caller else {
        trace.verdict = Some(VerdictLabel::Anonymous);
        return verdict::permit_anonymous(&authenticated.operation, authenticated.basis)
            .ok_or(Denied::Anonymous);
    };
    match decide_verdict(gate, policy, trace, authenticated, caller) {
        Verdict::Allow(permit) => Ok(permit),
        Verdict::Refuse(refusal) => Err(Denied::Refused(refusal)),
    }
}

fn decide_verdict(
    gate: &Gate,
    policy: Policy,
    trace: &Trace,
    authenticated: &Authenticated,
    caller: &Caller,
) -> Verdict {
    let operation = &*authenticated.operation;
    let id = &caller.access_key_id;
    let lineage = gate.live.lineage(id, caller.ancestors());
    let parameters = authenticated.verified.request().parameters();
    let now = gate.latest.see(gate.clock.now());
    // These facts matter only for a restricted key; a clear key need not pay for them.
    let is_clear = lineage.iter().all(|one| *one == Standing::Clear);
    let facts = DecisionFacts {
        operation,
        lineage: &lineage,
        profile: profile(gate, caller),
        policy: match is_clear {
            true => policy,
            false => with_account_overrides(gate, policy, caller),
        },
        is_excepted: !is_clear && gate.live.is_excepted(id, operation, trace.peer.ip, now),
        remedies_itself: verdict::is_self_remedy(operation, id, |name| parameters.get(name)),
        now,
        basis: authenticated.basis,
    };
    verdict::decide_call(&gate.strict, &facts)
}

/// The policy, with the overrides of the caller's account.
fn with_account_overrides(gate: &Gate, policy: Policy, caller: &Caller) -> Policy {
    let own = gate.live.account_overrides(&caller.account_id).self_remedy;
    Policy {
        self_remedy: own.unwrap_or(policy.self_remedy),
        ..policy
    }
}

/// The strictest profile of all accounts in the lineage.
fn profile(gate: &Gate, caller: &Caller) -> Profile {
    let default = gate.settings.profile;
    let accounts = caller.account_ids().iter();
    accounts
        .map(|account_id| {
            gate.live
                .account_overrides(account_id)
                .profile
                .unwrap_or(default)
        })
        .reduce(Profile::stricter)
        .unwrap_or(default)
}

/// Records that a call got no permit, and returns the fault that the caller gets.
pub fn record_denial(
    gate: &Gate,
    trace: &mut Trace,
    authenticated: &Authenticated,
    denied: Denied,
) -> Fault {
    match denied {
        Denied::Anonymous => Fault::Missing("AccessKeyId"),
        Denied::Refused(refusal) => {
            trace.verdict = Some(refusal.into());
            if let (Refusal::RestrictedKey(_), Some(caller)) = (refusal, &authenticated.caller) {
                record_refusal(gate, trace, authenticated, caller, refusal, false);
            }
            refusal.into()
        }
    }
}

/// Records that a call is forwarded with this permit.
pub fn record_permit(
    gate: &Gate,
    trace: &mut Trace,
    authenticated: &Authenticated,
    permit: &Permit,
) {
    let Some(caller) = &authenticated.caller else {
        return;
    };
    trace.verdict = Some(permit.grounds().into());
    match permit.withheld() {
        Some(refusal) => record_refusal(gate, trace, authenticated, caller, refusal, true),
        None => gate
            .recorder
            .forwarded(count_key(trace, authenticated, caller)),
    }
}

fn record_refusal(
    gate: &Gate,
    trace: &mut Trace,
    authenticated: &Authenticated,
    caller: &Caller,
    refusal: Refusal,
    withheld: bool,
) {
    let restriction_id = restriction_of(refusal);
    trace.restriction = restriction_id;
    let refused = RefusedCall {
        call: call_record(gate, trace, authenticated),
        restriction_id,
        withheld,
        profile: profile(gate, caller),
        revision: authenticated.basis.position.revision,
    };
    gate.recorder
        .refused(count_key(trace, authenticated, caller), refused);
}

/// The restriction that a refusal names.
#[must_use]
pub fn restriction_of(refusal: Refusal) -> Option<Uuid> {
    match refusal {
        Refusal::RestrictedKey(id) => Some(id),
        Refusal::StandingUnknown => None,
    }
}

fn count_key(trace: &Trace, authenticated: &Authenticated, caller: &Caller) -> CountKey {
    let operation = &authenticated.operation;
    CountKey {
        access_key_id: caller.access_key_id.clone(),
        hour: trace.received_at.truncate_to_hour(),
        product: operation.product().code().to_owned(),
        version: operation.version().to_owned(),
        action: operation.action().to_owned(),
    }
}

/// The record of an authenticated call.
#[must_use]
pub fn call_record(gate: &Gate, trace: &Trace, authenticated: &Authenticated) -> CallRecord {
    let operation = &authenticated.operation;
    let caller = authenticated.caller.as_deref();
    CallRecord {
        request_id: trace.request_id,
        access_key_id: caller.map(|caller| caller.access_key_id.clone()),
        account_id: caller.map_or_else(String::new, |caller| caller.account_id.clone()),
        principal: caller.map_or_else(String::new, |caller| caller.principal.clone()),
        product: operation.product().code().to_owned(),
        version: operation.version().to_owned(),
        action: operation.action().to_owned(),
        effect: operation.effect().as_str(),
        names: kept_parameters(gate, authenticated.verified.request(), operation),
        source_ip: trace.peer.ip.to_string(),
        user_agent: trace.user_agent.clone(),
        received_at: trace.received_at,
    }
}

/// The parameters that the catalogue lists for the record. Long values are cut: only names are kept, not documents.
fn kept_parameters(gate: &Gate, request: &ApiRequest, operation: &Operation) -> Map<String, Value> {
    const LONGEST: usize = 256;
    gate.catalogue
        .kept_names(operation)
        .filter_map(|name| {
            let value: String = request
                .parameters()
                .get(name)?
                .chars()
                .take(LONGEST)
                .collect();
            Some((name.to_owned(), Value::String(value)))
        })
        .collect()
}
