//! Upstreams: what the gateway forwards to. An [`Upstream`] answers one printed request.
//!
//! [`remote`] is a server behind HTTP/1.1, [`handler`] any axum handler or tower service in this process,
//! [`by_product`] one upstream per product.

pub mod by_product;
mod connections;
pub mod handler;
pub mod remote;

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};

use akgate_rules::identity::Identity;
use akgate_rules::{fault::Fault, operation::Product, position::BootInstant};
use akgate_state::clock::Clock;

/// The answer that an upstream gives and a caller gets.
pub type Answer = Response<Body>;

/// A request printed from a proven call, to be sent once; a read may be sent once more.
pub struct PrintedRequest {
    /// The request; its target is in origin form.
    pub http: Request<Bytes>,
    /// Who calls, for a handler in this process; a remote upstream gets it in a header.
    pub identity: Option<Box<Identity>>,
    /// The deadline for sending the first byte.
    pub deadline: Deadline,
    /// Whether the call changes nothing, and so may be sent once more where a kept connection turns out to be closed.
    pub is_read: bool,
}

/// The deadline for sending the first byte of a request.
#[derive(Clone)]
pub struct Deadline {
    until: BootInstant,
    clock: Arc<dyn Clock>,
}

impl Deadline {
    /// A deadline on this clock.
    #[must_use]
    pub fn new(until: BootInstant, clock: Arc<dyn Clock>) -> Self {
        Self { until, clock }
    }

    /// Whether it has passed.
    #[must_use]
    pub fn has_passed(&self) -> bool {
        self.clock.since_boot() >= self.until
    }
}

/// Why an upstream gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendError {
    /// The deadline passed before a byte was sent.
    TooLate,
    /// The request may have been sent and executed. The value is the fault that the caller gets.
    Unanswered(Fault),
}

/// Answers printed requests.
pub trait Upstream: Clone + Send + Sync + 'static {
    /// Sends a request to the upstream of this product.
    ///
    /// # Errors
    /// [`SendError`] says whether the request may have been sent.
    fn send(
        &self,
        product: &Product,
        request: PrintedRequest,
    ) -> impl Future<Output = Result<Answer, SendError>> + Send;

    /// The same upstream with its own connections, for another core.
    #[must_use]
    fn with_own_connections(&self) -> Self {
        self.clone()
    }
}
