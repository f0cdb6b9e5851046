//! The commands that use the admin API: its client, profiles, and output formats.

pub mod accounts;
mod answers;
pub mod approvals;
pub mod audit;
mod client;
mod command;
pub mod events;
pub mod exceptions;
mod format;
pub mod keys;
pub mod letters;
pub mod login;
pub mod nodes;
pub mod operators;
mod output;
pub mod policy;
mod profile;
pub mod reports;
pub mod restrictions;
mod watch;
pub mod why;

pub use self::{command::WithConnection, format::OutputFormat};
