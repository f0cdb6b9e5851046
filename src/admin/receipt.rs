//! What a change that restricts is answered with: what it was made to, and the receipt.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Problem;
use akgate_state::live::barrier::{Lost, Receipt, Wait};

/// When to answer.
#[derive(Debug, Clone, Copy, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Waiting {
    /// `none`: when the change is committed. `enforced` (default): when every node enforces it or has lost its lease.
    /// `drained`: also wait, for at most 30 seconds, until all calls that began before have ended.
    #[serde(default)]
    #[param(value_type = Option<Wait>, inline, nullable = false)]
    pub wait: Wait,
}

/// The changed resource, and where the change is enforced.
#[derive(Debug, Serialize, ToSchema)]
pub struct Changed<T> {
    /// The resource after the change.
    #[serde(flatten)]
    pub view: T,
    /// The nodes that enforce the change; absent if it restricts nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub receipt: Option<Receipt>,
}

impl From<Lost> for Problem {
    fn from(lost: Lost) -> Self {
        tracing::error!(%lost, "a failover lost a change; the operator is asked to repeat it");
        Self::lost()
    }
}
