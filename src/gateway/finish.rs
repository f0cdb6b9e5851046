//! The last step of every call: a fault becomes an envelope, the RequestId is set, the call is counted, observed and
//! logged in one line.

use axum::body::Body;
use http::HeaderValue;
use uuid::Uuid;

use super::{
    envelope::render_fault,
    gate::Gate,
    observer::record_observation,
    outcome::record_unanswered,
    trace::{Trace, VerdictLabel},
    upstream::Answer,
};
use akgate_rules::{
    access_key::AccessKeyId, fault::Fault, operation::Operation, request::format::ErrorFormat,
};
use akgate_state::calls::format_request_id;

/// The header that repeats the RequestId, as the services that SDKs know do.
pub const REQUEST_ID: &str = "x-acs-request-id";

/// Finishes a call.
#[must_use]
pub fn finish_call(gate: &Gate, mut trace: Trace, answered: Result<Answer, Fault>) -> Answer {
    let request_id = trace.request_id();
    let fault = answered.as_ref().err();
    let code = fault.map(Fault::code);
    if let Some(fault) = fault {
        record_unanswered(gate, &mut trace, fault);
    }
    record_observation(gate, &trace, fault);
    let mut answer = answered.unwrap_or_else(|fault| {
        if let Fault::Internal(reason) = fault {
            tracing::error!(request_id, reason, "a call failed");
        }
        let link = gate.settings.recommend.for_fault(&fault, &request_id);
        render_fault(&fault, trace.format, &request_id, &trace.host_id, &link).map(Body::from)
    });
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        // An upstream's own RequestId is passed on unchanged.
        answer.headers_mut().entry(REQUEST_ID).or_insert(value);
    }
    let operation = trace.operation.as_deref();
    let verdict = trace.verdict.map(VerdictLabel::as_str);
    let took = trace.began.elapsed();
    gate.metrics.call(operation, verdict, code.as_deref(), took);
    tracing::info!(
        target: "akgate::access",
        request_id,
        source_ip = %trace.peer.ip,
        tls = trace.peer.tls,
        access_key_id = trace.access_key_id.as_ref().map(AccessKeyId::masked),
        product = operation.map(|operation| operation.product().code()),
        version = operation.map(Operation::version),
        action = operation.map(Operation::action),
        effect = operation.map(|operation| operation.effect().as_str()),
        verdict,
        status = answer.status().as_u16(),
        code = code.as_deref(),
        ms = took.as_secs_f64() * 1000.0,
        user_agent = trace.user_agent,
    );
    answer
}

/// Answers a call whose trace is lost, with its fault alone.
#[must_use]
pub fn answer_without_trace(fault: &Fault) -> Answer {
    let request_id = format_request_id(Uuid::new_v4());
    tracing::error!(request_id, code = %fault.code(), "a call failed without a trace");
    render_fault(fault, ErrorFormat::Json, &request_id, "", "").map(Body::from)
}
