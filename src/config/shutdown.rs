//! `[shutdown]`: how a process ends.

use std::time::Duration;

use confique::Config;

use super::{error::ConfigError, text::ConfigText};

/// The longest delay that can be set, in seconds.
const MAX_DELAY_SECONDS: u64 = 600;

/// `[shutdown]`.
#[derive(Debug, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct ShutdownSection {
    /// How long after SIGTERM calls are still accepted, in seconds, at most 600; /readyz answers 503 meanwhile, so that load
    /// balancers turn away. A second SIGTERM ends the delay.
    #[config(env = "AKGATE_SHUTDOWN_DELAY_SECONDS", default = 8)]
    pub delay_seconds: u64,
}

impl ShutdownSection {
    /// How long calls are still accepted.
    #[must_use]
    pub fn delay(&self) -> Duration {
        Duration::from_secs(self.delay_seconds)
    }

    pub(super) fn check_limits(&self, text: &ConfigText<'_>) -> Result<(), ConfigError> {
        match self.delay_seconds {
            0..=MAX_DELAY_SECONDS => Ok(()),
            _ => Err(text.wrong("shutdown.delay_seconds", "must be at most 600")),
        }
    }
}
