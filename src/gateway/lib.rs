//! The request road: plain functions in the order in which a call passes them.
//!
//! 1. [`receive`]: the whole request in memory, one reading of it.
//! 2. [`authenticate`]: the access key is looked up ([`lookup`]), signature and [`nonce`] are proven.
//! 3. [`enforce`]: the verdict ([`judge`]). From here a plain read is forwarded; anything else runs on a task of its own:
//! 4. [`intent`]: it is written and joined with the permit.
//! 5. [`forward`]: a new request, printed from the proven value, goes to the [`upstream`].
//! 6. [`learn`]: what upstream did is learnt ([`learnt_change`]) and recorded ([`outcome`]).
//! 7. [`finish`]: envelope, RequestId, metric and the line in the log, made of the call's [`trace`].
//!
//! [`road`] calls them. [`layer`] is the road as one tower service, [`builder`] makes a gate for a program of one's own,
//! [`mirror`] judges copies of calls, and [`observer`] records what would have become of a call where nothing is refused
//! yet.

#![forbid(unsafe_code)]

pub mod answer_tree;
pub mod authenticate;
pub mod begin;
pub mod body;
pub mod builder;
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
