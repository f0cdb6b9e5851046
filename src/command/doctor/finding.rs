//! The result of a check, and the timeout of checks.

use std::{fmt::Display, time::Duration};

use serde::Serialize;

/// How long one check may take.
pub(super) const CHECK_TIMEOUT: Duration = Duration::from_secs(15);

/// How serious a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum FindingLevel {
    Good,
    Care,
    Wrong,
}

/// The result of a check.
#[derive(Debug, Clone, Serialize)]
pub(super) struct CheckFinding {
    /// What was checked.
    pub(super) what: String,
    /// How serious it is.
    pub(super) is: FindingLevel,
    /// In words.
    pub(super) found: String,
    /// What to do; `None` if nothing is wrong.
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

/// Runs a check with a timeout; a check that takes longer fails.
pub(super) async fn with_timeout<T, E: Display>(
    look: impl Future<Output = Result<T, E>>,
) -> Result<T, String> {
    match tokio::time::timeout(CHECK_TIMEOUT, look).await {
        Ok(looked) => looked.map_err(|fault| fault.to_string()),
        Err(_) => Err(format!("no answer in {} s", CHECK_TIMEOUT.as_secs())),
    }
}
