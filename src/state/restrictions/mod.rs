//! Restrictions, from imposing to lifting, and what operators and owners see of them.

pub mod accounts;
pub mod active_restriction;
pub mod confirm;
pub mod descendants;
pub mod descendants_approval;
pub mod disable;
pub mod escalate;
pub mod etag;
pub mod exceptions;
pub mod impose;
pub mod lift;
pub mod links;
pub mod mode;
pub mod read;
pub mod reports;
pub mod timeline;
