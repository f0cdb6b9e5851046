//! Second station: what the request says of itself becomes proven, or it is refused.
//!
//! In the order of `docs/faults.md`: the signed time, the key, the session's token, the MAC, the nonce,
//! and only then what is asked for. An unauthenticated caller learns nothing of a key's standing.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::future::BoxFuture;
use subtle::ConstantTimeEq;
use tower::{Service, ServiceExt};

use super::{
    call::{Answer, Call},
    gate::Gate,
    lookup::{Credentials, Session},
    receive::Received,
};
use akgate_rules::{
    access_key::SecurityToken,
    fault::Fault,
    operation::Operation,
    request::ApiRequest,
    signature::{self, Verified, freshness},
    verdict::Basis,
};

/// A request that is proven.
pub struct Authenticated {
    /// The request, which alone can be printed.
    pub verified: Verified,
    /// Who signed it; `None` for a federated call that the configuration lets pass.
    pub caller: Option<Arc<Credentials>>,
    /// What it asks for.
    pub operation: Operation,
    /// The call.
    pub call: Arc<Call>,
    /// What the node knew before the caller was looked up.
    pub basis: Basis,
}

/// The station.
#[derive(Clone)]
pub struct Authenticate<S> {
    gate: Arc<Gate>,
    next: S,
}

impl<S> Authenticate<S> {
    /// A station in front of the next.
    pub fn new(gate: Arc<Gate>, next: S) -> Self {
        Self { gate, next }
    }
}

impl<S> Service<Received> for Authenticate<S>
where
    S: Service<Authenticated, Response = Answer, Error = Fault> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Answer;
    type Error = Fault;
    type Future = BoxFuture<'static, Result<Answer, Fault>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, received: Received) -> Self::Future {
        let (gate, next) = (Arc::clone(&self.gate), self.next.clone());
        Box::pin(async move { next.oneshot(authenticate(&gate, received).await?).await })
    }
}

async fn authenticate(gate: &Gate, received: Received) -> Result<Authenticated, Fault> {
    let Received {
        request,
        call,
        basis,
    } = received;
    let (verified, caller) = match &request.claim {
        Some(_) => {
            let (verified, caller) = prove(gate, request, &call).await?;
            (verified, Some(caller))
        }
        None => (pass_anonymous(gate, request)?, None),
    };
    let (operation, _) = gate
        .routes
        .find(&gate.catalogue, &verified.request().operation)?;
    let operation = call.operation.get_or_init(|| operation).clone();
    Ok(Authenticated {
        verified,
        caller,
        operation,
        call,
        basis,
    })
}

async fn prove(
    gate: &Gate,
    request: ApiRequest,
    call: &Call,
) -> Result<(Verified, Arc<Credentials>), Fault> {
    let Some(claim) = request.claim.clone() else {
        return Err(Fault::Missing("AccessKeyId"));
    };
    // A nonce is remembered for as long as its signed time counts, from when it was received.
    let now = call.received_at;
    let id = call.access_key_id.get_or_init(|| claim.access_key_id);
    freshness::check(claim.signed_at, now)?;
    if id.is_session() && claim.security_token.is_none() {
        return Err(Fault::Missing("SecurityToken"));
    }
    let caller = gate.lookup.find(id, gate.latest.see(now)).await?;
    check_token(claim.security_token.as_ref(), caller.session.as_ref())?;
    let verified = signature::verify(request, &caller.secret)?;
    gate.nonces.burn(id, &claim.nonce, now)?;
    call.caller.get_or_init(|| Arc::clone(&caller));
    Ok((verified, caller))
}

/// Proves the caller of a request that was verified before once more, by what is known of it at a later `basis`.
///
/// # Errors
/// What the caller is told where the key is not what it was.
pub async fn prove_again(
    gate: &Gate,
    authenticated: &mut Authenticated,
    basis: Basis,
) -> Result<(), Fault> {
    if let (Some(before), Some(claim)) = (
        &authenticated.caller,
        &authenticated.verified.request().claim,
    ) {
        let now = gate.clock.now();
        freshness::check(claim.signed_at, now)?;
        let now = gate.latest.see(now);
        let caller = gate.lookup.find(&before.access_key_id, now).await?;
        check_token(claim.security_token.as_ref(), caller.session.as_ref())?;
        if !caller.secret.equals(&before.secret) {
            authenticated.verified.verify_again(&caller.secret)?;
        }
        authenticated.caller = Some(caller);
    }
    authenticated.basis = basis;
    Ok(())
}

/// A session proves itself with its token; a pair has none.
fn check_token(given: Option<&SecurityToken>, session: Option<&Session>) -> Result<(), Fault> {
    match (given, session) {
        (None, None) => Ok(()),
        (Some(token), Some(session)) if token.digest().ct_eq(&session.token_sha256).into() => {
            Ok(())
        }
        (None, Some(_)) => Err(Fault::Missing("SecurityToken")),
        (Some(_), Some(_) | None) => Err(Fault::SecurityTokenMismatch),
    }
}

fn pass_anonymous(gate: &Gate, request: ApiRequest) -> Result<Verified, Fault> {
    let passes = request
        .operation
        .action
        .as_ref()
        .is_some_and(|action| gate.settings.anonymous.contains(action));
    if !passes {
        return Err(Fault::Missing("AccessKeyId"));
    }
    Verified::anonymous(request).map_err(|_| Fault::Missing("AccessKeyId"))
}
