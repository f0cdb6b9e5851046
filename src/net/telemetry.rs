//! The log: one line per event on standard error, as text or as JSON.

use std::io;

use tracing_subscriber::{EnvFilter, fmt};

/// The form of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    #[default]
    Json,
}

/// Starts the log, once per process. A filter that cannot be read means `info`.
pub fn start_logging(format: LogFormat, filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let log = fmt().with_env_filter(filter).with_writer(io::stderr);
    // A second start in one process keeps the first.
    match format {
        LogFormat::Text => log.try_init().ok(),
        LogFormat::Json => log.json().flatten_event(true).try_init().ok(),
    };
}
