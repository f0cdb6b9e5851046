//! Collects the facts of a call for its verdict ([`super::decide`]), and records refusals.
//!
//! Everything is read from memory. Nothing here waits, and nothing here panics.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    authenticate::Authenticated,
    decide::CallFacts,
    gate::Gate,
    lookup::Caller,
    trace::{Trace, VerdictLabel},
};
use akgate_rules::{
    fault::Fault,
    operation::Operation,
    request::ApiRequest,
    verdict::{self, Permit, Policy, Refusal, Verdict},
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
    let parameters = authenticated.verified.request().parameters();
    let call = CallFacts {
        operation: &authenticated.operation,
        access_key_id: &caller.access_key_id,
        ancestors: caller.ancestors(),
        account_id: &caller.account_id,
        account_ids: caller.account_ids(),
        source: trace.peer.ip,
        now: gate.latest.see(gate.clock.now()),
        basis: authenticated.basis,
    };
    let parameter = |name: &str| parameters.get(name);
    gate.decider().decide(policy, &call, parameter)
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
        profile: gate.decider().profile_of(caller.account_ids()),
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
