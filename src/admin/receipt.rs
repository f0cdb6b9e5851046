//! What a change that restricts is answered with: what it was made to, and the receipt.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Problem;
use akgate_state::live::barrier::{Lost, Receipt, Wait};

/// What the answer waits for.
#[derive(Debug, Clone, Copy, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Waiting {
    /// `none`: the change is committed. `enforced`, by default: every node refuses what it refuses, or has no lease.
    /// `drained`: that, and every call that was begun before has ended, for 30 seconds at most.
    #[serde(default)]
    #[param(value_type = Option<Wait>, inline, nullable = false)]
    pub wait: Wait,
}

/// Something that was changed, and where that is enforced.
#[derive(Debug, Serialize, ToSchema)]
pub struct Changed<T> {
    /// As it is now.
    #[serde(flatten)]
    pub view: T,
    /// Where the change is enforced; not there where it restricts nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub receipt: Option<Receipt>,
}

impl From<Lost> for Problem {
    fn from(lost: Lost) -> Self {
        tracing::error!(%lost, "an operator is told to make a change again");
        Self::lost()
    }
}
