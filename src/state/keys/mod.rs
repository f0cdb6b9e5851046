//! AccessKeys that become known or change, and what that means for leaks and restrictions.

pub mod directory_change;
pub mod import;
pub mod lifecycle;
