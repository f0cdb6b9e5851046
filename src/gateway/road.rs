//! The request road: handles one call, from its bytes to its answer.

use std::sync::Arc;

use bytes::Bytes;
use http_body::Body;

use super::{
    admit::admit_to_upstream,
    authenticate::{Authenticated, authenticate},
    begin::begin_call,
    enforce::{Enforced, PendingChange, Permitted, enforce},
    envelope::render_fault,
    finish::finish_call,
    forward::forward,
    gate::Gate,
    intent::record_intent,
    learn::learn,
    observer,
    panic_guard::{PANICKED, contain_panic},
    receive::receive,
    trace::Trace,
    upstream::{Answer, Upstream},
};
use akgate_rules::{fault::Fault, operation::user_parameters::check_user_parameters};
use akgate_state::calls::format_request_id;

/// The result of the steps before anything is written.
enum Passed {
    /// Upstream has answered a plain read.
    Answered(Answer),
    /// It may change something, and needs an intent.
    Change(Box<PendingChange>),
}

/// Answers a call. It is cancelled if the caller hangs up, unless its intent may have been written: then it runs to its
/// end.
pub async fn answer_call<U, B>(gate: Arc<Gate>, upstream: U, request: http::Request<B>) -> Answer
where
    U: Upstream,
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut trace = begin_call(&gate, &request);
    trace.observation_point = observer::observation_point(&gate, trace.received_at);
    match contain_panic(pass_read(&gate, &upstream, &mut trace, request)).await {
        Ok(Passed::Answered(answer)) => finish_call(&gate, trace, Ok(answer)),
        Ok(Passed::Change(change)) => run_change(gate, upstream, trace, change).await,
        Err(fault) => finish_call(&gate, trace, Err(fault)),
    }
}

/// The steps up to the verdict; a plain read is forwarded.
async fn pass_read<U, B>(
    gate: &Gate,
    upstream: &U,
    trace: &mut Trace,
    request: http::Request<B>,
) -> Result<Passed, Fault>
where
    U: Upstream,
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let received = receive(gate, trace, request).await?;
    let authenticated = authenticate(gate, trace, received).await?;
    let enforced = enforce(gate, trace, authenticated).await?;
    let Authenticated {
        operation,
        verified,
        ..
    } = enforced.authenticated();
    check_user_parameters(operation, verified.request().parameters())?;
    admit_to_upstream(gate, trace, enforced.authenticated())?;
    match enforced {
        Enforced::Read(Permitted {
            mut authenticated,
            clearance,
        }) => {
            let answer = forward(gate, upstream, trace, &mut authenticated, clearance).await?;
            Ok(Passed::Answered(answer))
        }
        Enforced::Change(change) => Ok(Passed::Change(change)),
    }
}

/// The steps from the intent on.
async fn pass_change<U: Upstream>(
    gate: &Gate,
    upstream: &U,
    trace: &mut Trace,
    change: PendingChange,
) -> Result<Answer, Fault> {
    let Permitted {
        mut authenticated,
        clearance,
    } = record_intent(gate, trace, change).await?;
    let answer = forward(gate, upstream, trace, &mut authenticated, clearance).await?;
    learn(gate, trace, &authenticated, answer).await
}

/// Runs a change on a task of its own, which also finishes the call: even if the caller hangs up, intent, outcome and
/// log line are written.
async fn run_change<U: Upstream>(
    gate: Arc<Gate>,
    upstream: U,
    mut trace: Trace,
    change: Box<PendingChange>,
) -> Answer {
    let (request_id, format, host_id) = (trace.request_id, trace.format, trace.host_id.clone());
    let running = tokio::spawn(async move {
        let passing = pass_change(&gate, &upstream, &mut trace, *change);
        let answered = contain_panic(passing).await;
        finish_call(&gate, trace, answered)
    });
    running.await.unwrap_or_else(|ended| {
        let fault = match ended.is_panic() {
            true => PANICKED,
            // The runtime ends before the task does.
            false => Fault::Unavailable,
        };
        let request_id = format_request_id(request_id);
        render_fault(&fault, format, &request_id, &host_id, "").map(axum::body::Body::from)
    })
}
