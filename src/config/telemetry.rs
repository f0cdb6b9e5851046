//! `[telemetry]`: health, metrics and the log.

use std::net::SocketAddr;

use confique::Config;

use akgate_net::telemetry::LogFormat;

/// `[telemetry]`.
#[derive(Debug, Config)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct TelemetrySection {
    /// Address of /livez, /readyz and /metrics.
    #[config(env = "AKGATE_TELEMETRY_LISTEN", default = "127.0.0.1:9090")]
    pub listen: SocketAddr,
    /// "json", or "text" for reading.
    #[config(env = "AKGATE_TELEMETRY_LOG_FORMAT", default = "json")]
    pub log_format: LogFormat,
    /// Log filter, in the syntax of tracing's EnvFilter: "info", "warn,akgate::access=info".
    #[config(env = "AKGATE_TELEMETRY_LOG_FILTER", default = "info")]
    pub log_filter: String,
}
