//! What the admin API says: the types of its requests and answers, one file per resource, with their JSON and their
//! schemas. `state` fills the answers, the admin API serves them, and the command line reads them.

#![forbid(unsafe_code)]

pub mod accounts;
pub mod activity;
pub mod approvals;
pub mod audit;
pub mod decisions;
pub mod deliveries;
pub mod descendants;
pub mod events;
pub mod exceptions;
pub mod keys;
pub mod leak_reports;
pub mod letters;
pub mod lineage;
pub mod nodes;
pub mod notices;
pub mod observations;
pub mod operators;
pub mod policy;
pub mod problem;
pub mod receipts;
pub mod restrictions;
pub mod schema_names;
pub mod sign_in;
pub mod tasks;
pub mod timeline;
pub mod values;
