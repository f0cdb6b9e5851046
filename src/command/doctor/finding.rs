//! What a check found, and how long it may look.

use std::{fmt::Display, time::Duration};

use serde::Serialize;

/// How long one look may take.
pub(super) const CHECK_TIMEOUT: Duration = Duration::from_secs(15);

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum FindingLevel {
    Good,
    Care,
    Wrong,
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub(super) struct CheckFinding {
    /// What was looked at.
    pub(super) what: String,
    /// How it is.
    pub(super) is: FindingLevel,
    /// In words.
    pub(super) found: String,
    /// What to do; `None` where it is good.
    pub(super) next: Option<String>,
}

impl CheckFinding {
    pub(super) fn good(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            is: FindingLevel::Good,
            found: found.into(),
            next: None,
        }
    }

    pub(super) fn care(
        what: impl Into<String>,
        found: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self {
            is: FindingLevel::Care,
            next: Some(next.into()),
            ..Self::good(what, found)
        }
    }

    pub(super) fn wrong(
        what: impl Into<String>,
        found: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self {
            is: FindingLevel::Wrong,
            ..Self::care(what, found, next)
        }
    }
}

/// Looks for a while; what takes longer is as good as not there.
pub(super) async fn with_timeout<T, E: Display>(
    look: impl Future<Output = Result<T, E>>,
) -> Result<T, String> {
    match tokio::time::timeout(CHECK_TIMEOUT, look).await {
        Ok(looked) => looked.map_err(|fault| fault.to_string()),
        Err(_) => Err(format!("no answer in {} s", CHECK_TIMEOUT.as_secs())),
    }
}
