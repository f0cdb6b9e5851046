//! The first step of every call: it gets its trace and takes a turn; with no turn free, it is refused.

use std::sync::Arc;

use http::Request;
use uuid::Uuid;

use super::{gate::Gate, trace::Trace};

/// Begins a call. It has no turn where more calls are under way than there may be.
pub fn begin_call<B>(gate: &Gate, request: &Request<B>) -> Trace {
    let mut trace = Trace::new(request, Uuid::new_v4(), gate.clock.now());
    trace.turn = Arc::clone(&gate.turns).try_acquire_owned().ok();
    trace
}
