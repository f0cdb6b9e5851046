//! Third step: the verdict, decided in memory on what the node knew when it received the call.
//!
//! 1. A refusal ends here: it is counted and recorded in batches.
//! 2. A read that a newer restriction could refuse needs the node's lease. With a lease, every change that was answered
//!    before the call is in memory. Without one, the call waits for a lease for a short time.
//! 3. A plain read is forwarded at once. Any other call becomes a [`PendingChange`], which first needs a durable intent
//!    ([`super::intent`]).
//!
//! Without the database, a read by a cached key passes on the last known state, unless it needs the lease; everything
//! else is refused as unavailable.

use std::time::Duration;

use super::{
    authenticate::{Authenticated, reverify_caller},
    gate::Gate,
    judge::{Denied, judge, record_denial, record_permit},
    trace::Trace,
};
use akgate_rules::{
    fault::Fault,
    verdict::{Clearance, Permit, Refusal},
};

/// How long a read waits for the node's lease.
const LEASE_PATIENCE: Duration = Duration::from_millis(100);

/// A call that may be forwarded, once.
pub struct Permitted {
    /// The authenticated request.
    pub authenticated: Authenticated,
    /// The permission to forward it.
    pub clearance: Clearance,
}

/// A permitted call that may change something: it needs an intent before it is forwarded.
pub struct PendingChange {
    /// The authenticated request.
    pub authenticated: Authenticated,
    /// What was decided before the intent.
    pub permit: Permit,
}

/// A call that is not refused.
#[expect(
    clippy::large_enum_variant,
    reason = "most calls are plain reads: they pay no allocation"
)]
pub enum Enforced {
    /// A plain read.
    Read(Permitted),
    /// Anything else.
    Change(Box<PendingChange>),
}

impl Enforced {
    /// The proven request.
    pub fn authenticated(&self) -> &Authenticated {
        match self {
            Self::Read(permitted) => &permitted.authenticated,
            Self::Change(change) => &change.authenticated,
        }
    }
}

/// Decides on a call.
///
/// # Errors
/// The fault that the caller gets.
pub async fn enforce(
    gate: &Gate,
    trace: &mut Trace,
    mut authenticated: Authenticated,
) -> Result<Enforced, Fault> {
    let permit = permit_with_lease(gate, trace, &mut authenticated).await?;
    match permit.clear_read() {
        Ok(clearance) => {
            record_permit(gate, trace, &authenticated, clearance.permit());
            Ok(Enforced::Read(Permitted {
                authenticated,
                clearance,
            }))
        }
        Err(permit) => Ok(Enforced::Change(Box::new(PendingChange {
            authenticated,
            permit,
        }))),
    }
}

/// Decides; a read that needs the node's lease waits for it a little.
///
/// # Errors
/// The fault that the caller gets.
pub async fn permit_with_lease(
    gate: &Gate,
    trace: &mut Trace,
    authenticated: &mut Authenticated,
) -> Result<Permit, Fault> {
    match judge(gate, gate.policy(), trace, authenticated) {
        Ok(permit) => Ok(permit),
        Err(Denied::Refused(Refusal::StandingUnknown)) if !authenticated.basis.is_leased => {
            // Boxed: inline, it would make the future of every call large.
            Box::pin(async {
                let mut renewals = gate.lease.renewals();
                if !gate.basis().is_leased {
                    let taken = tokio::time::timeout(LEASE_PATIENCE, renewals.changed());
                    drop(taken.await);
                }
                decide_again(gate, trace, authenticated).await
            })
            .await
        }
        Err(denied) => Err(record_denial(gate, trace, authenticated, denied)),
    }
}

/// Looks the caller up again and decides, from what is known now.
///
/// # Errors
/// The fault that the caller gets.
pub async fn decide_again(
    gate: &Gate,
    trace: &mut Trace,
    authenticated: &mut Authenticated,
) -> Result<Permit, Fault> {
    reverify_caller(gate, authenticated, gate.basis()).await?;
    judge(gate, gate.policy(), trace, authenticated)
        .map_err(|denied| record_denial(gate, trace, authenticated, denied))
}
