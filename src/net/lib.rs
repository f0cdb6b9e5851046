//! How bytes come and go: listeners with TLS, where a request came from, clients of servers that are called now and
//! then, what is counted, and the log.

#![forbid(unsafe_code)]

pub mod https;
pub mod metrics;
pub mod peer;
pub mod server;
pub mod telemetry;
