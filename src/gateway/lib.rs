//! The request road: plain functions in the order in which a call passes them.
//!
//! 1. [`receive`]: reads the whole request into memory and parses it once.
//! 2. [`authenticate`]: looks up the access key ([`lookup`]), checks signature and [`nonce`].
//! 3. [`enforce`]: the verdict ([`judge`]). From here a plain read is forwarded; anything else runs on a task of its own:
//! 4. [`intent`]: writes the intent and joins it with the permit.
//! 5. [`forward`]: prints a new request from the verified value and sends it to the [`upstream`].
//! 6. [`learn`]: updates the directory from the answer ([`learnt_change`]) and records the [`outcome`].
//! 7. [`finish`]: error envelope, RequestId, metrics and log line, from the call's [`trace`].
//!
//! [`road`] calls them. [`layer`] is the road as one tower service, [`builder`] builds a gate for your own program,
//! [`mirror`] judges copies of calls, and [`observer`] records what would have happened to a call while nothing is
//! refused yet.

#![forbid(unsafe_code)]

pub mod admit;
pub mod answer_tree;
pub mod authenticate;
pub mod begin;
pub mod body;
pub mod budgets;
pub mod builder;
pub mod decide;
pub mod enforce;
pub mod envelope;
pub mod finish;
pub mod forward;
pub mod gate;
pub mod intent;
pub mod judge;
pub mod layer;
pub mod learn;
pub mod learnt_change;
pub mod lookup;
pub mod mirror;
pub mod nonce;
pub mod observer;
pub mod outcome;
pub mod panic_guard;
pub mod receive;
pub mod road;
pub mod routes;
pub mod trace;
pub mod upstream;
pub mod wire;

pub use self::{
    gate::{Gate, GateSettings},
    layer::{GateLayer, GateService},
};
pub use akgate_rules::identity::Identity;
