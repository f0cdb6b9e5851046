//! What a verified call costs: the parts of `./dev bench`.

pub mod cpu;
pub mod load;
pub mod peers;
pub mod report;
pub mod sign;
pub mod signer;
pub mod stats;
