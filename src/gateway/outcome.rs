//! The outcome of an intent: recorded exactly once, however the call ends.

use http::StatusCode;

use super::{
    gate::Gate,
    trace::{OpenIntent, Trace},
};
use akgate_rules::fault::Fault;
use akgate_state::calls::{CallOutcome, batch::SettledIntent};

/// Records the outcome of the call's intent, if none is recorded yet.
pub fn record_outcome(
    gate: &Gate,
    trace: &mut Trace,
    outcome: CallOutcome,
    status: Option<StatusCode>,
    code: Option<String>,
) {
    let Some(OpenIntent { signed_at, made }) = trace.open_intent.take() else {
        return;
    };
    if outcome == CallOutcome::Unknown {
        gate.metrics.unknown_outcomes(1);
    }
    gate.recorder.settled(SettledIntent {
        request_id: trace.request_id,
        signed_at,
        outcome,
        status: status.map(|status| status.as_u16()),
        code,
        at: gate.clock.now(),
        made,
    });
}

/// Records the outcome of a call that ended without an upstream's answer.
pub fn record_unanswered(gate: &Gate, trace: &mut Trace, fault: &Fault) {
    if trace.was_sent {
        record_outcome(gate, trace, CallOutcome::Unknown, None, None);
    } else {
        let code = Some(fault.code().into_owned());
        record_outcome(gate, trace, CallOutcome::NotForwarded, None, code);
    }
}
