//! What takes two people: one operator asks, another decides.

pub mod approvals;
