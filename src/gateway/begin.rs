//! The first step of every call: creates its trace and takes a permit from the limit of concurrent calls.

use std::sync::Arc;

use http::Request;
use uuid::Uuid;

use super::{gate::Gate, trace::Trace};

/// Begins a call. It gets no permit if the limit of concurrent calls is reached.
pub fn begin_call<B>(gate: &Gate, request: &Request<B>) -> Trace {
    let mut trace = Trace::new(request, Uuid::new_v4(), gate.clock.now());
    trace.concurrency_permit = Arc::clone(&gate.concurrency).try_acquire_owned().ok();
    trace
}
