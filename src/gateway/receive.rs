//! First station: the whole request in memory, bounded; and the last one back: every fault becomes the
//! wire's envelope here, every answer gets its RequestId, every call its one line in the log.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_core::future::BoxFuture;
use http::HeaderValue;
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tower::{Service, ServiceExt};
use uuid::Uuid;

use super::{
    call::{Answer, Call},
    gate::Gate,
    refusal, watch,
};
use akgate_rules::{
    fault::Fault,
    request::{ApiRequest, RawRequest, format::Format},
    verdict::Basis,
};
use akgate_state::calls::shown_request_id;

/// The header that repeats the RequestId, as the services that SDKs know do.
pub const REQUEST_ID: &str = "x-acs-request-id";

/// A request that was read, with what is known of it from the outside.
pub struct Received {
    /// The one reading of it.
    pub request: ApiRequest,
    /// The call.
    pub call: Arc<Call>,
    /// What the node knew when the call was received whole.
    pub basis: Basis,
}

/// The station.
#[derive(Clone)]
pub struct Receive<S> {
    gate: Arc<Gate>,
    next: S,
}

impl<S> Receive<S> {
    /// A station in front of the next.
    pub fn new(gate: Arc<Gate>, next: S) -> Self {
        Self { gate, next }
    }
}

impl<S, B> Service<http::Request<B>> for Receive<S>
where
    S: Service<Received, Response = Answer, Error = Fault> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Answer;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Answer, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The stations behind are asked when there is something to give them.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let (gate, next) = (Arc::clone(&self.gate), self.next.clone());
        Box::pin(async move {
            let began = Instant::now();
            let (head, body) = request.into_parts();
            let mut call = Call::new(&head, Uuid::new_v4(), gate.clock.now());
            let limits = Limits {
                body: gate.settings.body_limit,
            };
            let raw = in_time(
                gate.settings.body_timeout,
                receive(http::Request::from_parts(head, body), limits),
            )
            .await;
            if let Ok(raw) = &raw {
                let query = raw.head.uri.query().unwrap_or_default().as_bytes();
                call.format = Format::asked_for(query, &raw.body, &raw.head.headers);
            }
            // It is counted before anything is read that it is decided by.
            call.entered = Some(gate.calls.enter());
            let basis = gate.basis();
            let call = Arc::new(call);
            let watching = watch::watch(&gate, call.received_at);
            let mut asked = None;
            let answered = match raw.and_then(|raw| ApiRequest::parse(&raw)) {
                Ok(request) => {
                    if watching.is_some() {
                        asked = watch::asked(&gate, &request.operation);
                    }
                    let call = Arc::clone(&call);
                    let received = Received {
                        request,
                        call,
                        basis,
                    };
                    next.oneshot(received).await
                }
                Err(fault) => Err(fault),
            };
            if let Some(watching) = watching {
                let fault = answered.as_ref().err();
                watch::note(&gate, watching, &call, asked.as_ref(), fault);
            }
            Ok(answer(&gate, &call, answered, began.elapsed()))
        })
    }
}

/// Refuses a call whose body nobody reads.
pub fn refuse_unread<B>(gate: &Gate, request: http::Request<B>, fault: Fault) -> Answer {
    let (head, _) = request.into_parts();
    let call = Call::new(&head, Uuid::new_v4(), gate.clock.now());
    answer(gate, &call, Err(fault), Duration::ZERO)
}

/// Answers a call whose handling ended in a panic: one bad call must not stop the gate, and its caller gets an
/// envelope like any other.
pub fn answer_panic(_: Box<dyn std::any::Any + Send>) -> Answer {
    let request_id = shown_request_id(Uuid::new_v4());
    tracing::error!(request_id, "a call ended in a panic");
    let fault = Fault::Internal("a call ended in a panic");
    refusal::render(&fault, Format::Json, &request_id, "", "").map(axum::body::Body::from)
}

async fn in_time(
    limit: Duration,
    received: impl Future<Output = Result<RawRequest, Fault>>,
) -> Result<RawRequest, Fault> {
    match tokio::time::timeout(limit, received).await {
        Ok(received) => received,
        Err(_) => Err(Fault::InvalidRequest(
            "its body did not arrive in time".into(),
        )),
    }
}

/// The last step of every call: a fault becomes an envelope, the RequestId is set, the line is written.
fn answer(gate: &Gate, call: &Call, answered: Result<Answer, Fault>, took: Duration) -> Answer {
    let request_id = call.request_id();
    let fault = answered
        .as_ref()
        .err()
        .map(akgate_rules::fault::Fault::code);
    let mut answer = match answered {
        Ok(answer) => answer,
        Err(fault) => {
            if let Fault::Internal(reason) = fault {
                tracing::error!(request_id, reason, "a call failed");
            }
            let recommend = gate.settings.recommend.of(&fault, &request_id);
            refusal::render(&fault, call.format, &request_id, &call.host_id, &recommend)
                .map(axum::body::Body::from)
        }
    };
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        // Upstream's own answer passes unchanged where it carries one.
        answer.headers_mut().entry(REQUEST_ID).or_insert(value);
    }
    let operation = call.operation.get();
    gate.metrics.call(
        operation,
        call.verdict.get().copied(),
        fault.as_deref(),
        took,
    );
    tracing::info!(
        target: "akgate::access",
        request_id,
        source_ip = %call.peer.ip,
        tls = call.peer.tls,
        access_key_id = call.access_key_id.get().map(akgate_rules::access_key::AccessKeyId::masked),
        product = operation.map(|operation| operation.product().code()),
        version = operation.map(akgate_rules::operation::Operation::version),
        action = operation.map(akgate_rules::operation::Operation::action),
        effect = operation.map(|operation| operation.effect().as_str()),
        verdict = call.verdict.get(),
        status = answer.status().as_u16(),
        code = fault.as_deref(),
        ms = took.as_secs_f64() * 1000.0,
        user_agent = call.user_agent,
    );
    answer
}

/// How much of a request is taken in. A limit refuses; it never truncates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest body, in bytes.
    pub body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body: 1 << 20 }
    }
}

/// Reads a request's body to its end.
///
/// # Errors
/// [`Fault::BodyTooLarge`]; [`Fault::InvalidRequest`] for a body that ends early, is framed wrongly or
/// carries trailers, which nothing signs.
pub async fn receive<B>(request: http::Request<B>, limits: Limits) -> Result<RawRequest, Fault>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (head, body) = request.into_parts();
    if body.size_hint().lower() > limits.body as u64 {
        return Err(Fault::BodyTooLarge(limits.body));
    }
    let collected = Limited::new(body, limits.body)
        .collect()
        .await
        .map_err(|fault| {
            if fault.is::<LengthLimitError>() {
                Fault::BodyTooLarge(limits.body)
            } else {
                Fault::InvalidRequest("its body ends early or is framed wrongly".into())
            }
        })?;
    if collected.trailers().is_some() {
        return Err(Fault::InvalidRequest("it carries trailers".into()));
    }
    Ok(RawRequest {
        head,
        body: collected.to_bytes(),
    })
}
