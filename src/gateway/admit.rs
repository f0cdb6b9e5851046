//! Between the verdict and the upstream: a call leaves those that are judged and joins those of its upstream, or is refused
//! before an intent is written.

use super::{authenticate::Authenticated, gate::Gate, trace::Trace};
use akgate_rules::fault::Fault;

/// Admits a call to its upstream.
///
/// # Errors
/// [`Fault::Throttled`] where the caller has more calls there than its part, [`Fault::Unavailable`] where the upstream has
/// as many as it may.
pub fn admit_to_upstream(
    gate: &Gate,
    trace: &mut Trace,
    authenticated: &Authenticated,
) -> Result<(), Fault> {
    let product = authenticated.operation.product();
    let caller = authenticated.caller.as_deref();
    let source = trace.peer.ip;
    trace.share = gate.budgets.take_upstream(product, caller, source)?;
    Ok(())
}
