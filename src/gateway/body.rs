//! Reads a whole request within limits. A limit refuses; it never truncates.

use std::sync::Arc;

use bytes::Bytes;
use http_body::Body;

use akgate_net::{
    fair_budget::{BudgetFault, BudgetShare, Claimant, FairBudget},
    received_body::{BodyFault, BodyLimits, receive_request},
};
use akgate_rules::{fault::Fault, request::RawRequest};

/// Reads a request's body to its end. Its memory is charged to the claimant until the share is dropped.
///
/// # Errors
/// [`Fault::BodyTooLarge`]; [`Fault::InvalidRequest`] for a body that is too slow, ends early, is framed wrongly or has a
/// trailer that belongs into the head; [`Fault::Throttled`] or [`Fault::Unavailable`] where no memory is left.
pub async fn read_whole_request<B>(
    request: http::Request<B>,
    limits: BodyLimits,
    memory: &Arc<FairBudget>,
    claimant: Claimant,
) -> Result<(RawRequest, Option<BudgetShare<1>>), Fault>
where
    B: Body<Data = Bytes>,
{
    let (head, received) = receive_request(request, limits, memory, claimant)
        .await
        .map_err(|fault| body_fault(fault, limits))?;
    let raw = RawRequest {
        head,
        body: received.bytes,
    };
    Ok((raw, received.share))
}

fn body_fault(fault: BodyFault, limits: BodyLimits) -> Fault {
    let reason = match fault {
        BodyFault::TooLong => return Fault::BodyTooLarge(limits.bytes),
        BodyFault::NoMemory(fault) => return refused_by_budget(fault),
        BodyFault::TooSlow => "its body did not arrive in time",
        BodyFault::Broken => "its body ends early or is framed wrongly",
        BodyFault::Trailers => "it has a trailer that belongs into the head",
    };
    Fault::InvalidRequest(reason.into())
}

/// What a caller is told whom a budget refuses.
pub fn refused_by_budget(fault: BudgetFault) -> Fault {
    match fault {
        BudgetFault::Greedy => Fault::Throttled,
        BudgetFault::Exhausted => Fault::Unavailable,
    }
}
