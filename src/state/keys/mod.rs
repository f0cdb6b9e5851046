//! What happens to access keys: they are imported, learnt, disabled and deleted, which may prove a leak or bring a
//! restriction back.

pub mod additions;
pub mod directory_change;
pub mod import;
pub mod lifecycle;
