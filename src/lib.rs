//! akgate: a policy-enforcement gateway in front of RAM, IMS and STS.
//!
//! Three roads, each in crates of its own below this one. **Request** ([`akgate_gateway`]): a call is received whole,
//! read once, proven, judged, recorded and forwarded; what the upstream gets is printed from the proven value, never
//! copied from the received bytes. **Leak** ([`akgate_intake`]): a report becomes a restriction, an audit record and
//! letters in one transaction ([`akgate_state::leaks`]), every node enforces it ([`akgate_state::live`]), and the owner
//! is notified ([`akgate_owners`]). **Relief**: the owner confirms ([`akgate_owners::pages`]), an operator lifts
//! ([`akgate_admin`]).
//!
//! What decides is pure ([`akgate_rules`]); what is kept speaks SQL ([`akgate_state`]). This crate wires them
//! ([`app`]), reads the configuration and holds the commands of the binary.

#![forbid(unsafe_code)]

pub mod app;
pub mod command;
pub mod config;
pub mod demo;
pub mod health;
pub mod postgres;
mod request_layers;
pub mod serve;
pub mod upstreams;
