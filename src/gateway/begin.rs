//! The first step of every call: it gets its trace and a permit of the limit of concurrent calls.

use std::sync::Arc;

use http::Request;
use uuid::Uuid;

use super::{gate::Gate, trace::Trace};

/// Begins a call. It has no permit where as many calls are under way as there may be.
pub fn begin_call<B>(gate: &Gate, request: &Request<B>) -> Trace {
    let mut trace = Trace::new(request, Uuid::new_v4(), gate.clock.now());
    trace.concurrency_permit = Arc::clone(&gate.concurrency).try_acquire_owned().ok();
    trace
}
