//! Judges copies of calls, for observation: each is recorded, none is forwarded, and every answer is the same empty
//! one, so that nobody who finds the listener learns anything.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body::Body;
use tower::{Service, service_fn};

use super::{
    authenticate::authenticate,
    begin::begin_call,
    finish::finish_call,
    gate::Gate,
    judge::{judge, record_denial, restriction_of},
    panic_guard::contain_panic,
    receive::receive,
    trace::Trace,
    upstream::Answer,
};
use akgate_api::observations::ObservationPoint;
use akgate_rules::fault::Fault;

/// The service of a mirror.
pub fn mirror_service<B>(
    gate: Arc<Gate>,
) -> impl Service<Request<B>, Response = Answer, Error = Infallible, Future: Send> + Clone + Send + Sync
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    service_fn(move |request| {
        let gate = Arc::clone(&gate);
        async move {
            // The answer is the same whatever happens.
            let judging = async {
                judge_copy(&gate, request).await;
                Ok(())
            };
            drop(contain_panic(judging).await);
            Ok(no_content())
        }
    })
}

/// Judges a copy and records what its caller would have got.
async fn judge_copy<B>(gate: &Gate, request: Request<B>)
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut trace = begin_call(gate, &request);
    trace.observation_point = Some(ObservationPoint::Mirror);
    let judged = contain_panic(pass_copy(gate, &mut trace, request)).await;
    drop(finish_call(gate, trace, judged.map(|()| no_content())));
}

/// The steps of a copy.
async fn pass_copy<B>(gate: &Gate, trace: &mut Trace, request: Request<B>) -> Result<(), Fault>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut received = receive(gate, trace, request).await?;
    // A mirror forwards nothing, so it needs no lease.
    received.basis.is_leased = true;
    let authenticated = authenticate(gate, trace, received).await?;
    // The configured mode: operators switch only the mode of gates in the path.
    let policy = gate.settings.policy;
    let permit = judge(gate, policy, trace, &authenticated)
        .map_err(|denied| record_denial(gate, trace, &authenticated, denied))?;
    trace.verdict = Some(permit.grounds().into());
    trace.restriction = permit.withheld().and_then(restriction_of);
    Ok(())
}

fn no_content() -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}
