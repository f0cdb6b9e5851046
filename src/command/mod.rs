//! The commands of the binary: each gets its arguments and outputs, and returns its exit status.

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
pub mod visible_output;

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum CommandExit {
    /// Success.
    Ok = 0,
    /// Failure.
    Failed = 1,
    /// Usage error: the command or the configuration is not valid.
    Usage = 2,
    /// Partial success.
    Partial = 3,
    /// Access denied.
    Denied = 4,
}
