//! The response to a change that restricts: the changed resource and a receipt.

use crate::http::problem::Problem;
use akgate_state::live::barrier::LostChange;

impl From<LostChange> for Problem {
    fn from(lost: LostChange) -> Self {
        tracing::error!(%lost, "a failover lost a change; the operator is asked to repeat it");
        Self::lost()
    }
}
