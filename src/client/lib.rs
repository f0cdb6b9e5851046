//! A client that signs calls as the official SDKs do: for the demo, the tests and the benchmarks.

#![forbid(unsafe_code)]

pub mod signer;
