//! The network and telemetry: listeners with TLS, the address of a peer, HTTPS clients, metrics and the log,
//! and files for their owner alone.

#![forbid(unsafe_code)]

pub mod fair_budget;
pub mod framing;
pub mod https;
pub mod metrics;
pub mod peer;
pub mod private_file;
pub mod received_body;
pub mod request_head;
pub mod request_memory;
pub mod server;
pub mod source_rate_limiter;
pub mod telemetry;
