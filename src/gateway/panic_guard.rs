//! Turns a panic into a fault, so that one bad call cannot stop the gate.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use akgate_rules::fault::Fault;

/// The fault that the caller of a call that panicked gets.
pub const PANICKED: Fault = Fault::Internal("a call ended in a panic");

/// Runs a part of the road. Partial state of a step is dropped with its call: no step holds a shared lock while it may
/// panic.
///
/// # Errors
/// Those of the part; [`PANICKED`].
pub async fn contain_panic<T>(part: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    match AssertUnwindSafe(part).catch_unwind().await {
        Ok(done) => done,
        Err(_) => Err(PANICKED),
    }
}
