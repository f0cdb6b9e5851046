//! The last step before the upstream: prints a new request from the verified value and spends the clearance.
//!
//! If the clearance expires before the first byte is sent, the call is cleared again.

use std::{sync::Arc, time::Instant};

use http::{HeaderName, HeaderValue, Uri};

use super::{
    authenticate::Authenticated,
    gate::Gate,
    intent::clear_again,
    routes::UpstreamAuth,
    trace::Trace,
    upstream::{Answer, Deadline, PrintedRequest, SendError, Upstream},
};
use akgate_rules::identity::{IDENTITY_HEADER, Identity};
use akgate_rules::{fault::Fault, signature::SignedPrint, verdict::Clearance};

/// How many times a call is cleared again.
const CLEARANCES: usize = 4;

/// Forwards a call.
///
/// # Errors
/// The fault that the caller gets if the upstream does not answer.
pub async fn forward<U: Upstream>(
    gate: &Gate,
    upstream: &U,
    trace: &mut Trace,
    authenticated: &mut Authenticated,
    mut clearance: Clearance,
) -> Result<Answer, Fault> {
    for _ in 0..CLEARANCES {
        if let Ok(until) = clearance.spend(gate.clock.since_boot()) {
            let deadline = Deadline::new(until, Arc::clone(&gate.clock));
            let request = print_request(gate, trace, authenticated, deadline)?;
            let product = authenticated.operation.product();
            let began = Instant::now();
            trace.was_sent = true;
            let sent = upstream.send(product, request).await;
            gate.metrics.upstream(product, began.elapsed());
            match sent {
                Ok(answer) => return Ok(answer),
                Err(SendError::Unanswered(fault)) => return Err(fault),
                Err(SendError::TooLate) => trace.was_sent = false,
            }
        }
        // Boxed: inline, it would make the future of every call large.
        clearance = Box::pin(clear_again(gate, trace, authenticated)).await?;
    }
    Err(Fault::Unavailable)
}

/// Prints the request for upstream.
fn print_request(
    gate: &Gate,
    trace: &Trace,
    authenticated: &Authenticated,
    deadline: Deadline,
) -> Result<PrintedRequest, Fault> {
    let auth = &*authenticated.auth;
    let mut printed = authenticated.verified.print(auth.credentials());
    let now = gate.clock.now();
    let bound = |printed: &SignedPrint| identity(trace, authenticated).bound_to(printed, now);
    let identity = match auth {
        UpstreamAuth::IdentityHeader(key) => {
            let sealed = bound(&printed).seal(key);
            printed.headers.push((IDENTITY_HEADER.to_owned(), sealed));
            None
        }
        UpstreamAuth::InProcess => Some(Box::new(bound(&printed))),
        UpstreamAuth::CallerSignature => None,
    };
    Ok(PrintedRequest {
        http: to_http(printed)?,
        identity,
        deadline,
        is_read: authenticated.operation.effect().changes_nothing(),
    })
}

fn identity(trace: &Trace, authenticated: &Authenticated) -> Identity {
    let caller = authenticated.caller.as_deref();
    let operation = &authenticated.operation;
    Identity {
        request_id: trace.request_id(),
        account: caller.map(|caller| caller.account_id.clone()),
        principal: caller.map(|caller| caller.principal.clone()),
        access_key_id: caller.map(|caller| caller.access_key_id.clone()),
        parent_access_key_id: caller
            .and_then(|caller| caller.ancestors().first())
            .map(|ancestor| ancestor.access_key_id.clone()),
        source_ip: trace.peer.ip.to_string(),
        user_agent: trace.user_agent.clone(),
        tls: trace.peer.tls,
        product: operation.product().code().to_owned(),
        version: operation.version().to_owned(),
        action: operation.action().to_owned(),
        method: String::new(),
        target_sha256: String::new(),
        body_sha256: String::new(),
        iat: 0,
    }
}

fn to_http(printed: SignedPrint) -> Result<http::Request<bytes::Bytes>, Fault> {
    let broken = Fault::Internal("a printed request is no HTTP request");
    let Ok(target) = Uri::try_from(&printed.target) else {
        return Err(broken);
    };
    let mut request = http::Request::new(printed.body);
    *request.method_mut() = printed.method;
    *request.uri_mut() = target;
    for (name, value) in &printed.headers {
        let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(value),
        ) else {
            return Err(broken);
        };
        request.headers_mut().append(name, value);
    }
    Ok(request)
}
