//! akgate: a policy-enforcement gateway in front of RAM, IMS and STS.

#![forbid(unsafe_code)]

// Rules: pure and total. No clock, no I/O.
pub mod access_key;
pub mod operation;
pub mod verdict;

// The commands of the binary.
pub mod command;

// Plumbing.
pub mod clock;
pub mod postgres;
