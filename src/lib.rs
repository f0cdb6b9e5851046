//! akgate: a policy-enforcement gateway in front of RAM, IMS and STS.
//!
//! Three roads. **Request**: a call is received whole, read once, proven, judged, recorded and forwarded
//! ([`gateway`]); what upstream gets is printed from the proven value, never copied from the received bytes.
//! **Leak**: a report becomes restriction, audit record and letters in one transaction
//! ([`registry::record`]), is enforced at every node ([`registry::feed`]) and told to the owner ([`notify`]).
//! **Relief**: the owner confirms ([`console`]), an operator lifts ([`admin`]).

#![forbid(unsafe_code)]

// Rules: pure and total, in a crate of their own.
pub use akgate_rules::{
    access_key, credentials, evidence, exception, fault, ladder, leak, operation, position,
    request, restriction, signature, verdict,
};

// State: each function is one statement or one transaction.
pub mod audit;
pub mod calls;
pub mod directory;
pub mod operator;
pub mod outbox;
pub mod registry;

// The request road.
pub mod gateway;
pub mod sandbox;

// The leak road's doors.
pub mod intake;

// The relief road, and what operators use.
pub mod admin;
pub mod console;

// The road out.
pub mod notify;

// Everything, wired.
pub mod app;
pub mod config;
pub mod upstreams;

// The commands of the binary.
pub mod command;
pub mod demo;
pub mod serve;

// Plumbing.
pub mod clock;
pub mod health;
pub mod https;
pub mod mac_key;
pub mod metrics;
pub mod peer;
pub mod postgres;
pub mod randomness;
pub mod server;
pub mod telemetry;
