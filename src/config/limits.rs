//! `[limits]`: how much may be under way at a time.

use confique::Config;

use super::{error::ConfigError, text::ConfigText};

/// The least memory for requests, in bytes: a few of the longest bodies.
const MIN_REQUEST_MEMORY: u64 = 8 << 20;

/// `[limits]`.
#[derive(Debug, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct LimitsSection {
    /// Maximum number of connections per listener. At the limit, the connections that have waited longest without a call
    /// are closed, first those of the address that has most. A process that may open fewer files accepts fewer.
    #[config(env = "AKGATE_LIMITS_CONNECTIONS", default = 32768)]
    pub connections: usize,
    /// Memory for requests whose signature has not been verified yet, at all listeners, in bytes. Once half is in use, one
    /// address (for IPv6, one /64 network) may use a quarter.
    #[config(env = "AKGATE_LIMITS_REQUEST_MEMORY_BYTES", default = 268435456)]
    pub request_memory_bytes: u64,
    /// Maximum number of calls that are being verified and decided on. Once half is in use, one address may have a quarter
    /// (Throttling.User); beyond the limit, calls are refused (503).
    #[config(env = "AKGATE_LIMITS_CALLS_JUDGED", default = 4096)]
    pub calls_judged: u64,
    /// Maximum number of calls in progress at each upstream. Once half is in use, one AccessKey with its sessions may have
    /// a quarter and one account three quarters (Throttling.User); beyond the limit, calls are refused (503).
    #[config(env = "AKGATE_LIMITS_CALLS_PER_UPSTREAM", default = 1024)]
    pub calls_per_upstream: u64,
}

impl LimitsSection {
    pub(super) fn check(&self, text: &ConfigText<'_>) -> Result<(), ConfigError> {
        text.require_positive([
            ("limits.connections", self.connections > 0),
            ("limits.calls_judged", self.calls_judged > 0),
            ("limits.calls_per_upstream", self.calls_per_upstream > 0),
        ])?;
        if self.request_memory_bytes < MIN_REQUEST_MEMORY {
            return Err(text.wrong("limits.request_memory_bytes", "must be at least 8388608"));
        }
        Ok(())
    }
}
