//! One bad call must not stop the gate: a panic becomes a fault like any other.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use akgate_rules::fault::Fault;

/// What the caller of a call that panicked is told.
pub const PANICKED: Fault = Fault::Internal("a call ended in a panic");

/// Runs a part of the road. What a panic leaves half done is gone with its call: the steps lock nothing that is shared
/// across it.
///
/// # Errors
/// Those of the part; [`PANICKED`].
pub async fn contain_panic<T>(part: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    match AssertUnwindSafe(part).catch_unwind().await {
        Ok(done) => done,
        Err(_) => Err(PANICKED),
    }
}
