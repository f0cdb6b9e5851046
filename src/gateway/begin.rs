//! The first step of every call: creates its trace.

use http::Request;
use uuid::Uuid;

use super::{gate::Gate, trace::Trace};

/// Begins a call.
pub fn begin_call<B>(gate: &Gate, request: &Request<B>) -> Trace {
    Trace::new(request, Uuid::new_v4(), gate.clock.now())
}
