//! The request road: a tower stack of the stations that a call passes, in this order.
//!
//! 1. [`receive`]: the whole request in memory, one reading of it; on the way back, envelope, RequestId
//!    and the line in the log.
//! 2. [`authenticate`]: the key is looked up ([`lookup`]), signature and [`nonce`] are proven.
//! 3. [`enforce`]: the verdict, and the intent of whatever is no plain read.
//! 4. [`learn`]: what upstream did is learnt ([`lesson`]) and recorded, before the answer leaves.
//! 5. [`forward`]: a new request, printed from the proven value, with an [`identity`].
//!
//! [`watch`] notes what would have become of a call where nothing is refused yet; at a mirror its road ends
//! with the verdict.
//!
//! [`road`] is all of it as one service; [`gate::GateLayer`] puts them in front of any axum handler; [`upstream`] is the one of the binary.

#![forbid(unsafe_code)]

pub mod answer;
pub mod authenticate;
pub mod call;
pub mod enforce;
pub mod forward;
pub mod gate;
pub mod learn;
pub mod lesson;
pub mod lookup;
pub mod nonce;
pub mod receive;
pub mod refusal;
pub mod road;
pub mod routes;
pub mod upstream;
pub mod watch;
pub mod wire;
