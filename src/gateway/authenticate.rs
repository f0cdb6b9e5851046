//! Second step: proves who signed the request, or refuses it.
//!
//! In the order of `docs/faults.md`: the signed time, the access key, the session's token, the MAC, the nonce, and only
//! then whether the operation exists. An unauthenticated caller learns nothing about restrictions.

use std::sync::Arc;

use subtle::ConstantTimeEq;

use super::{
    gate::Gate,
    lookup::{Caller, CallerSession},
    receive::Received,
    routes::{Route, UpstreamAuth},
    trace::Trace,
};
use akgate_rules::{
    access_key::SecurityToken,
    fault::Fault,
    operation::Operation,
    position::Position,
    request::ApiRequest,
    signature::{self, VerifiedRequest, freshness},
    verdict::DecisionBasis,
};

/// An authenticated request.
pub struct Authenticated {
    /// The verified request: only this value can be printed for the upstream.
    pub verified: VerifiedRequest,
    /// Who signed it; `None` for a federated call that the configuration allows.
    pub caller: Option<Arc<Caller>>,
    /// The operation.
    pub operation: Arc<Operation>,
    /// How the operation's upstream learns who calls.
    pub auth: Arc<UpstreamAuth>,
    /// What the node knew before it looked up the caller.
    pub basis: DecisionBasis,
    /// Where the registry stood when the call's intent was written; `None` before that, and for a plain read.
    pub intent: Option<Position>,
}

/// Authenticates a request.
///
/// # Errors
/// The fault that the caller gets.
pub async fn authenticate(
    gate: &Gate,
    trace: &mut Trace,
    received: Received,
) -> Result<Authenticated, Fault> {
    let Received {
        request,
        route,
        basis,
    } = received;
    let (verified, caller) = match &request.claim {
        Some(_) => {
            let (verified, caller) = verify_caller(gate, trace, request).await?;
            (verified, Some(caller))
        }
        None => (pass_anonymous(gate, request)?, None),
    };
    // From here on the caller is known, and no longer paid for from what strangers share.
    trace.body_memory = None;
    let route = route?;
    trace.operation = Some(Arc::clone(&route.operation));
    route.check_style(verified.request())?;
    gate.settings.reserved.check(verified.request())?;
    let Route {
        operation, auth, ..
    } = route;
    Ok(Authenticated {
        verified,
        caller,
        operation,
        auth,
        basis,
        intent: None,
    })
}

async fn verify_caller(
    gate: &Gate,
    trace: &mut Trace,
    request: ApiRequest,
) -> Result<(VerifiedRequest, Arc<Caller>), Fault> {
    let Some(claim) = &request.claim else {
        return Err(Fault::Missing("AccessKeyId"));
    };
    // A nonce is remembered, from its receipt, for as long as its signed time is fresh.
    let now = trace.received_at;
    let id = &*trace.access_key_id.insert(claim.access_key_id.clone());
    freshness::check_freshness(claim.signed_at, now)?;
    if id.is_session() && claim.security_token.is_none() {
        return Err(Fault::Missing("SecurityToken"));
    }
    let caller = gate.lookup.find_caller(id, gate.latest.see(now)).await?;
    check_token(claim.security_token.as_ref(), caller.session.as_ref())?;
    let verified = signature::verify_signature(request, &caller.secret)?;
    let Some(claim) = &verified.request().claim else {
        return Err(Fault::Missing("AccessKeyId"));
    };
    gate.nonces.use_nonce(id, &claim.nonce, now)?;
    trace.caller = Some(Arc::clone(&caller));
    Ok((verified, caller))
}

/// Authenticates the caller of a request again, with what is known at a later `basis`.
///
/// # Errors
/// The fault that the caller gets if the access key has changed since.
pub async fn reverify_caller(
    gate: &Gate,
    authenticated: &mut Authenticated,
    basis: DecisionBasis,
) -> Result<(), Fault> {
    if let (Some(before), Some(claim)) = (
        &authenticated.caller,
        &authenticated.verified.request().claim,
    ) {
        let now = gate.clock.now();
        freshness::check_freshness(claim.signed_at, now)?;
        let now = gate.latest.see(now);
        let caller = gate.lookup.find_caller(&before.access_key_id, now).await?;
        check_token(claim.security_token.as_ref(), caller.session.as_ref())?;
        if !caller.secret.equals(&before.secret) {
            authenticated.verified.verify_again(&caller.secret)?;
        }
        authenticated.caller = Some(caller);
    }
    authenticated.basis = basis;
    Ok(())
}

/// A session proves itself with its token; an access key has none.
fn check_token(
    given: Option<&SecurityToken>,
    session: Option<&CallerSession>,
) -> Result<(), Fault> {
    match (given, session) {
        (None, None) => Ok(()),
        (Some(token), Some(session)) if token.digest().ct_eq(&session.token_sha256).into() => {
            Ok(())
        }
        (None, Some(_)) => Err(Fault::Missing("SecurityToken")),
        (Some(_), Some(_) | None) => Err(Fault::SecurityTokenMismatch),
    }
}

fn pass_anonymous(gate: &Gate, request: ApiRequest) -> Result<VerifiedRequest, Fault> {
    let action = request.operation.action.as_deref();
    if !gate.settings.allows_anonymous(action) {
        return Err(Fault::Missing("AccessKeyId"));
    }
    VerifiedRequest::anonymous(request).map_err(|_| Fault::Missing("AccessKeyId"))
}
