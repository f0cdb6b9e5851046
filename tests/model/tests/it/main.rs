//! Explores the model: all of it with the rules that hold, and until a counterexample with one rule broken.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a panic in a test is the failure itself"
)]

mod additions;
mod broken;
mod explore;
mod holds;
