//! Watching before enforcing: what would have become of each call is noted on the last step of its road.
//!
//! At a mirror the road ends with the verdict: [`Judge`] stands where a call would be enforced, learnt and
//! forwarded.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::future::BoxFuture;
use http::StatusCode;
use time::OffsetDateTime;
use tower::Service;

use super::{
    authenticate::{Authenticate, Authenticated},
    call::{Answer, Call},
    enforce,
    gate::Gate,
    receive::Receive,
};
use akgate_api::observations::Watch;
use akgate_rules::{
    access_key::AccessKeyId,
    fault::Fault,
    operation::{Effect, Operation, Product},
    request::OperationName,
    verdict::Mode,
};
use akgate_state::calls::observed::{Observed, ObservedKey, Sighted};

/// The longest reason that is kept, in characters.
const LONGEST_REASON: usize = 256;

/// The road of mirrored calls.
#[must_use]
pub fn mirror(gate: Arc<Gate>) -> Receive<Authenticate<Judge>> {
    let authenticate = Authenticate::new(Arc::clone(&gate), Judge(Arc::clone(&gate)));
    Receive::new(gate, authenticate)
}

/// The answer to every mirrored call.
#[must_use]
pub fn nothing() -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}

/// Makes the verdict, and ends the road.
#[derive(Clone)]
pub struct Judge(Arc<Gate>);

impl Service<Authenticated> for Judge {
    type Response = Answer;
    type Error = Fault;
    type Future = BoxFuture<'static, Result<Answer, Fault>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, authenticated: Authenticated) -> Self::Future {
        let judged = enforce::judge(&self.0, &authenticated).map(|()| nothing());
        Box::pin(async move { judged })
    }
}

/// Notes what would have become of a call. `asked` is the operation that it names, where that is one of the
/// catalogue's: anything else is the caller's own text.
pub fn note(
    gate: &Gate,
    watch: Watch,
    call: &Call,
    asked: Option<&Operation>,
    fault: Option<&Fault>,
) {
    let sighted = sighted(call, fault);
    let caller = call.caller.get();
    let text = |of: Option<&str>| of.unwrap_or_default().to_owned();
    let (code, reason) = match fault {
        Some(fault) if sighted != Sighted::Passes => (fault.code().into_owned(), reason(fault)),
        Some(_) | None => (String::new(), String::new()),
    };
    let key = ObservedKey {
        hour: call.received_at.truncate_to_hour(),
        watch,
        sighted,
        access_key_id: text(call.access_key_id.get().map(AccessKeyId::as_str)),
        product: text(asked.map(Operation::product).map(Product::code)),
        action: text(asked.map(Operation::action)),
        code,
    };
    let seen = Observed {
        calls: 1,
        reason,
        account_id: text(caller.map(|caller| caller.account_id.as_str())),
        principal: text(caller.map(|caller| caller.principal.as_str())),
        restriction_id: call.restriction.get().copied(),
        request_id: call.request_id,
        source_ip: call.peer.ip.to_string(),
        at: call.received_at,
    };
    gate.recorder.observed(key, seen);
}

/// The operation that a request names, where somebody serves it.
#[must_use]
pub fn asked(gate: &Gate, name: &OperationName) -> Option<Operation> {
    let found = gate.routes.find(&gate.catalogue, name).ok()?;
    // Of a product that is enumerated, an action that is not listed is the caller's own text.
    let is_listed = found.0.effect() != Effect::Unknown;
    is_listed.then_some(found.0)
}

fn sighted(call: &Call, fault: Option<&Fault>) -> Sighted {
    match (call.verdict.get(), fault) {
        (Some(&(enforce::WITHHELD | enforce::REFUSED)), _) => Sighted::WouldRefuse,
        (Some(&enforce::UNKNOWN), _) => Sighted::NotJudged,
        // What went wrong after the verdict is no matter of akgate's.
        (Some(_), _) => Sighted::Passes,
        (None, Some(Fault::AccessKeyNotFound)) => Sighted::NotInDirectory,
        (None, Some(Fault::Throttled | Fault::Unavailable | Fault::Internal(_))) => {
            Sighted::NotJudged
        }
        (None, Some(_)) => Sighted::Fails,
        (None, None) => Sighted::Passes,
    }
}

/// An error in words, without what the caller alone may see: the text that it should have signed.
fn reason(fault: &Fault) -> String {
    let reason = match fault {
        Fault::SignatureMismatch(_) => {
            "Specified signature is not matched with our calculation.".into()
        }
        other => other.message(),
    };
    let printable = |c: &char| !c.is_control();
    reason
        .chars()
        .filter(printable)
        .take(LONGEST_REASON)
        .collect()
}

/// From where this gate watches, if it does.
#[must_use]
pub fn watch(gate: &Gate, now: OffsetDateTime) -> Option<Watch> {
    let policy = gate.policy();
    match policy.mode {
        _ if gate.settings.is_mirror => Some(Watch::Mirror),
        Mode::Shadow => Some(Watch::Shadow),
        Mode::Enforce => policy
            .is_announced_for_later(gate.latest.see(now))
            .then_some(Watch::Shadow),
        Mode::Off => None,
    }
}
