//! akgate: a policy-enforcement gateway in front of RAM, IMS and STS.
//!
//! A call passes the stations of the request road in this order: it is received whole
//! ([`gateway::receive`]), read once into one value ([`request`]), proven ([`signature`]), classified by
//! what it would change ([`operation`]) and decided ([`verdict`]). What upstream gets is printed from
//! the proven value, never copied from the received bytes.

#![forbid(unsafe_code)]

// Rules: pure and total. No clock, no I/O.
pub mod access_key;
pub mod fault;
pub mod operation;
pub mod request;
pub mod signature;
pub mod verdict;

// State: each function is one statement or one transaction.
pub mod directory;

// The request road.
pub mod gateway;

// The commands of the binary.
pub mod command;

// Plumbing.
pub mod clock;
pub mod mac_key;
pub mod postgres;
