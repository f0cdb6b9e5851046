//! The endpoints, a file for each resource or verb.

pub mod accounts;
pub mod activity;
pub mod approvals;
pub mod audit;
pub mod confirm;
pub mod decisions;
pub mod deliveries;
pub mod descendants;
pub mod events;
pub mod exceptions;
pub mod keys;
pub mod leak_reports;
pub mod letters;
pub mod lift;
pub mod nodes;
pub mod observations;
pub mod operators;
pub mod policy;
pub mod restrictions;
pub mod service;
pub mod sign_in;
pub mod tasks;
pub mod timeline;
