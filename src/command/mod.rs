//! The commands of the binary: each takes its arguments and its outputs, and says how it ended.

pub mod api;
pub mod classify;
pub mod config;
pub mod demo;
pub mod doctor;
mod enforced;
mod import;
pub mod keys;
pub mod letters;
mod named_values;
mod node;
pub mod operators;
pub mod policy;
mod progress;
pub mod reports;
pub mod scan;
pub mod serve;
mod settings;
pub mod verify;

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum CommandExit {
    /// What was asked for is so.
    Ok = 0,
    /// It is not.
    Failed = 1,
    /// The command or its configuration was not understood.
    Usage = 2,
    /// Some of what was asked for is so, some is not.
    Partial = 3,
    /// The token does not open that.
    Denied = 4,
}
