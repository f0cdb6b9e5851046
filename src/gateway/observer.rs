//! Observation before enforcing: the last step of a call records what would have happened to it.

use std::sync::Arc;

use time::OffsetDateTime;

use super::{
    gate::Gate,
    routes::Route,
    trace::{Trace, VerdictLabel},
};
use akgate_api::observations::ObservationPoint;
use akgate_rules::{
    access_key::AccessKeyId,
    fault::Fault,
    operation::{Operation, Product},
    verdict::Mode,
    visible_text::is_misleading,
};
use akgate_state::calls::observed::{Observation, ObservedKey, ObservedOutcome};

/// The longest reason that is kept, in characters.
const LONGEST_REASON: usize = 256;

/// The observation point of a call in the path, if the gate observes it.
#[must_use]
pub fn observation_point(gate: &Gate, received_at: OffsetDateTime) -> Option<ObservationPoint> {
    let policy = gate.policy();
    match policy.mode {
        Mode::Shadow => Some(ObservationPoint::Shadow),
        Mode::Enforce => policy
            .is_announced_for_later(gate.latest.see(received_at))
            .then_some(ObservationPoint::Shadow),
        Mode::Off => None,
    }
}

/// The operation that a call names, where the catalogue or the configuration lists it: anything else is the caller's
/// own text.
#[must_use]
pub fn known_operation(route: &Result<Route, Fault>) -> Option<Arc<Operation>> {
    let route = route.as_ref().ok()?;
    route.is_listed.then(|| Arc::clone(&route.operation))
}

/// Records what would have happened to a call, if this node observes it.
pub fn record_observation(gate: &Gate, trace: &Trace, fault: Option<&Fault>) {
    let Some(observation_point) = trace.observation_point else {
        return;
    };
    let sighted = classify(trace.verdict, fault);
    let operation = trace.named_operation.as_deref();
    let caller = trace.caller.as_deref();
    let text = |of: Option<&str>| of.unwrap_or_default().to_owned();
    let (code, reason) = match fault {
        Some(fault) if sighted != ObservedOutcome::Passes => {
            (fault.code().into_owned(), reason(fault))
        }
        Some(_) | None => (String::new(), String::new()),
    };
    let key = ObservedKey {
        hour: trace.received_at.truncate_to_hour(),
        observation_point,
        sighted,
        access_key_id: text(trace.access_key_id.as_ref().map(AccessKeyId::as_str)),
        product: text(operation.map(Operation::product).map(Product::code)),
        action: text(operation.map(Operation::action)),
        code,
    };
    let seen = Observation {
        calls: 1,
        reason,
        account_id: text(caller.map(|caller| caller.account_id.as_str())),
        principal: text(caller.map(|caller| caller.principal.as_str())),
        restriction_id: trace.restriction,
        request_id: trace.request_id,
        source_ip: trace.peer.ip.to_string(),
        at: trace.received_at,
    };
    gate.recorder.observed(key, seen);
}

fn classify(verdict: Option<VerdictLabel>, fault: Option<&Fault>) -> ObservedOutcome {
    match (verdict, fault) {
        (Some(VerdictLabel::Withheld | VerdictLabel::Refused), _) => ObservedOutcome::WouldRefuse,
        (Some(VerdictLabel::Unknown), _) => ObservedOutcome::NotJudged,
        // Faults after the verdict are not akgate's decision.
        (Some(_), _) => ObservedOutcome::Passes,
        (None, Some(Fault::AccessKeyNotFound)) => ObservedOutcome::NotInDirectory,
        (None, Some(Fault::Throttled | Fault::Unavailable | Fault::Internal(_))) => {
            ObservedOutcome::NotJudged
        }
        (None, Some(_)) => ObservedOutcome::Fails,
        (None, None) => ObservedOutcome::Passes,
    }
}

/// An error in words, without the string to sign, which only the caller may see.
fn reason(fault: &Fault) -> String {
    let reason = match fault {
        Fault::SignatureMismatch(_) => {
            "Specified signature is not matched with our calculation.".into()
        }
        other => other.message(),
    };
    reason
        .chars()
        .filter(|c| !is_misleading(*c))
        .take(LONGEST_REASON)
        .collect()
}
