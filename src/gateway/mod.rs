//! The request road: the stations that a call passes, in order.

pub mod identity;
pub mod nonce;
pub mod receive;
pub mod refusal;
pub mod wire;
