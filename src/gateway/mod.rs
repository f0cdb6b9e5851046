//! The request road: the stations that a call passes, in order.

pub mod receive;
pub mod refusal;
pub mod wire;
